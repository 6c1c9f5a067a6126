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


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation of one owner (times in Unix seconds)."""

    id: ConversationId
    owner: UserId
    title: str
    created_at_s: float
    updated_at_s: float


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message; `parent` is None at the root. `reasoning` is the folded thinking, if any."""

    id: MessageId
    conversation: ConversationId
    parent: MessageId | None
    author: Author
    content: str
    created_at_s: float
    reasoning: str = ""
