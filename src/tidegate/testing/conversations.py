"""A ConversationStore in memory. Nothing is encrypted, because nothing is at rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from tidegate.core.conversations import Conversation, Message
from tidegate.core.generation.window import path
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.core.search import excerpt
from tidegate.ports.accounts import AccountStore
from tidegate.ports.conversations import (
    ENTRY_BYTES,
    MAX_CONVERSATION_BYTES,
    ConversationFullError,
    Hit,
    StorageFullError,
)

_SEAL_BYTES: Final = 29
"""What sealing adds to a text. The contract suite sees to it that here and there the same fits."""


class MemoryConversationStore:
    """Conversations for as long as the object lives; `calls` counts each method's calls by name."""

    def __init__(self, accounts: AccountStore, *, quota_bytes: int = 256_000_000) -> None:
        """Start empty; `accounts` says which owners there are, and each may fill `quota_bytes`."""
        self.calls: Counter[str] = Counter()
        self._accounts = accounts
        self._quota_bytes = quota_bytes
        self._stored_bytes: Counter[UserId] = Counter()
        self._conversations: dict[ConversationId, Conversation] = {}
        self._messages: dict[MessageId, Message] = {}

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation. Raises LookupError without the user; StorageFullError; ValueError as in SQL."""
        self.calls["add_conversation"] += 1
        conversation.title.encode()
        if conversation.owner != owner:
            msg = "conversation: it belongs to another owner"
            raise ValueError(msg)
        if await self._accounts.user(owner) is None:
            msg = "conversation: there is no such user"
            raise LookupError(msg)
        size_bytes = _sealed_bytes(conversation.title) + ENTRY_BYTES
        self._check_room(owner, size_bytes)
        if conversation.id in self._conversations:
            msg = "conversation: this id is in use"
            raise ValueError(msg)
        self._conversations[conversation.id] = conversation
        self._stored_bytes[owner] += size_bytes

    async def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        """Find one of the owner's conversations."""
        self.calls["conversation"] += 1
        return self._owned(owner, conversation_id)

    async def conversations(
        self,
        owner: UserId,
        *,
        limit: int = 100,
        before_s: float | None = None,
    ) -> list[Conversation]:
        """The owner's conversations, last updated first; `before_s` pages on `updated_at_s`."""
        self.calls["conversations"] += 1
        owned = [
            conversation
            for conversation in self._conversations.values()
            if conversation.owner == owner and (before_s is None or conversation.updated_at_s < before_s)
        ]
        return sorted(owned, key=lambda found: (found.updated_at_s, found.id), reverse=True)[:limit]

    async def rename_conversation(self, owner: UserId, conversation_id: ConversationId, title: str) -> bool:
        """Change a title. False when the owner has no such conversation. Raises StorageFullError for a longer one."""
        self.calls["rename_conversation"] += 1
        title.encode()
        found = self._owned(owner, conversation_id)
        if found is None:
            return False
        more_bytes = _sealed_bytes(title) - _sealed_bytes(found.title)
        self._check_room(owner, more_bytes)
        self._conversations[conversation_id] = msgspec.structs.replace(found, title=title)
        self._stored_bytes[owner] += more_bytes
        return True

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""
        self.calls["delete_conversation"] += 1
        found = self._owned(owner, conversation_id)
        if found is None:
            return False
        self._stored_bytes[owner] -= self._taken_by(found)
        del self._conversations[conversation_id]
        for message in self._tree(conversation_id):
            del self._messages[message.id]
        return True

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on. Raises as in SQL, in the same order."""
        self.calls["add_message"] += 1
        message.content.encode()
        message.reasoning.encode()
        found = self._owned(owner, message.conversation)
        if found is None:
            msg = "message: the owner has no such conversation"
            raise LookupError(msg)
        self._check_room(owner, _size_bytes(message))
        if self._taken_by(found) + _size_bytes(message) > MAX_CONVERSATION_BYTES:
            raise ConversationFullError
        parent = None if message.parent is None else self._messages.get(message.parent)
        if message.parent is not None and (parent is None or parent.conversation != message.conversation):
            msg = "message: the parent is not in this conversation"
            raise LookupError(msg)
        if message.id in self._messages:
            msg = "message: this id is in use"
            raise ValueError(msg)
        self._messages[message.id] = message
        self._stored_bytes[owner] += _size_bytes(message)
        moved_s = max(found.updated_at_s, message.created_at_s)
        self._conversations[found.id] = msgspec.structs.replace(found, updated_at_s=moved_s)

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first."""
        self.calls["messages"] += 1
        return self._tree(conversation_id) if self._owned(owner, conversation_id) else []

    async def path(self, owner: UserId, conversation_id: ConversationId, message_id: MessageId) -> list[Message]:
        """What was said from the root of the tree to this message."""
        self.calls["path"] += 1
        tree = self._tree(conversation_id) if self._owned(owner, conversation_id) else []
        return path(tree, message_id) if any(message.id == message_id for message in tree) else []

    async def search(self, owner: UserId, words: Sequence[str], *, limit: int) -> list[Hit]:
        """Where all of `words` stand together in one title or one message."""
        self.calls["search"] += 1
        everything = await self.conversations(owner, limit=len(self._conversations))
        hits = (self._hit(conversation, words) for conversation in everything)
        return [hit for hit in hits if hit is not None][:limit]

    async def forget_owner(self, owner: UserId) -> None:
        """Drop everything the owner wrote."""
        self.calls["forget_owner"] += 1
        for conversation in await self.conversations(owner, limit=len(self._conversations)):
            await self.delete_conversation(owner, conversation.id)

    def _hit(self, conversation: Conversation, words: Sequence[str]) -> Hit | None:
        shown = excerpt(conversation.title, words)
        if shown is not None:
            return Hit(conversation=conversation, message=None, excerpt=shown)
        for message in reversed(self._tree(conversation.id)):
            shown = excerpt(message.content, words)
            if shown is not None:
                return Hit(conversation=conversation, message=message.id, excerpt=shown)
        return None

    def _check_room(self, owner: UserId, more_bytes: int) -> None:
        if more_bytes > 0 and self._stored_bytes[owner] + more_bytes > self._quota_bytes:
            raise StorageFullError

    def _taken_by(self, conversation: Conversation) -> int:
        return _sealed_bytes(conversation.title) + ENTRY_BYTES + sum(map(_size_bytes, self._tree(conversation.id)))

    def _owned(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        found = self._conversations.get(conversation_id)
        return found if found is not None and found.owner == owner else None

    def _tree(self, conversation_id: ConversationId) -> list[Message]:
        # The sort is stable and a dict keeps its order: ties stay in the order they arrived.
        found = [message for message in self._messages.values() if message.conversation == conversation_id]
        return sorted(found, key=lambda message: message.created_at_s)


def _sealed_bytes(text: str) -> int:
    return len(text.encode()) + _SEAL_BYTES


def _size_bytes(message: Message) -> int:
    return _sealed_bytes(message.content) + _sealed_bytes(message.reasoning) + ENTRY_BYTES
