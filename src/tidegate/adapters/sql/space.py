"""How much space an owner's conversations take up, counted in the transaction that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select, update

from tidegate.adapters.sql.tables import conversations, messages, users
from tidegate.core.identifiers import ConversationId, UserId
from tidegate.ports.conversations import ENTRY_BYTES, StorageFullError

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


async def taken_by(connection: AsyncConnection, owner: UserId, conversation_id: ConversationId) -> int:
    """What a conversation and its messages take up; 0 when the owner has none such. Asked while the owner is held."""
    of_title = select(func.length(conversations.c.title) + ENTRY_BYTES).where(
        and_(conversations.c.owner == owner, conversations.c.id == conversation_id)
    )
    of_messages = select(
        func.coalesce(func.sum(func.length(messages.c.content) + func.length(messages.c.reasoning) + ENTRY_BYTES), 0)
    ).where(and_(messages.c.owner == owner, messages.c.conversation == conversation_id))
    return int(await connection.scalar(of_title) or 0) + int(await connection.scalar(of_messages) or 0)
