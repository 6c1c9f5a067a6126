"""Those who asked to be let in, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.invitations import row_of
from tidegate.adapters.sql.tables import invites, join_requests, users
from tidegate.core.identifiers import Fingerprint, JoinRequestId
from tidegate.core.registration.invites import Invite
from tidegate.core.registration.names import canonical
from tidegate.core.registration.requests import JoinRequest, RequestKind
from tidegate.ports.invitations import Waiting, Wanted

if TYPE_CHECKING:
    from sqlalchemy import Row

_BATCH: Final = 500
"""Rows of one statement: both databases bound how many parameters it may have."""

_OWN: Final = [join_requests.c[name] for name in JoinRequest.__struct_fields__]
_ORDER: Final = (join_requests.c.place, join_requests.c.id)


class SqlJoinRequestStore:
    """A JoinRequestStore in SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Use `database`, already migrated."""
        self._database = database

    async def leave(self, request: JoinRequest, *, most: int) -> bool:
        """Keep a request, or renew the one of its kind and box; False when there are `most` that have not expired."""
        async with self._database.writing() as connection:
            await connection.execute(delete(join_requests).where(join_requests.c.expires_at_s <= request.asked_at_s))
            # Asked of whoever renews as well: the answer must not tell who is here already.
            if (await connection.scalar(select(func.count()).select_from(join_requests)) or 0) >= most:
                return False
            insertion = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            written, row = insertion(join_requests), _row(request)
            is_no = and_(join_requests.c.box == row["box"], join_requests.c.is_refused)
            row["is_refused"] = await connection.scalar(select(func.count()).where(is_no)) != 0
            renewed = {"expires_at_s": written.excluded.expires_at_s}
            await connection.execute(written.on_conflict_do_update(index_elements=["box", "kind"], set_=renewed), [row])
        return True

    async def requests(self, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """At most `limit` that nobody has answered, in their order."""
        return await self._read(_is_open(kind, now), limit)

    async def wanted(self, wanted: Wanted, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """Those of them that are meant, in their order."""
        is_meant: list[ColumnElement[bool]] = [join_requests.c.id.in_(wanted.ids[:_BATCH])]
        if wanted.domain is not None:
            is_meant.append(join_requests.c.domain == wanted.domain)
        if wanted.net is not None:
            is_meant.append(join_requests.c.net == wanted.net)
        return await self._read(and_(_is_open(kind, now), or_(*is_meant)), limit)

    async def count(self, kind: RequestKind, now: float) -> int:
        """How many nobody has answered."""
        query = select(func.count()).select_from(join_requests).where(_is_open(kind, now))
        async with self._database.reading() as connection:
            return await connection.scalar(query) or 0

    async def approve(self, made: Sequence[tuple[JoinRequestId, Invite, bytes]]) -> list[JoinRequestId]:
        """Put an invitation, under its digest, in the place of each request that is still there; answers which."""
        approved: list[JoinRequestId] = []
        async with self._database.writing() as connection:
            for start in range(0, len(made), _BATCH):
                batch = made[start : start + _BATCH]
                ids = [request_id for request_id, _, _ in batch]
                removed = delete(join_requests).where(join_requests.c.id.in_(ids)).returning(join_requests.c.id)
                gone = set(await connection.scalars(removed))
                rows = [row_of(invite, digest) for request_id, invite, digest in batch if request_id in gone]
                approved.extend(request_id for request_id in ids if request_id in gone)
                if rows:
                    await connection.execute(insert(invites), rows)
        return approved

    async def remove(self, ids: Sequence[JoinRequestId]) -> None:
        """Forget requests."""
        async with self._database.writing() as connection:
            for start in range(0, len(ids), _BATCH):
                is_meant = join_requests.c.id.in_(ids[start : start + _BATCH])
                await connection.execute(delete(join_requests).where(is_meant))

    async def refuse(self, ids: Sequence[JoinRequestId]) -> int:
        """Say no; answers to how many."""
        refused = 0
        table = join_requests.c
        async with self._database.writing() as connection:
            for start in range(0, len(ids), _BATCH):
                is_meant = and_(table.id.in_(ids[start : start + _BATCH]), table.is_refused.is_(False))
                boxes = list(await connection.scalars(select(table.box).where(is_meant)))
                refused += len(boxes)
                is_theirs = table.box.in_(boxes)
                await connection.execute(update(join_requests).where(is_theirs).values(is_refused=True))
        return refused

    async def _read(self, is_meant: ColumnElement[bool], limit: int) -> list[Waiting]:
        query = (
            select(*_OWN, users.c.id.label("account"))
            .select_from(join_requests.outerjoin(users, users.c.email == join_requests.c.email))
            .where(is_meant)
            .order_by(*_ORDER)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return [Waiting(request=_request(row), has_account=row.account is not None) for row in rows]


def _is_open(kind: RequestKind, now: float) -> ColumnElement[bool]:
    table = join_requests.c
    return and_(table.kind == kind.value, table.is_refused.is_(False), table.expires_at_s > now)


def _row(request: JoinRequest) -> dict[str, Any]:
    own = msgspec.structs.asdict(request)
    domain = request.email.rpartition("@")[2]
    return {**own, "kind": request.kind.value, "box": canonical(request.email), "domain": domain}


def _request(row: Row[*tuple[Any, ...]]) -> JoinRequest:
    columns = {name: row._mapping[name] for name in JoinRequest.__struct_fields__}  # noqa: SLF001 - documented access
    return JoinRequest(
        **{
            **columns,
            "id": JoinRequestId(columns["id"]),
            "kind": RequestKind(columns["kind"]),
            "net": None if columns["net"] is None else Fingerprint(columns["net"]),
        }
    )
