"""Passwords are hashed in one thread with a short queue, at the same price for everybody, and bad ones are refused."""

from __future__ import annotations

import asyncio
import threading
import unicodedata
from collections.abc import Iterator

import argon2
import pytest

from tests.hashing import Gated
from tidegate.services.passwords import HASHER, PASSWORD_LENGTH, PasswordLane, PasswordsBusyError, checked
from tidegate.testing.clock import until

PASSWORD = "a tide waits for nobody"


@pytest.fixture
def hasher() -> Gated:
    return Gated()


@pytest.fixture
def lane(hasher: Gated) -> Iterator[PasswordLane]:
    made = PasswordLane(max_waiting=2, hasher=hasher)
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
    lane = PasswordLane(max_waiting=2, hasher=hasher)
    hashing = [asyncio.ensure_future(lane.hash(PASSWORD)) for _ in range(3)]
    await until(lambda: hasher.begun == 1)
    closing = asyncio.get_running_loop().run_in_executor(None, lane.close)
    await until(lambda: hashing[1].done() and hashing[2].done())
    hasher.let.set()

    await closing
    assert await hashing[0]
    assert hashing[1].cancelled()
    assert hashing[2].cancelled()
