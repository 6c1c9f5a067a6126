"""A ConversationStore in memory. Nothing is encrypted, because nothing is at rest."""

from __future__ import annotations

from collections import Counter

import msgspec

from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.ports.accounts import AccountStore


class MemoryConversationStore:
    """Conversations for as long as the object lives; `calls` counts each method's calls by name."""

    def __init__(self, accounts: AccountStore) -> None:
        """Start empty; `accounts` says which owners there are."""
        self.calls: Counter[str] = Counter()
        self._accounts = accounts
        self._conversations: dict[ConversationId, Conversation] = {}
        self._messages: dict[MessageId, Message] = {}

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation. Raises LookupError without the user; ValueError as in SQL."""
        self.calls["add_conversation"] += 1
        conversation.title.encode()
        if conversation.owner != owner:
            msg = "conversation: it belongs to another owner"
            raise ValueError(msg)
        if await self._accounts.user(owner) is None:
            msg = "conversation: there is no such user"
            raise LookupError(msg)
        if conversation.id in self._conversations:
            msg = "conversation: this id is in use"
            raise ValueError(msg)
        self._conversations[conversation.id] = conversation

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
        """Change a title. False when the owner has no such conversation."""
        self.calls["rename_conversation"] += 1
        title.encode()
        found = self._owned(owner, conversation_id)
        if found is None:
            return False
        self._conversations[conversation_id] = msgspec.structs.replace(found, title=title)
        return True

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""
        self.calls["delete_conversation"] += 1
        if self._owned(owner, conversation_id) is None:
            return False
        del self._conversations[conversation_id]
        for message in self._tree(conversation_id):
            del self._messages[message.id]
        return True

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on. Raises LookupError and ValueError as in SQL."""
        self.calls["add_message"] += 1
        message.content.encode()
        message.reasoning.encode()
        found = self._owned(owner, message.conversation)
        if found is None:
            msg = "message: the owner has no such conversation"
            raise LookupError(msg)
        parent = None if message.parent is None else self._messages.get(message.parent)
        if message.parent is not None and (parent is None or parent.conversation != message.conversation):
            msg = "message: the parent is not in this conversation"
            raise LookupError(msg)
        if message.id in self._messages:
            msg = "message: this id is in use"
            raise ValueError(msg)
        self._messages[message.id] = message
        moved_s = max(found.updated_at_s, message.created_at_s)
        self._conversations[found.id] = msgspec.structs.replace(found, updated_at_s=moved_s)

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first."""
        self.calls["messages"] += 1
        return self._tree(conversation_id) if self._owned(owner, conversation_id) else []

    async def forget_owner(self, owner: UserId) -> None:
        """Drop everything the owner wrote."""
        self.calls["forget_owner"] += 1
        for conversation in await self.conversations(owner, limit=len(self._conversations)):
            await self.delete_conversation(owner, conversation.id)

    def _owned(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        found = self._conversations.get(conversation_id)
        return found if found is not None and found.owner == owner else None

    def _tree(self, conversation_id: ConversationId) -> list[Message]:
        # The sort is stable and a dict keeps its order: ties stay in the order they arrived.
        found = [message for message in self._messages.values() if message.conversation == conversation_id]
        return sorted(found, key=lambda message: message.created_at_s)
