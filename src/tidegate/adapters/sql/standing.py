"""What is known of accounts, in SQL: a row beside the user's, written in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import case, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.tables import standings, users
from tidegate.adapters.sql.users import OWNER_COLUMNS, user_of
from tidegate.core.accounts import Role
from tidegate.core.identifiers import UserId
from tidegate.core.standing.history import History
from tidegate.core.standing.record import Record

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_BATCH: Final = 500
"""Rows of one statement: both databases bound how many parameters it may have."""

_HISTORY: Final = History.__struct_fields__
_OWN: Final = ("cohort", "is_verified", "is_vouched", "is_born_in_flood", "is_self_made", "suspect_until_s")
_KNOWN_USERS: Final = select(*OWNER_COLUMNS, *standings.c).select_from(users).outerjoin(standings)


class SqlStandingStore:
    """A StandingStore in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Use `database`, already migrated."""
        self._database = database

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something."""
        is_operator = users.c.role == Role.OPERATOR.value
        query = (
            _KNOWN_USERS.where(or_(is_operator, standings.c.is_vouched, standings.c.days > 0.0))
            .order_by(
                case((is_operator, 0), else_=1),
                case((standings.c.is_vouched, 0), else_=1),
                # Operators of whom nothing was saved: databases disagree about where NULL stands.
                case((standings.c.days.is_(None), 0.0), else_=standings.c.days).desc(),
                case((standings.c.counted_at_s.is_(None), 0.0), else_=standings.c.counted_at_s).desc(),
                users.c.id,
            )
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are users, in the order asked."""
        found: dict[str, Record] = {}
        async with self._database.reading() as connection:
            for batch in _batches(principals):
                rows = await connection.execute(_KNOWN_USERS.where(users.c.id.in_(batch)))
                found.update((row.user_id, _record(row)) for row in rows)
        return [found[principal] for principal in principals if principal in found]

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept, all or nothing; silently nothing for those who are no users."""
        # In one order, so that two nodes never wait for each other's rows.
        ordered = sorted(records, key=lambda record: record.principal)
        async with self._database.writing() as connection:
            for batch in _batches(ordered):
                await _save(connection, batch)


async def _save(connection: AsyncConnection, batch: Sequence[Record]) -> None:
    # Held until the end, so that nobody deletes a user between this question and the row that needs them.
    query = select(users.c.id).where(users.c.id.in_([record.principal for record in batch])).order_by(users.c.id)
    there = set(await connection.scalars(query.with_for_update(read=True, key_share=True)))
    rows = [_row(record) for record in batch if record.principal in there]
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    written = insert(standings)
    changed = {name: written.excluded[name] for name in (*_OWN, *_HISTORY)}
    await connection.execute(written.on_conflict_do_update(index_elements=["owner"], set_=changed), rows)


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]


def _row(record: Record) -> dict[str, Any]:
    own = {name: getattr(record, name) for name in _OWN}
    return {"owner": record.principal, **own, **msgspec.structs.asdict(record.history)}


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    made = Record.of(user_of(row, "user_"))
    if row.owner is None:
        return made
    history = History(**{name: getattr(row, name) for name in _HISTORY})
    return msgspec.structs.replace(made, history=history, **{name: getattr(row, name) for name in _OWN})
