"""A StandingStore in memory, and records of accounts that are known well or badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from tidegate.core.accounts import Role, User
from tidegate.core.callers import IssuedKey
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, History
from tidegate.core.standing.record import Record
from tidegate.ports.accounts import AccountStore


class MemoryStandingStore:
    """Records for as long as the object lives; `calls` counts each method's calls by name."""

    def __init__(self, accounts: AccountStore) -> None:
        """Start empty; `accounts` says which users there are."""
        self.calls: Counter[str] = Counter()
        self._accounts = accounts
        self._saved: dict[UserId, Record] = {}

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something."""
        self.calls["best_known"] += 1
        found = [self._record(user) for user in await self._accounts.users()]
        return sorted(filter(_has_earned, found), key=_order)[:limit]

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are users, in the order asked."""
        self.calls["find"] += 1
        found = [await self._accounts.user(principal) for principal in principals]
        return [self._record(user) for user in found if user is not None]

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept."""
        self.calls["save"] += 1
        for record in records:
            if await self._accounts.user(record.principal) is not None:
                self._saved[record.principal] = record

    def _record(self, user: User) -> Record:
        made = Record.of(user)
        saved = self._saved.get(user.id, made)
        return msgspec.structs.replace(
            saved, role=made.role, created_at_s=made.created_at_s, member_since_s=made.member_since_s
        )


class MemoryCallerStore:
    """Records of callers without accounts and their keys, for as long as the object lives."""

    def __init__(self) -> None:
        """Start empty."""
        self.calls: Counter[str] = Counter()
        self._saved: dict[UserId, Record] = {}
        self._issued: dict[bytes, IssuedKey] = {}

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something."""
        return sorted(filter(_has_earned, self._saved.values()), key=_order)[:limit]

    async def recent(self, limit: int) -> list[Record]:
        """At most `limit` records: who was served or came last first."""
        return sorted(self._saved.values(), key=_latest)[:limit]

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are known, in the order asked."""
        return [self._saved[principal] for principal in principals if principal in self._saved]

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept, or add to it."""
        self._saved.update((record.principal, record) for record in records)

    async def issue(self, key: IssuedKey) -> None:
        """Have a key count from now on."""
        self._issued[key.digest] = key

    async def issued(self, digest: bytes) -> IssuedKey | None:
        """The key with this digest, if it counts."""
        self.calls["issued"] += 1
        return self._issued.get(digest)

    async def issued_to(self, principals: Sequence[UserId]) -> list[IssuedKey]:
        """The keys of these callers that count."""
        return [key for key in self._issued.values() if key.principal in principals]

    async def revoke(self, principal: UserId) -> list[bytes]:
        """End all keys of a caller, and forget what is known of it."""
        digests = [key.digest for key in await self.issued_to([principal])]
        for digest in digests:
            del self._issued[digest]
        if digests:
            self._saved.pop(principal, None)
        return digests


def a_record(
    principal: UserId, standing: Standing, now: float, *, net: Fingerprint | None = None, peak: float = 1.0
) -> Record:
    """The record of an account that has this standing at `now` by the default plan, and keeps it for a day."""
    is_old = standing in {Standing.MEMBER, Standing.ESTABLISHED}
    made_at_s = now - (100 * DAY_S if is_old else 0.0)
    days = {Standing.ESTABLISHED: 50.0, Standing.MEMBER: 4.0}.get(standing, 0.0)
    user = User(
        id=principal,
        email="somebody@example.org",
        role=Role.OPERATOR if standing is Standing.OPERATOR else Role.USER,
        created_at_s=made_at_s,
        member_since_s=made_at_s,
    )
    return msgspec.structs.replace(
        Record.of(user, net, is_born_in_flood=standing is Standing.VISITOR),
        suspect_until_s=now + DAY_S if standing is Standing.SUSPECT else None,
        history=History(days=days, peak=peak, last_day=int(now // DAY_S), counted_at_s=now) if days else History(),
    )


def _has_earned(record: Record) -> bool:
    return record.role is Role.OPERATOR or record.is_vouched or record.history.days > 0.0


def _order(record: Record) -> tuple[bool, bool, float, float, str]:
    history = record.history
    return (
        record.role is not Role.OPERATOR,
        not record.is_vouched,
        -history.days,
        -history.counted_at_s,
        record.principal,
    )


def _latest(record: Record) -> tuple[float, str]:
    return -max(record.created_at_s, record.history.seen_at_s), record.principal
