"""A key of the gate's own counts from when it is made to when it is ended, and costs the store next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tidegate.core.callers import IssuedKey
from tidegate.core.credentials import Genuine, Kind, ServerKeys, digest, read
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.issuing import Issuing
from tidegate.services.reputation import Reputation
from tidegate.testing.clock import HandClock
from tidegate.testing.standing import MemoryCallerStore

KEYS = ServerKeys(1, {1: b"k" * 32})


class Store(MemoryCallerStore):
    """Fails while told so, and answers about keys when it is let."""

    is_broken = False
    let: asyncio.Event | None = None

    async def issued(self, digest: bytes) -> IssuedKey | None:
        self._check()
        found = await super().issued(digest)
        if self.let is not None:
            await self.let.wait()
        return found

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        self._check()
        return await super().find(principals)

    def _check(self) -> None:
        if self.is_broken:
            msg = "the disk is gone"
            raise StorageUnavailableError(msg)


class Office:
    """Issuing over fakes; `restarted` is the next process on the same store."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.store = Store()
        self.dead: list[bytes] = []
        self.issuing = self.restarted()

    def restarted(self, most: int = 100) -> Issuing:
        self.reputation = Reputation(self.store, Register(StandingPlan(), 100), self.clock)
        self.issuing = Issuing(self.store, KEYS, self.reputation, self.clock, most=most)
        self.issuing.dead = self.dead.append
        return self.issuing

    async def created(self, name: str = "") -> Genuine:
        _, text = await self.issuing.create(name)
        found = read(text, Kind.API_KEY, KEYS)
        assert isinstance(found, Genuine)
        return found


@pytest.fixture
async def office() -> Office:
    return Office()


async def test_a_key_says_whose_it_is_and_only_its_digest_is_kept(office: Office) -> None:
    principal, text = await office.issuing.create("nightly")

    key = read(text, Kind.API_KEY, KEYS)
    assert isinstance(key, Genuine)
    assert key.principal == principal
    kept = await office.store.issued(digest(text))
    assert kept == IssuedKey(digest=digest(text), principal=principal, name="nightly", issued_at_s=office.clock())
    assert text not in repr(kept)
    assert await office.issuing.names([principal]) == {principal: "nightly"}


async def test_each_caller_is_somebody_of_its_own(office: Office) -> None:
    first, second = await office.created(), await office.created()

    assert first.principal != second.principal
    records = await office.store.find([first.principal, second.principal])
    assert [record.cohort for record in records] == [first.principal, second.principal]


async def test_a_key_in_use_is_asked_for_once(office: Office) -> None:
    key = await office.created()

    assert [await office.issuing.is_live(key) for _ in range(5)] == [True] * 5

    assert office.store.calls["issued"] == 1
    assert office.dead == []


async def test_an_ended_key_counts_no_more_and_the_gate_is_told(office: Office) -> None:
    key, other = await office.created(), await office.created()
    assert await office.issuing.is_live(key)

    assert await office.issuing.revoke(key.principal) == 1

    assert office.dead == [key.digest]
    assert not await office.issuing.is_live(key)
    assert await office.issuing.is_live(other)
    assert office.reputation.register.record(key.principal) is None
    assert await office.issuing.revoke(key.principal) == 0
    assert not await office.restarted().is_live(key)


async def test_a_key_that_was_never_issued_does_not_count_whoever_signed_it(office: Office) -> None:
    """The same data directory may have made keys of accounts."""
    unknown = Genuine(UserId.of(b"account "), 1, b"d" * 32)

    assert not await office.issuing.is_live(unknown)

    assert office.dead == [unknown.digest]
    assert office.issuing.remembered == 0
    assert office.reputation.register.record(unknown.principal) is None


async def test_a_key_that_is_ended_while_it_is_looked_up_is_not_remembered(office: Office) -> None:
    key = await office.created()
    office.store.let = asyncio.Event()
    looking = asyncio.create_task(office.issuing.is_live(key))
    await asyncio.sleep(0)
    assert office.store.calls["issued"] == 1

    await office.issuing.revoke(key.principal)
    office.store.let.set()
    await looking

    assert not await office.issuing.is_live(key)


async def test_whoever_was_forgotten_is_known_again_with_what_they_had(office: Office) -> None:
    key = await office.created()
    record = (await office.store.find([key.principal]))[0]
    await office.store.save([record.with_word(is_vouched=True)])

    assert await office.restarted().is_live(key)

    found = office.reputation.register.record(key.principal)
    assert found is not None
    assert found.is_vouched


async def test_whoever_the_store_has_forgotten_begins_anew(office: Office) -> None:
    key = await office.created()
    office.store._saved.clear()

    assert await office.restarted().is_live(key)

    found = office.reputation.register.record(key.principal)
    assert found == Record.of_caller(key.principal, office.clock())


async def test_a_failing_store_refuses_nobody_who_was_found_before(office: Office) -> None:
    known, unknown = await office.created(), await office.created()
    assert await office.issuing.is_live(known)
    office.reputation.register.forget(known.principal)

    office.store.is_broken = True

    assert await office.issuing.is_live(known)
    assert office.reputation.failures == 1
    with pytest.raises(StorageUnavailableError):
        await office.issuing.is_live(unknown)


async def test_no_more_keys_are_remembered_than_there_is_room_for(office: Office) -> None:
    keys = [await office.created() for _ in range(4)]
    issuing = office.restarted(most=2)
    assert await issuing.is_live(keys[0])
    assert await issuing.is_live(keys[1])
    assert await issuing.is_live(keys[0])
    assert await issuing.is_live(keys[2])
    assert issuing.remembered == 2

    office.store.calls.clear()
    assert await issuing.is_live(keys[0])
    assert office.store.calls["issued"] == 0
    assert await issuing.is_live(keys[1])
    assert office.store.calls["issued"] == 1
