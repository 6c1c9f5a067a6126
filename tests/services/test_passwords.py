"""Passwords are hashed in one thread with a short queue, at the same price for everybody, and bad ones are refused."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Iterator

import argon2
import pytest

from tests.hashing import Gated
from tidegate.core.entering.line import LinePlan
from tidegate.core.entering.places import Place
from tidegate.services.passwords import HASHER, PASSWORD_LENGTH, PasswordLane, PasswordsBusyError, checked
from tidegate.testing.clock import until

SMALL = LinePlan(most_waiting=dict.fromkeys(Place, 2))
PASSWORD = "a tide waits for nobody"


@pytest.fixture
def hasher() -> Gated:
    return Gated()


@pytest.fixture
def lane(hasher: Gated) -> Iterator[PasswordLane]:
    made = PasswordLane(SMALL, hasher=hasher)
    yield made
    hasher.let.set()
    made.close()


async def test_a_hash_is_argon2id_at_the_known_price_and_verifies_its_password_only() -> None:
    lane = PasswordLane()
    stored = await lane.hash(PASSWORD)

    assert argon2.extract_parameters(stored) == argon2.Parameters(
        type=argon2.Type.ID, version=19, salt_len=16, hash_len=32, time_cost=2, memory_cost=19456, parallelism=1
    )
    assert PASSWORD not in stored
    assert await lane.verify(stored, PASSWORD)
    assert not await lane.verify(stored, PASSWORD + ".")
    assert not await lane.verify("no hash at all", PASSWORD)
    lane.close()


async def test_the_event_loop_goes_on_and_one_thread_does_all_the_work(lane: PasswordLane, hasher: Gated) -> None:
    hashing = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)
    assert not any(one.done() for one in hashing)

    hasher.let.set()

    assert len(set(await asyncio.gather(*hashing))) == 3
    assert len(hasher.threads) == 1
    assert threading.get_ident() not in hasher.threads


async def test_beyond_the_queue_a_password_is_turned_away_at_once_with_a_time(
    lane: PasswordLane, hasher: Gated
) -> None:
    hashing = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)

    for turned_away in (lane.hash(PASSWORD), lane.verify(None, PASSWORD)):
        with pytest.raises(PasswordsBusyError) as busy:
            await turned_away
        assert 0 < busy.value.retry_after_s < 60
    with pytest.raises(PasswordsBusyError):
        lane.require_room()

    hasher.let.set()
    await asyncio.gather(*hashing)
    lane.require_room()
    assert await lane.hash(PASSWORD)


async def test_a_full_lane_does_not_even_look_at_a_password(
    lane: PasswordLane, hasher: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand accents take milliseconds to compose, and nobody else has the event loop meanwhile."""
    marks = "a" + "\u0301\u0323" * 500
    waiting = [asyncio.create_task(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)
    for turned_away in (lane.hash(marks), lane.verify(None, marks)):
        with monkeypatch.context() as patched:
            patched.setattr(unicodedata, "normalize", None)
            with pytest.raises(PasswordsBusyError):
                await turned_away

    hasher.let.set()
    await asyncio.gather(*waiting)


async def test_callers_who_leave_give_their_places_back(lane: PasswordLane, hasher: Gated) -> None:
    """The one that runs cannot be stopped and keeps its place until it ends; those that wait go at once."""
    hashing = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)
    for one in hashing:
        one.cancel()
    await asyncio.gather(*hashing, return_exceptions=True)

    later = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(PasswordsBusyError):
        lane.require_room()
    hasher.let.set()

    await asyncio.gather(*later)
    assert hasher.begun == 3, "what was cancelled while it waited was hashed all the same"
    lane.require_room()


@pytest.mark.parametrize("password", [PASSWORD, "", "x" * 1025, "half a pair \ud83d of it"])
async def test_nobodys_password_takes_the_same_work_and_is_always_wrong(password: str) -> None:
    hasher = Gated()
    hasher.let.set()
    lane = PasswordLane(hasher=hasher)
    stored = await lane.hash(PASSWORD)

    assert not await lane.verify(None, password)
    await lane.verify(stored, password)

    nobodys, _ = hasher.verified
    assert nobodys != stored
    assert argon2.extract_parameters(str(nobodys)) == argon2.extract_parameters(stored)
    lane.close()


def test_the_hash_of_nobody_has_the_price_of_a_real_one() -> None:
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

    assert not PasswordLane().is_outdated(HASHER.hash(PASSWORD))
    assert PasswordLane().is_outdated(cheap.hash(PASSWORD))


