"""Sessions in SQL: a session that ended is a row that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.tables import sessions, users
from tidegate.adapters.sql.users import OWNER_COLUMNS, hold, require_hash, user_of
from tidegate.core.accounts import Session, User
from tidegate.core.identifiers import SessionId, UserId

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_COLUMNS = tuple(column for column in sessions.c if column is not sessions.c.digest)
_NEWEST_FIRST = (sessions.c.created_at_s.desc(), sessions.c.id.desc())


class SqlSessions:
    """The sessions of an AccountStore in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Use `database`, already migrated."""
        self._database = database

    async def add_session(
        self, session: Session, digest: bytes, *, most: int, if_password_hash: str | None = None
    ) -> list[SessionId]:
        """Keep a new session under `digest`, end the owner's oldest beyond `most`, and answer which those were.

        The new one stays, even when a clock that stepped back makes it the
        oldest. With `if_password_hash`, only while that is still the owner's
        hash. Raises LookupError without the owner, PasswordChangedError,
        ValueError for an id or digest in use.
        """
        row = {
            "id": session.id,
            "owner": session.owner,
            "digest": digest,
            "created_at_s": session.created_at_s,
            "expires_at_s": session.expires_at_s,
            "last_seen_at_s": session.last_seen_at_s,
        }
        expired = and_(sessions.c.owner == session.owner, sessions.c.expires_at_s <= session.created_at_s)
        try:
            async with self._database.writing() as connection:
                # Held, so that two sign-ins at once see each other's session, and a new password waits or is seen.
                if not await hold(connection, session.owner):
                    msg = "session: there is no such user"
                    raise LookupError(msg)
                await require_hash(connection, session.owner, if_password_hash)
                await connection.execute(delete(sessions).where(expired))
                ended = (await _ids(connection, sessions.c.owner == session.owner))[most - 1 :]
                await connection.execute(delete(sessions).where(sessions.c.id.in_(ended)))
                await connection.execute(insert(sessions).values(row))
        except IntegrityError as error:
            msg = "session: this id or digest is in use"
            raise ValueError(msg) from error
        return ended

    async def live_session(self, owner: UserId, digest: bytes, now: float) -> tuple[User, Session] | None:
        """Find the session with this digest, and its owner, unless it ended or expired."""
        query = (
            select(*OWNER_COLUMNS, *_COLUMNS)
            .join(users, users.c.id == sessions.c.owner)
            .where(and_(_is_live(owner, now), sessions.c.digest == digest))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (user_of(row, "user_"), _session(row))

    async def sessions(self, owner: UserId, now: float) -> list[Session]:
        """All live sessions of `owner`, newest first."""
        query = select(*_COLUMNS).where(_is_live(owner, now)).order_by(*_NEWEST_FIRST)
        async with self._database.reading() as connection:
            return [_session(row) for row in await connection.execute(query)]

    async def note_session_use(self, owner: UserId, session_id: SessionId, now: float) -> None:
        """Remember when a session was last used; silently nothing for an unknown one."""
        async with self._database.writing() as connection:
            await connection.execute(update(sessions).where(_is(owner, session_id)).values(last_seen_at_s=now))

    async def end_session(self, owner: UserId, session_id: SessionId) -> bool:
        """End a session. False when `owner` has no such session."""
        async with self._database.writing() as connection:
            ended = await connection.execute(delete(sessions).where(_is(owner, session_id)))
        return ended.rowcount > 0

    async def end_sessions(self, owner: UserId, *, keep: SessionId | None = None) -> list[SessionId]:
        """End all sessions of `owner` but `keep`; answers which were ended."""
        others = sessions.c.owner == owner
        if keep is not None:
            others = and_(others, sessions.c.id != keep)
        async with self._database.writing() as connection:
            await hold(connection, owner)
            ended = await _ids(connection, others)
            await connection.execute(delete(sessions).where(others))
        return ended


async def _ids(connection: AsyncConnection, condition: Any) -> list[SessionId]:
    found = await connection.scalars(select(sessions.c.id).where(condition).order_by(*_NEWEST_FIRST))
    return [SessionId(text) for text in found]


def _is(owner: UserId, session_id: SessionId) -> Any:
    return and_(sessions.c.owner == owner, sessions.c.id == session_id)


def _is_live(owner: UserId, now: float) -> Any:
    return and_(sessions.c.owner == owner, sessions.c.expires_at_s > now)


def _session(row: Row[*tuple[Any, ...]]) -> Session:
    return Session(
        id=SessionId(row.id),
        owner=UserId(row.owner),
        created_at_s=row.created_at_s,
        expires_at_s=row.expires_at_s,
        last_seen_at_s=row.last_seen_at_s,
    )
