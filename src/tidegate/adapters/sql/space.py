"""How much space conversations and their owners take up, counted in the transaction that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, select, update

from tidegate.adapters.sql.tables import conversations, users
from tidegate.core.identifiers import ConversationId, UserId
from tidegate.ports.conversations import MAX_CONVERSATION_BYTES, ConversationFullError, StorageFullError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


async def take(connection: AsyncConnection, owner: UserId, size_bytes: int, quota_bytes: int) -> None:
    """Count `size_bytes` more for `owner`. Raises StorageFullError, or LookupError when there is no such user.

    One statement asks and counts: two writers cannot both take the last space.
    Less than nothing gives back, and is never refused.
    """
    more = users.c.stored_bytes + size_bytes
    asked = update(users).where(users.c.id == owner)
    if size_bytes > 0:
        asked = asked.where(more <= quota_bytes)
    if (await connection.execute(asked.values(stored_bytes=more))).rowcount:
        return
    if await connection.scalar(select(users.c.id).where(users.c.id == owner)) is None:
        msg = "conversation: there is no such user"
        raise LookupError(msg)
    raise StorageFullError


async def put(
    connection: AsyncConnection, owner: UserId, conversation_id: ConversationId, size_bytes: int, at_s: float
) -> None:
    """Count `size_bytes` more in a conversation, and move its `updated_at_s` on to `at_s`.

    Raises ConversationFullError, or LookupError when the owner has no such
    conversation. Also the lock that keeps it from being deleted meanwhile.
    """
    more = conversations.c.stored_bytes + size_bytes
    is_it = and_(conversations.c.owner == owner, conversations.c.id == conversation_id)
    # Never moves backwards: an imported message or a stepped clock must not reorder the owner's list.
    moved = case((conversations.c.updated_at_s < at_s, at_s), else_=conversations.c.updated_at_s)
    put_in = update(conversations).where(is_it, more <= MAX_CONVERSATION_BYTES)
    if (await connection.execute(put_in.values(stored_bytes=more, updated_at_s=moved))).rowcount:
        return
    if await connection.scalar(select(conversations.c.id).where(is_it)) is None:
        raise no_conversation()
    raise ConversationFullError


def no_conversation() -> LookupError:
    """What is raised for a message of a conversation that its owner does not have."""
    return LookupError("message: the owner has no such conversation")
