"""What a gate knows of its callers: one SQLite file, where each row says all that there is to say.

Nobody has an account here, so nothing else bounds how many rows there are: any
key that the upstream accepts makes one. At most `most` are kept. When there are
more, those go first in whom least is lost: who served the fewest days that
still count and was not here for the longest; whom an operator vouches for goes
last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.dialects.sqlite import insert

from tidegate.adapters.sql.database import Database, open_database
from tidegate.adapters.sql.faults import told_in_a_sentence
from tidegate.adapters.sql.schema import CALLERS, migrate
from tidegate.adapters.sql.tables import callers, issued_keys
from tidegate.core.accounts import Role
from tidegate.core.callers import IssuedKey
from tidegate.core.identifiers import UserId
from tidegate.core.standing.history import DAY_S, History
from tidegate.core.standing.record import Record, StandingPlan

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

MOST_CALLERS: Final = 200_000
"""Some 30 MB."""

_BATCH: Final = 500
"""Rows of one statement: SQLite bounds how many parameters it may have."""

_HISTORY: Final = History.__struct_fields__
# A gate makes nobody an account.
_OWN: Final = tuple(name for name in Record.__struct_fields__ if name not in {"history", "is_self_made"})
_REPLACED: Final = tuple(column.name for column in callers.c if not column.primary_key)


class CallerStore:
    """A StandingStore of callers without accounts: whoever is saved is known, with all that the record says."""

    def __init__(
        self,
        database: Database,
        *,
        most: int = MOST_CALLERS,
        half_life_days: float = StandingPlan().half_life_days,
    ) -> None:
        """Use `database`, already migrated, for at most so many; `half_life_days` is how fast served days fade."""
        if most < 1:
            msg = "most: expected at least 1"
            raise ValueError(msg)
        self._database = database
        self._most = most
        self._half_life_days = half_life_days

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something."""
        is_operator = callers.c.role == Role.OPERATOR.value
        query = (
            select(callers)
            .where(or_(is_operator, callers.c.is_vouched, callers.c.days > 0.0))
            .order_by(
                case((is_operator, 0), else_=1),
                callers.c.is_vouched.desc(),
                callers.c.days.desc(),
                callers.c.counted_at_s.desc(),
                callers.c.principal,
            )
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def recent(self, limit: int) -> list[Record]:
        """At most `limit` records, for lists: who was served or came last first."""
        seen_s = func.max(callers.c.created_at_s, callers.c.counted_at_s, callers.c.last_day * DAY_S)
        query = select(callers).order_by(seen_s.desc(), callers.c.principal).limit(limit)
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(query)]

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are known, in the order asked."""
        found: dict[str, Record] = {}
        async with self._database.reading() as connection:
            for batch in _batches(principals):
                rows = await connection.execute(select(callers).where(callers.c.principal.in_(batch)))
                found.update((row.principal, _record(row)) for row in rows)
        return [found[principal] for principal in principals if principal in found]

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept or add to it, all or nothing, and forget those for whom there is no room."""
        if not records:
            return
        async with self._database.writing() as connection:
            for batch in _batches(records):
                written = insert(callers)
                changed = {name: written.excluded[name] for name in _REPLACED}
                upserted = written.on_conflict_do_update(index_elements=["principal"], set_=changed)
                await connection.execute(upserted, [self._row(record) for record in batch])
            await self._make_room(connection)

    async def issue(self, key: IssuedKey) -> None:
        """Have a key of the gate's own count from now on; there is room for any number."""
        async with self._database.writing() as connection:
            await connection.execute(insert(issued_keys), [msgspec.structs.asdict(key)])

    async def issued(self, digest: bytes) -> IssuedKey | None:
        """The key with this digest, if it counts."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(issued_keys).where(issued_keys.c.digest == digest))
            return next((_issued(row) for row in rows), None)

    async def issued_to(self, principals: Sequence[UserId]) -> list[IssuedKey]:
        """The keys of these callers that count."""
        found: list[IssuedKey] = []
        async with self._database.reading() as connection:
            for batch in _batches(principals):
                rows = await connection.execute(select(issued_keys).where(issued_keys.c.principal.in_(batch)))
                found.extend(_issued(row) for row in rows)
        return found

    async def revoke(self, principal: UserId) -> list[bytes]:
        """End all keys of a caller, and forget what is known of it."""
        ended = delete(issued_keys).where(issued_keys.c.principal == principal).returning(issued_keys.c.digest)
        async with self._database.writing() as connection:
            digests = [bytes(row.digest) for row in await connection.execute(ended)]
            if digests:
                await connection.execute(delete(callers).where(callers.c.principal == principal))
        return digests

    async def _make_room(self, connection: AsyncConnection) -> None:
        excess = (await connection.scalar(select(func.count()).select_from(callers)) or 0) - self._most
        if excess > 0:
            order = (callers.c.is_vouched, callers.c.fades_at_s, callers.c.principal)
            least = select(callers.c.principal).order_by(*order).limit(excess)
            await connection.execute(delete(callers).where(callers.c.principal.in_(least)))

    def _row(self, record: Record) -> dict[str, Any]:
        fades_at_s = max(record.created_at_s, record.history.fades_at_s(self._half_life_days))
        own = {name: getattr(record, name) for name in _OWN}
        return {**own, **msgspec.structs.asdict(record.history), "fades_at_s": fades_at_s}


@asynccontextmanager
async def open_callers(
    url: str, *, most: int = MOST_CALLERS, half_life_days: float = StandingPlan().half_life_days
) -> AsyncIterator[CallerStore]:
    """Open (making or migrating as needed) the callers at `url`, sqlite:///PATH.

    Raises StorageUnavailableError (so does the store, for a file that fails while it is used) and DatabaseTooNewError.
    """
    with told_in_a_sentence(url, while_opening=True):
        database = open_database(url)
    try:
        with told_in_a_sentence(url, while_opening=True):
            await migrate(database, CALLERS)
        yield CallerStore(database, most=most, half_life_days=half_life_days)
    finally:
        await database.close()


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    own = {name: getattr(row, name) for name in _OWN}
    history = History(**{name: getattr(row, name) for name in _HISTORY})
    return Record(**{**own, "principal": UserId(row.principal), "role": Role(row.role)}, history=history)


def _issued(row: Row[*tuple[Any, ...]]) -> IssuedKey:
    return IssuedKey(
        digest=bytes(row.digest), principal=UserId(row.principal), name=row.name, issued_at_s=row.issued_at_s
    )
