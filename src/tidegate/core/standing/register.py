"""What is known of the accounts that were here lately, in memory and within bounds.

At most `most` records are remembered. Accounts that have earned something and
strangers are remembered apart, and a stranger is forgotten first, unless there
are few: however many new accounts come, they push nobody out who was known
before. A forgotten account counts as a newcomer until its record is read again.

What changed stays until it is `saved`, also when its record is forgotten: at
most `most` of those too. When more change than that while nothing is saved, the
oldest change is given up and counted in `lost`.
"""

from __future__ import annotations

import math

from tidegate.core.accounts import Role
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, StandingPlan, standing_of

_OPERATOR = Role.OPERATOR

STRANGERS_PART = 8
"""Strangers keep one part in so many of what is remembered, when there is no room for all."""


class Register:
    """Records by account. Synchronous; holds no clock: `now` is told (Unix s). `plan` may be replaced at any time."""

    def __init__(self, plan: StandingPlan, most: int) -> None:
        """Know nobody yet."""
        if most < 1:
            msg = "most: expected at least 1"
            raise ValueError(msg)
        self.plan = plan
        self.most = most
        self.lost = 0
        # Both with the one that was touched longest ago first.
        self._earned: dict[UserId, Record] = {}
        self._strangers: dict[UserId, Record] = {}
        self._unsaved: dict[UserId, Record] = {}

    def __len__(self) -> int:
        """How many records are remembered, without changes that only wait to be saved."""
        return len(self._earned) + len(self._strangers)

    def know(self, record: Record) -> None:
        """Remember a record as it was read. A change that is not saved yet is newer, and stays."""
        self._keep(self._unsaved.get(record.principal, record))

    def change(self, record: Record) -> None:
        """Remember a record that is to be saved."""
        self._unsaved.pop(record.principal, None)
        self._unsaved[record.principal] = record
        if len(self._unsaved) > self.most:
            del self._unsaved[next(iter(self._unsaved))]
            self.lost += 1
        self._keep(record)

    def forget(self, principal: UserId) -> None:
        """Forget an account that is no more, with its changes."""
        for records in (self._earned, self._strangers, self._unsaved):
            records.pop(principal, None)

    def record(self, principal: UserId) -> Record | None:
        """What is known of an account. None says nothing about whether there is one. Asking touches nothing."""
        found = self._earned.get(principal) or self._strangers.get(principal)
        return self._unsaved.get(principal) if found is None else found

    def standing(self, principal: UserId, now: float) -> Standing:
        """How well an account is known, that is here now: as a newcomer, when nothing is known of it."""
        record = self.record(principal)
        if record is None:
            return Standing.NEWCOMER
        self._touch(principal)
        return standing_of(record, self.plan, now)

    def cohort(self, principal: UserId) -> str:
        """The group of linked sign-ups that an account belongs to; its own id when none is known."""
        record = self.record(principal)
        return principal if record is None else record.cohort

    def usual_in_flight(self, principal: UserId) -> int:
        """How many requests an account usually has in flight at the most; one when nothing is known of it."""
        record = self.record(principal)
        return 1 if record is None else usual_in_flight(record)

    def served(self, principal: UserId, cost_tokens: float, in_flight: int, now: float) -> None:
        """Count a request that was served, while so many of the account's were in flight, this one too.

        Nothing is counted for an account that is not known: it would have no age.
        """
        record = self.record(principal)
        if record is not None:
            self.change(record.with_served(cost_tokens, in_flight, now, self.plan))

    def find_against(self, principal: UserId, until_s: float) -> bool:
        """Take an account's standing at once. False when it is not known; read its record and ask again."""
        record = self.record(principal)
        if record is None:
            return False
        self.change(record.with_finding(until_s))
        return True

    def changed(self) -> list[Record]:
        """What is to be saved, the oldest change first. It stays until it is `saved`."""
        return list(self._unsaved.values())

    def saved(self, records: list[Record]) -> None:
        """These are in the store now. Whatever changed meanwhile is still to be saved."""
        for record in records:
            if self._unsaved.get(record.principal) is record:
                del self._unsaved[record.principal]

    def _keep(self, record: Record) -> None:
        self._earned.pop(record.principal, None)
        self._strangers.pop(record.principal, None)
        records = self._earned if self._has_earned(record) else self._strangers
        records[record.principal] = record
        if len(self) > self.most:
            crowded = self._strangers if len(self._strangers) > self.most // STRANGERS_PART else self._earned
            del crowded[next(iter(crowded))]

    def _touch(self, principal: UserId) -> None:
        for records in (self._earned, self._strangers):
            record = records.pop(principal, None)
            if record is not None:
                records[principal] = record
                return

    def _has_earned(self, record: Record) -> bool:
        days = record.history.days
        return record.role is _OPERATOR or record.is_vouched or (days > 0.0 and days >= self.plan.member_days)


def usual_in_flight(record: Record) -> int:
    """How many requests an account usually has in flight at the most; at least one."""
    return max(1, math.ceil(record.history.peak))
