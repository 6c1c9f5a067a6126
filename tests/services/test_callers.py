"""An operator sees who calls, and a word for one of them counts at once and lasts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256

import pytest

from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, SERVED_DAY_TOKENS
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.callers import Callers, KnownCaller, ListCallers, UnknownCallerError, VouchForCaller
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.standing import MemoryCallerStore


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class Store(MemoryCallerStore):
    """Fails to write while told so."""

    is_broken = False

    async def save(self, records: Sequence[Record]) -> None:
        if self.is_broken:
            msg = "the disk is full"
            raise StorageUnavailableError(msg)
        await super().save(records)


class Gate:
    """The acts over fakes; `restarted` is the next process on the same store."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Store()
        self.journal = RecordingJournal()
        self.callers = self.restarted()

    def restarted(self) -> Callers:
        self.reputation = Reputation(self.store, Register(StandingPlan(), 100), self.clock)
        self.callers = Callers(
            reputation=self.reputation,
            recent=self.store.recent,
            journal=self.journal,
            fingerprint=_fingerprint,
            clock=self.clock,
        )
        return self.callers

    def came(self) -> UserId:
        principal = UserId.of(os.urandom(8))
        self.reputation.register.change(Record.of_caller(principal, self.clock()))
        return principal

    def serve(self, principal: UserId, days: int) -> None:
        for day in range(days):
            self.clock.advance(DAY_S if day else 0.0)
            self.reputation.served(principal, SERVED_DAY_TOKENS, 1)

    async def listed(self, limit: int = 100) -> list[KnownCaller]:
        found = await self.callers.perform(ListCallers(limit=limit))
        assert isinstance(found, list)
        return found


@pytest.fixture
async def gate() -> Gate:
    return Gate()


async def test_a_list_tells_what_is_known_of_each_caller_at_this_moment(gate: Gate) -> None:
    """Also of those who came since anything was written, and what was counted since."""
    seen_at_s = gate.clock()
    old, new = gate.came(), gate.came()
    await gate.reputation.flush()
    gate.serve(old, 4)
    late = gate.came()

    listed = {caller.principal: caller for caller in await gate.listed()}

    assert listed[old] == KnownCaller(
        principal=old,
        standing=Standing.MEMBER,
        is_vouched=False,
        served_days=4.0,
        first_seen_at_s=seen_at_s,
        last_served_at_s=gate.clock(),
    )
    assert (listed[new].standing, listed[new].served_days) == (Standing.NEWCOMER, 0.0)
    assert (listed[new].last_served_at_s, listed[late].first_seen_at_s) == (None, gate.clock())
    assert len(await gate.listed(2)) == 2
    gate.clock.advance(61 * DAY_S)
    days = {caller.principal: caller.served_days for caller in await gate.listed()}
    assert days == {old: 2.0, new: 0.0, late: 0.0}, "those that still count"


async def test_what_cannot_be_written_now_is_listed_as_far_as_it_is_kept(gate: Gate) -> None:
    kept = gate.came()
    await gate.reputation.flush()
    gate.serve(kept, 3)
    gate.store.is_broken = True

    assert [(caller.principal, caller.served_days) for caller in await gate.listed()] == [(kept, 3.0)]


async def test_a_word_establishes_a_caller_until_it_is_taken_back(gate: Gate) -> None:
    principal = gate.came()

    given = await gate.callers.perform(VouchForCaller(principal=principal))
    gate.restarted()
    assert await gate.listed() == [given]
    assert isinstance(given, KnownCaller)
    assert (given.standing, given.is_vouched) == (Standing.ESTABLISHED, True)

    withdrawn = await gate.callers.perform(VouchForCaller(principal=principal, is_withdrawn=True))
    gate.restarted()
    assert await gate.listed() == [withdrawn]
    assert isinstance(withdrawn, KnownCaller)
    assert (withdrawn.standing, withdrawn.is_vouched) == (Standing.NEWCOMER, False)


async def test_what_a_caller_earned_stays_when_a_word_is_given(gate: Gate) -> None:
    principal = gate.came()
    gate.serve(principal, 3)
    await gate.reputation.flush()
    gate.restarted()

    caller = await gate.callers.vouch(principal)

    assert (caller.served_days, (await gate.listed())[0].served_days) == (3.0, 3.0)


async def test_a_word_for_one_who_never_called_makes_what_is_known_of_it(gate: Gate) -> None:
    principal = UserId.of(os.urandom(8))

    caller = await gate.callers.perform(VouchForCaller(principal=principal, may_be_new=True))

    assert caller == KnownCaller(
        principal=principal,
        standing=Standing.ESTABLISHED,
        is_vouched=True,
        served_days=0.0,
        first_seen_at_s=gate.clock(),
        last_served_at_s=None,
    )
    assert gate.reputation.register.standing(principal, gate.clock()) is Standing.ESTABLISHED
    assert [record.is_vouched for record in await gate.store.find([principal])] == [True]


@pytest.mark.parametrize("is_withdrawn", [False, True])
async def test_a_name_of_nobody_is_told_so_and_makes_nothing(gate: Gate, is_withdrawn: bool) -> None:
    """It was mistyped: a word for it would help nobody."""
    nobody = UserId.of(os.urandom(8))

    with pytest.raises(UnknownCallerError, match=nobody):
        await gate.callers.vouch(nobody, is_withdrawn=is_withdrawn, may_be_new=is_withdrawn)
    with pytest.raises(ValueError, match="--key-stdin") as refusal:
        await gate.callers.perform(VouchForCaller(principal="sk-secret"))

    assert "sk-secret" not in str(refusal.value)
    assert (await gate.listed(), gate.journal.events) == ([], [])


async def test_the_log_says_for_whom_a_word_was_given_by_fingerprint(gate: Gate) -> None:
    principal = gate.came()
    await gate.callers.vouch(principal)
    await gate.callers.vouch(principal, is_withdrawn=True)

    acct = _fingerprint(principal)
    assert gate.journal.events == [
        AccountChanged(t=gate.clock(), event=tag, acct=acct)
        for tag in (Tag.ACCOUNT_VOUCHED, Tag.ACCOUNT_VOUCH_WITHDRAWN)
    ]


async def test_a_word_that_cannot_be_kept_is_said_to_be_so_and_not_logged(gate: Gate) -> None:
    principal = gate.came()
    gate.store.is_broken = True

    with pytest.raises(StorageUnavailableError):
        await gate.callers.vouch(principal)

    assert gate.journal.events == []
