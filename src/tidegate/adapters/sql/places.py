"""What rows of conversations and messages say once their seals are opened, each in its own place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.adapters.sql.sealing import SealingKey
from tidegate.core.conversations import Author, Conversation, Ending, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId

if TYPE_CHECKING:
    from sqlalchemy import Row


def title_of(owner: str, conversation_id: str) -> tuple[str, ...]:
    """The place for which a conversation's title is sealed."""
    return text_of(owner, conversation_id, "", "title")


def text_of(owner: str, conversation_id: str, message_id: str, field: str) -> tuple[str, ...]:
    """The place for which a message's `field` is sealed: content or reasoning."""
    return (owner, conversation_id, message_id, field)


def conversation_of(row: Row[*tuple[Any, ...]], key: SealingKey) -> Conversation:
    """The conversation in a row. Raises UnreadableContentError."""
    owner, conversation_id = UserId(row.owner), ConversationId(row.id)
    return Conversation(
        id=conversation_id,
        owner=owner,
        title=key.unseal(row.title, *title_of(owner, conversation_id)).decode(),
        created_at_s=row.created_at_s,
        updated_at_s=row.updated_at_s,
    )


def message_of(row: Row[*tuple[Any, ...]], key: SealingKey) -> Message:
    """The message in a row. Raises UnreadableContentError."""

    def text(field: str, sealed: bytes) -> str:
        return key.unseal(sealed, *text_of(row.owner, row.conversation, row.id, field)).decode()

    return Message(
        id=MessageId(row.id),
        conversation=ConversationId(row.conversation),
        parent=None if row.parent is None else MessageId(row.parent),
        author=Author(row.author),
        content=text("content", row.content),
        created_at_s=row.created_at_s,
        reasoning=text("reasoning", row.reasoning),
        reasoning_s=row.reasoning_s,
        ending=None if row.ending is None else Ending(row.ending),
    )
