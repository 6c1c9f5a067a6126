"""What people said: conversations, and messages that form a tree.

A message names its parent, so an edited question or a second answer is a new
branch and nothing is overwritten.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.core.identifiers import ConversationId, MessageId, UserId


class Author(StrEnum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Ending(StrEnum):
    """How an answer came to its end."""

    COMPLETE = "complete"
    """The model was done."""
    LENGTH = "length"
    """It reached the most tokens an answer may have."""
    STOPPED = "stopped"
    """The person stopped it."""
    UNATTENDED = "unattended"
    """Nobody had the chat open for too long."""
    CUT = "cut"
    """The service was stopped or restarted."""
    FAILED = "failed"
    """The engine broke off."""
    CROWDED_OUT = "crowded_out"
    """Its place at the engine was somebody else's, by rule."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation of one owner (times in Unix seconds)."""

    id: ConversationId
    owner: UserId
    title: str
    created_at_s: float
    updated_at_s: float


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `parent` is None at the root.

    Answers may carry `reasoning`, the folded thinking, with the seconds that
    it took, and carry how they ended.
    """

    id: MessageId
    conversation: ConversationId
    parent: MessageId | None
    author: Author
    content: str
    created_at_s: float
    reasoning: str = ""
    reasoning_s: float | None = None
    ending: Ending | None = None
