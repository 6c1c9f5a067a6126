"""What an operator does with callers of a gate: list them, and vouch for those who are known from elsewhere.

The same acts serve the command line directly and, while the gate runs, through
its control socket. A caller is named by principal; the key that it shows stays
with whoever typed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, standing_of
from tidegate.ports.journal import Journal
from tidegate.services.reputation import Reputation

MOST_LISTED = 10_000
"""Callers in one answer."""


class UnknownCallerError(Exception):
    """Nothing is known of this caller."""


class ListCallers(msgspec.Struct, kw_only=True, tag_field="act", tag="list_callers"):
    """Those who were served last, or came last."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED)] = 100


class VouchForCaller(msgspec.Struct, kw_only=True, tag_field="act", tag="vouch_for_caller"):
    """Give a caller an operator's word, or take it back; with `may_be_new` also to one who never called."""

    principal: str
    is_withdrawn: bool = False
    may_be_new: bool = False


CallerAct = ListCallers | VouchForCaller


class KnownCaller(msgspec.Struct, frozen=True, kw_only=True):
    """How well a caller is known now.

    `served_days` are those that still count. `last_served_at_s` is exact to the day; None: never served.
    """

    principal: UserId
    standing: Standing
    is_vouched: bool
    served_days: float
    first_seen_at_s: float
    last_served_at_s: float | None


class Callers(msgspec.Struct, frozen=True, kw_only=True):
    """Does the acts. `recent` reads the store's latest records; `fingerprint` makes keyed hashes for the log."""

    reputation: Reputation
    recent: Callable[[int], Awaitable[list[Record]]]
    journal: Journal
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]

    async def perform(self, act: CallerAct) -> KnownCaller | list[KnownCaller]:
        """Do whichever act this is. Raises what `vouch` and `latest` do, or ValueError naming the field."""
        match act:
            case ListCallers():
                return await self.latest(act.limit)
            case VouchForCaller():
                principal = principal_from(act.principal)
                return await self.vouch(principal, is_withdrawn=act.is_withdrawn, may_be_new=act.may_be_new)

    async def latest(self, limit: int) -> list[KnownCaller]:
        """Those who were served or came last, and how well they are known. Raises StorageUnavailableError."""
        # First written, so that nobody is missing who came since the last time.
        await self.reputation.flush()
        kept = await self.recent(limit)
        return [self._described(self.reputation.register.record(record.principal) or record) for record in kept]

    async def vouch(self, principal: UserId, *, is_withdrawn: bool = False, may_be_new: bool = False) -> KnownCaller:
        """Give an operator's word for a caller, or take it back; kept when this returns.

        Raises UnknownCallerError when nothing is known of the caller, unless it `may_be_new`, and
        StorageUnavailableError.
        """
        record = await self.reputation.find(principal)
        if record is None:
            if not may_be_new or is_withdrawn:
                msg = f"caller: nothing is known of {principal}"
                raise UnknownCallerError(msg)
            record = Record.of_caller(principal, self.clock())
        await self.reputation.vouch_record(record, is_vouched=not is_withdrawn)
        tag = Tag.ACCOUNT_VOUCH_WITHDRAWN if is_withdrawn else Tag.ACCOUNT_VOUCHED
        self.journal.record(AccountChanged(t=self.clock(), event=tag, acct=self.fingerprint(principal)))
        worded = (self.reputation.register.record(principal) or record).with_word(is_vouched=not is_withdrawn)
        return self._described(worded)

    def _described(self, record: Record) -> KnownCaller:
        now, plan = self.clock(), self.reputation.register.plan
        days = record.history.days_at(now, plan.half_life_days)
        return KnownCaller(
            principal=record.principal,
            standing=standing_of(record, plan, now),
            is_vouched=record.is_vouched,
            served_days=round(days, 2),
            first_seen_at_s=record.created_at_s,
            last_served_at_s=record.history.seen_at_s or None,
        )


def principal_from(text: str) -> UserId:
    """Read a caller's name. Raises ValueError naming the field, and not repeating what may be a key."""
    try:
        return UserId(text)
    except ValueError:
        msg = (
            "caller: expected the name that 'callers list' shows, usr_ and hex digits; a key is given with --key-stdin"
        )
        raise ValueError(msg) from None
