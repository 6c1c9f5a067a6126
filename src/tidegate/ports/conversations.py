"""Where conversations are kept, encrypted at rest.

Titles, contents and reasoning are never on disk in the clear. Each owner has a
key of their own; `forget_owner` destroys it, and with it everything they wrote.
Every call takes the owner; what belongs to another owner does not exist.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import ConversationId, UserId


class UnreadableContentError(Exception):
    """Stored content does not open: its key is gone, or the row was tampered with."""


class ConversationStore(Protocol):
    """Conversations and their messages. Every write is durable when it returns."""

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation. Raises LookupError when there is no such user."""

    async def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        """Find one of the owner's conversations. Raises UnreadableContentError."""

    async def conversations(
        self, owner: UserId, *, limit: int = 100, before_s: float | None = None
    ) -> list[Conversation]:
        """The owner's conversations, last updated first; `before_s` pages on `updated_at_s`."""

    async def rename_conversation(self, owner: UserId, conversation_id: ConversationId, title: str) -> bool:
        """Change a title. False when the owner has no such conversation."""

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on.

        Raises LookupError when the owner has no such conversation, or the
        parent is not a message of that same conversation.
        """

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first. Raises UnreadableContentError."""

    async def forget_owner(self, owner: UserId) -> None:
        """Destroy the owner's key: what they wrote cannot be read again, by anyone, here."""
