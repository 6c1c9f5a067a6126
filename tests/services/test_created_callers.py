"""An operator makes callers with keys of the gate's own and ends them, where such keys count."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tidegate.core.credentials import Genuine, Kind, ServerKeys, read
from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.services.callers import (
    Callers,
    CreateCaller,
    CreatedCaller,
    KnownCaller,
    ListCallers,
    NotIssuingError,
    RevokeCaller,
    RevokedCaller,
    UnknownCallerError,
    VouchForCaller,
)
from tidegate.services.issuing import Issuing
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.standing import MemoryCallerStore

KEYS = ServerKeys(1, {1: b"k" * 32})


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class Desk:
    """The acts over fakes."""

    def __init__(self, *, is_issuing: bool = True) -> None:
        clock, store = HandClock(), MemoryCallerStore()
        self.journal = RecordingJournal()
        self.reputation = Reputation(store, Register(StandingPlan(), 100), clock)
        self.callers = Callers(
            reputation=self.reputation,
            recent=store.recent,
            journal=self.journal,
            fingerprint=_fingerprint,
            clock=clock,
            issuing=Issuing(store, KEYS, self.reputation, clock) if is_issuing else None,
        )

    async def created(self, name: str = "") -> CreatedCaller:
        created = await self.callers.perform(CreateCaller(name=name))
        assert isinstance(created, CreatedCaller)
        return created

    async def listed(self) -> list[KnownCaller]:
        found = await self.callers.perform(ListCallers())
        assert isinstance(found, list)
        return found


async def test_a_caller_is_made_listed_by_its_name_and_vouched_for() -> None:
    desk = Desk()
    desk.reputation.register.change(Record.of_caller(UserId.of(b"passed  "), 0.0))
    created = await desk.created("  nightly reports ")

    key = read(created.key, Kind.API_KEY, KEYS)
    assert isinstance(key, Genuine)
    assert (key.principal, created.name) == (created.principal, "nightly reports")
    listed = {caller.principal: caller for caller in await desk.listed()}
    assert [listed[created.principal].name, listed[UserId.of(b"passed  ")].name] == ["nightly reports", None]
    assert listed[created.principal].last_served_at_s is None
    vouched = await desk.callers.perform(VouchForCaller(principal=created.principal))
    assert isinstance(vouched, KnownCaller)
    assert (vouched.standing, vouched.name) == (Standing.ESTABLISHED, "nightly reports")


async def test_a_revoked_caller_is_gone_and_cannot_be_revoked_again() -> None:
    desk = Desk()
    first, other = await desk.created("a"), await desk.created("b")

    revoked = await desk.callers.perform(RevokeCaller(principal=first.principal))

    assert revoked == RevokedCaller(principal=first.principal, keys=1)
    assert [caller.principal for caller in await desk.listed()] == [other.principal]
    with pytest.raises(UnknownCallerError, match=first.principal):
        await desk.callers.perform(RevokeCaller(principal=first.principal))
    events = [event for event in desk.journal.events if isinstance(event, AccountChanged)]
    told = [(event.event, event.acct) for event in events]
    made = [(Tag.KEY_CREATED, _fingerprint(one.principal)) for one in (first, other)]
    assert told == [*made, (Tag.KEY_REVOKED, _fingerprint(first.principal))]


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31m", "\u202e"])
async def test_a_name_that_no_list_could_show_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: "):
        await Desk().created(f"a{name}b")


async def test_a_revoked_caller_is_named_by_its_principal_only() -> None:
    with pytest.raises(ValueError, match=r"^caller: "):
        await Desk().callers.perform(RevokeCaller(principal="tg_live_something"))


async def test_where_keys_are_passed_on_none_is_made_that_would_count_for_nothing() -> None:
    desk = Desk(is_issuing=False)

    for act in (CreateCaller(), RevokeCaller(principal=UserId.of(b"somebody"))):
        with pytest.raises(NotIssuingError, match="upstream-key-env"):
            await desk.callers.perform(act)

    assert await desk.listed() == []
    assert desk.journal.events == []