@pytest.mark.parametrize(
    "password", ["", "x" * 14, "x y z" * 206, "half a pair \ud83d of it"], ids=["none", "short", "long", "broken"]
)
async def test_a_password_out_of_bounds_is_refused_by_field_and_not_repeated(
    lane: PasswordLane, hasher: Gated, password: str
) -> None:
    with pytest.raises(ValueError, match=r"^password: ") as refused:
        await lane.hash(password)

    assert not password or password not in str(refused.value)
    assert "ud83d" not in str(refused.value)
    assert not hasher.begun


@pytest.mark.parametrize("length", PASSWORD_LENGTH)
def test_passwords_at_the_bounds_are_taken(length: int) -> None:
    assert checked(("many words of the sea " * 60)[:length])


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaaaaaaaaa",
        "1234123412341234",
        "abababababababa",
        "ana.b@example.org",
        "AnaB2024!!!!!!!",
        "ana.b-ana.b-ana.b",
    ],
)
def test_a_password_that_is_one_thing_again_and_again_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match=r"^password: too easy"):
        checked(password, "ana.b@example.org")


@pytest.mark.parametrize(
    "password", [PASSWORD, "192837465564738291", "anna and her boat are gone", "¿¡---...??==!!++#"]
)
def test_other_passwords_are_nobodys_business(password: str) -> None:
    assert checked(password, "ana.b@example.org") == password


async def test_one_keyboards_letters_are_anothers() -> None:
    """Composed or in parts, wide or narrow: NFKC (NIST SP 800-63B-4 section 3.1.1.2)."""
    lane = PasswordLane(hasher=argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    stored = await lane.hash("caf\u00e9 am Meer um vier")

    assert await lane.verify(stored, "cafe\u0301 am Meer um vier")
    assert not await lane.verify(stored, "cafe am Meer um vier")
    lane.close()


async def test_a_closed_lane_drops_what_waits(hasher: Gated) -> None:
    lane = PasswordLane(SMALL, hasher=hasher)
    hashing = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)
    closing = asyncio.get_running_loop().run_in_executor(None, lane.close)
    await until(lambda: hashing[1].done() and hashing[2].done())
    hasher.let.set()

    await closing
    assert await hashing[0]
    assert hashing[1].cancelled()
    assert hashing[2].cancelled()


async def test_while_attacked_strangers_wait_for_their_part_and_go_on_when_they_have_it(hasher: Gated) -> None:
    hasher.let.set()
    plan = LinePlan(attacked_part=0.5, attacked_burst_s=0.001, first_guess_s=0.001)
    lane = PasswordLane(plan, hasher=hasher)
    lane.is_attacked = lambda: True
    checking = [
        asyncio.ensure_future(lane.verify(None, PASSWORD, lane.claim(Place.STRANGER, str(number))))
        for number in range(5)
    ]

    assert await lane.verify(await lane.hash(PASSWORD), PASSWORD)
    assert await asyncio.gather(*checking) == [False] * 5
    assert lane.remembered == 0
    lane.close()


async def test_whoever_has_waited_too_long_is_told_to_come_again(hasher: Gated) -> None:
    now = 0.0
    lane = PasswordLane(LinePlan(patience_s=10.0), hasher=hasher, clock=lambda: now)
    running, waiting = (asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(2))
    await until(lambda: hasher.begun == 1)
    now = 11.0
    hasher.let.set()

    assert await running
    with pytest.raises(PasswordsBusyError):
        await waiting
    assert hasher.begun == 1
    lane.close()


async def test_a_stranger_who_has_to_make_room_is_told_so(hasher: Gated) -> None:
    lots = iter([0.5, 0.4, 0.9])
    lane = PasswordLane(LinePlan(most_waiting=dict.fromkeys(Place, 1)), hasher=hasher, draw=lambda: next(lots))
    checking = [asyncio.ensure_future(lane.verify(None, PASSWORD, lane.claim(Place.STRANGER))) for _ in range(3)]
    with pytest.raises(PasswordsBusyError) as busy:
        await checking[1]
    assert busy.value.retry_after_s > 0
    hasher.let.set()

    assert [await checking[0], await checking[2]] == [False, False]
    lane.close()


async def test_what_hashing_fails_with_is_raised_to_its_caller() -> None:
    class Broken(Gated):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            raise MemoryError

    lane = PasswordLane(hasher=Broken())
    with pytest.raises(MemoryError):
        await lane.hash(PASSWORD)
    lane.close()


def test_a_password_whose_loop_is_gone_ends_with_it_and_closing_says_nothing(hasher: Gated) -> None:
    lane = PasswordLane(hasher=hasher)

    async def leave() -> None:
        hashing = asyncio.ensure_future(lane.hash(PASSWORD))
        await until(lambda: hasher.begun == 1)
        hashing.cancel()

    asyncio.run(leave())
    hasher.let.set()
    lane.close()
