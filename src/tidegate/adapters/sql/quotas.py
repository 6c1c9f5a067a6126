"""Budgets and their use in SQL: a row for each payer that has either, written in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.tables import quotas, users
from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Budget, Kept, Used
from tidegate.core.quotas.windows import Window

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_BATCH: Final = 500
"""Rows of one statement: SQLite bounds how many parameters it may have."""

_LIMITS: Final = Budget.__struct_fields__
_USE: Final = tuple(name for window in Window for name in (str(window), f"{window}_tokens"))
_UNUSED: Final = dict.fromkeys(_USE, 0)


class SqlQuotaStore:
    """A QuotaStore in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Use `database`, already migrated."""
        self._database = database

    async def find(self, payers: Sequence[str]) -> list[Kept]:
        """What is kept of each, in the order asked."""
        found: dict[str, Kept] = {}
        async with self._database.reading() as connection:
            for start in range(0, len(payers), _BATCH):
                query = select(quotas).where(quotas.c.payer.in_(payers[start : start + _BATCH]))
                found.update((row.payer, _kept(row)) for row in await connection.execute(query))
        return [found.get(payer) or Kept(payer=payer) for payer in payers]

    async def allow(self, owner: UserId, payer: str, budget: Budget) -> None:
        """Replace the limits of a payer that `owner` owns. Raises LookupError without the owner."""
        limits = msgspec.structs.asdict(budget)
        try:
            async with self._database.writing() as connection:
                await _put(connection, [{"payer": payer, "owner": owner, **limits, **_UNUSED}], _LIMITS)
        except IntegrityError as error:
            msg = "quota: there is no such user"
            raise LookupError(msg) from error

    async def save(self, used: Sequence[tuple[UserId, Kept]]) -> None:
        """Replace the use of payers, by owner, all or nothing."""
        # In one order, so that two nodes never wait for each other's rows.
        ordered = sorted(used, key=lambda one: one[1].payer)
        async with self._database.writing() as connection:
            for start in range(0, len(ordered), _BATCH):
                batch = ordered[start : start + _BATCH]
                # Held until the end, so that nobody deletes a user between this question and the row that needs them.
                query = select(users.c.id).where(users.c.id.in_({owner for owner, _ in batch})).order_by(users.c.id)
                there = set(await connection.scalars(query.with_for_update(read=True, key_share=True)))
                rows = [_row(owner, kept) for owner, kept in batch if owner in there]
                if rows:
                    await _put(connection, rows, _USE)


async def _put(connection: AsyncConnection, rows: list[dict[str, Any]], changed: Sequence[str]) -> None:
    """Add rows; of those that are there already only what has `changed` is replaced."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    written = insert(quotas)
    values = {name: written.excluded[name] for name in changed}
    await connection.execute(written.on_conflict_do_update(index_elements=["payer"], set_=values), rows)


def _row(owner: UserId, kept: Kept) -> dict[str, Any]:
    row: dict[str, Any] = {"payer": kept.payer, "owner": owner, **dict.fromkeys(_LIMITS)}
    for window, used in kept.use.items():
        row |= {str(window): used.number, f"{window}_tokens": used.tokens}
    return row


def _kept(row: Row[*tuple[Any, ...]]) -> Kept:
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's documented access by name
    return Kept(
        payer=row.payer,
        budget=Budget(**{name: columns[name] for name in _LIMITS}),
        use={window: Used(columns[str(window)], columns[f"{window}_tokens"]) for window in Window},
    )
