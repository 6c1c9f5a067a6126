"""The questions of the web chat, and the conversations that they stand in, as the store has them."""

from __future__ import annotations

from tidegate.core.conversations import Conversation, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.ports.conversations import ConversationStore


class ConversationMissingError(LookupError):
    """The owner has no such conversation."""


class MessageMissingError(LookupError):
    """The conversation has no such message, or none that can be answered."""


async def find(store: ConversationStore, owner: UserId, conversation_id: ConversationId) -> Conversation:
    """One of the owner's conversations. Raises ConversationMissingError."""
    found = await store.conversation(owner, conversation_id)
    if found is None:
        raise ConversationMissingError
    return found


async def path_to(
    store: ConversationStore, owner: UserId, conversation_id: ConversationId, leaf: MessageId
) -> list[Message]:
    """What was said from the root to `leaf`. Raises MessageMissingError when it is not of this conversation."""
    found = await store.path(owner, conversation_id, leaf)
    if not found:
        raise MessageMissingError
    return found


async def keep(store: ConversationStore, owner: UserId, new: Conversation | None, question: Message) -> None:
    """Keep a question, and before it the conversation that it begins. Raises as the store does."""
    if new is None:
        await store.add_message(owner, question)
        return
    await store.add_conversation(owner, new)
    try:
        await store.add_message(owner, question)
    except Exception:
        # Without its question a conversation is nothing that anybody began.
        await store.delete_conversation(owner, new.id)
        raise
