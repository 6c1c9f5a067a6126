"""Which messages of a conversation to read: all of its tree, or one way through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select

from tidegate.adapters.sql.tables import messages
from tidegate.core.identifiers import ConversationId, MessageId, UserId

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select


def whole_tree(owner: UserId, conversation_id: ConversationId) -> Select[*tuple[Any, ...]]:
    """All messages, oldest first."""
    query = select(messages).where(_is_of(owner, conversation_id))
    return query.order_by(messages.c.created_at_s, messages.c.sequence)


def way_to(owner: UserId, conversation_id: ConversationId, message_id: MessageId) -> Select[*tuple[Any, ...]]:
    """The messages from the root to this one, in no order. The texts of no others are read."""
    step = select(messages.c.id, messages.c.parent).where(_is_of(owner, conversation_id))
    way = step.where(messages.c.id == message_id).cte("way", recursive=True)
    way = way.union(step.join(way, messages.c.id == way.c.parent))
    return select(messages).where(messages.c.id.in_(select(way.c.id)))


def _is_of(owner: UserId, conversation_id: ConversationId) -> ColumnElement[bool]:
    return and_(messages.c.owner == owner, messages.c.conversation == conversation_id)
