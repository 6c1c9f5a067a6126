"""Where conversations are kept, encrypted at rest.

Titles, contents and reasoning are never on disk in the clear. Each owner has a
key of their own; `forget_owner` destroys it, and with it everything they wrote.
Every call takes the owner; what belongs to another owner does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId

ENTRY_BYTES: Final = 512
"""What each conversation and each message takes of an account's space besides its text."""

MAX_CONVERSATION_BYTES: Final = 8_000_000
"""What one conversation may take up, so that whoever reads one keeps nobody else waiting."""


class UnreadableContentError(Exception):
    """Stored content does not open: its key is gone, or the row was tampered with."""


class StorageFullError(Exception):
    """The owner's conversations take up all the space that an account may have."""


class ConversationFullError(Exception):
    """This conversation takes up MAX_CONVERSATION_BYTES; another one may still be begun."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was searched for, or a title (then `message` is None), and the words around the first match."""

    conversation: Conversation
    message: MessageId | None
    excerpt: str


class ConversationStore(Protocol):
    """Conversations and their messages. Every write is durable when it returns.

    What an owner keeps here takes up space: all text as it is sealed, and
    ENTRY_BYTES for each conversation and message. Deleting gives it back. One
    conversation takes up MAX_CONVERSATION_BYTES at most.
    """

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation. Raises LookupError when there is no such user, StorageFullError."""

    async def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        """Find one of the owner's conversations. Raises UnreadableContentError."""

    async def conversations(
        self, owner: UserId, *, limit: int = 100, before_s: float | None = None
    ) -> list[Conversation]:
        """The owner's conversations, last updated first; `before_s` pages on `updated_at_s`."""

    async def rename_conversation(self, owner: UserId, conversation_id: ConversationId, title: str) -> bool:
        """Change a title. False when the owner has no such conversation. Raises StorageFullError for a longer one."""

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on.

        Raises LookupError when the owner has no such conversation, or the
        parent is not a message of that same conversation; StorageFullError,
        ConversationFullError.
        """

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first. Raises UnreadableContentError."""

    async def path(self, owner: UserId, conversation_id: ConversationId, message_id: MessageId) -> list[Message]:
        """What was said from the root of the tree to this message, and nothing beside it.

        Empty when the conversation has no such message. Raises UnreadableContentError.
        """

    async def search(self, owner: UserId, words: Sequence[str], *, limit: int) -> list[Hit]:
        """Where all of `words` (from `core.search.words_of`) stand together in one title or one message.

        At most one hit for a conversation and `limit` in all, the newest
        conversation first; its title, or else its newest such message. The
        folded thinking is not searched. There is no index: everything of the
        owner is opened and read, away from the event loop, a piece at a time.
        One search runs at a time, others wait. Raises UnreadableContentError.
        """

    async def forget_owner(self, owner: UserId) -> None:
        """Destroy the owner's key: what they wrote cannot be read again, by anyone, here."""
