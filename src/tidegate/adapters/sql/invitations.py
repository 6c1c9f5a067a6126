"""Invitations in SQL: what must not happen twice is one statement that asks and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.tables import invites, users
from tidegate.adapters.sql.users import hold
from tidegate.core.identifiers import InviteId, UserId
from tidegate.core.registration.invites import HELD_S, Invite
from tidegate.ports.invitations import QuotaSpentError

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_OWN: Final = [invites.c[name] for name in Invite.__struct_fields__]
_IS_ACCOUNT: Final = exists().where(users.c.id == invites.c.used_by)
_COUNTS: Final = or_(invites.c.revoked_at_s.is_(None), invites.c.used_by.is_not(None))
"""What was revoked unused brought nobody."""


class SqlInvitationStore:
    """An InvitationStore in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Use `database`, already migrated."""
        self._database = database

    async def add(self, invite: Invite, digest: bytes, *, most: int | None = None, since_s: float = 0.0) -> None:
        """Keep a new invitation. Raises QuotaSpentError, or LookupError without its maker."""
        async with self._database.writing() as connection:
            if invite.made_by is not None:
                if not await hold(connection, invite.made_by):
                    msg = "invite: there is no such user"
                    raise LookupError(msg)
                if most is not None and await _made_since(connection, invite.made_by, since_s) >= most:
                    raise QuotaSpentError
            await connection.execute(insert(invites), [row_of(invite, digest)])

    async def find(self, digest: bytes) -> Invite | None:
        """The invitation with this digest."""
        async with self._database.reading() as connection:
            found = (await connection.execute(select(*_OWN).where(invites.c.digest == digest))).first()
        return None if found is None else _invite(found)

    async def use(self, digest: bytes, user_id: UserId, email: str, now: float) -> Invite | None:
        """Use an invitation that is open, for an account of that id and address; None when it is not."""
        is_left = and_(invites.c.used_at_s < now - HELD_S, ~_IS_ACCOUNT)
        used = (
            update(invites)
            .where(
                invites.c.digest == digest,
                invites.c.revoked_at_s.is_(None),
                invites.c.expires_at_s > now,
                or_(invites.c.email.is_(None), invites.c.email == email),
                or_(invites.c.used_by.is_(None), is_left),
            )
            .values(used_by=user_id, used_at_s=now)
            .returning(*_OWN)
        )
        async with self._database.writing() as connection:
            found = (await connection.execute(used)).first()
        return None if found is None else _invite(found)

    async def give_back(self, digest: bytes, user_id: UserId) -> bool:
        """Open it again, unless there is an account of that id. False when it was not used for that id."""
        is_held = and_(invites.c.digest == digest, invites.c.used_by == user_id, ~_IS_ACCOUNT)
        return await self._changed(update(invites).where(is_held).values(used_by=None, used_at_s=None))

    async def invites(self, made_by: UserId | None, limit: int) -> list[Invite]:
        """At most so many, newest first: all, or one person's."""
        query = select(*_OWN).order_by(invites.c.made_at_s.desc(), invites.c.id).limit(limit)
        if made_by is not None:
            query = query.where(invites.c.made_by == made_by)
        async with self._database.reading() as connection:
            return [_invite(row) for row in await connection.execute(query)]

    async def made_since(self, made_by: UserId, since_s: float) -> int:
        """How many somebody has made since then that were not revoked unused."""
        async with self._database.reading() as connection:
            return await _made_since(connection, made_by, since_s)

    async def invited(self, made_by: UserId, limit: int) -> list[UserId]:
        """At most `limit` accounts that somebody's invitations were used for, the latest first."""
        query = (
            select(invites.c.used_by)
            .where(invites.c.made_by == made_by, _IS_ACCOUNT)
            .order_by(invites.c.used_at_s.desc(), invites.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [UserId(found) for found in await connection.scalars(query)]

    async def inviter(self, user_id: UserId) -> UserId | None:
        """Who invited an account."""
        query = select(invites.c.made_by).where(invites.c.used_by == user_id)
        async with self._database.reading() as connection:
            found = await connection.scalar(query)
        return None if found is None else UserId(found)

    async def revoke(self, invite_id: InviteId, now: float, *, made_by: UserId | None = None) -> bool:
        """End an invitation, of `made_by` only where that is given. False when there is no such unused one."""
        is_meant: ColumnElement[bool] = and_(
            invites.c.id == invite_id, invites.c.revoked_at_s.is_(None), invites.c.used_by.is_(None)
        )
        if made_by is not None:
            is_meant = and_(is_meant, invites.c.made_by == made_by)
        return await self._changed(update(invites).where(is_meant).values(revoked_at_s=now))

    async def remove_old(self, before_s: float) -> int:
        """Forget invitations that nobody used and that expired before that."""
        is_old = and_(invites.c.expires_at_s < before_s, or_(invites.c.used_by.is_(None), ~_IS_ACCOUNT))
        async with self._database.writing() as connection:
            return (await connection.execute(delete(invites).where(is_old))).rowcount

    async def _changed(self, statement: Any) -> bool:
        async with self._database.writing() as connection:
            found = (await connection.execute(statement.returning(invites.c.id))).first()
        return found is not None


def row_of(invite: Invite, digest: bytes) -> dict[str, Any]:
    """An invitation as a row."""
    return {**msgspec.structs.asdict(invite), "digest": digest}


async def _made_since(connection: AsyncConnection, made_by: UserId, since_s: float) -> int:
    is_counted = and_(invites.c.made_by == made_by, invites.c.made_at_s >= since_s, _COUNTS)
    return await connection.scalar(select(func.count()).select_from(invites).where(is_counted)) or 0


def _invite(row: Row[*tuple[Any, ...]]) -> Invite:
    columns = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented access by name
    return Invite(
        **{
            **columns,
            "id": InviteId(columns["id"]),
            "made_by": None if columns["made_by"] is None else UserId(columns["made_by"]),
            "used_by": None if columns["used_by"] is None else UserId(columns["used_by"]),
        }
    )
