"""A caller hears nothing at first, then where it stands, and is refused when its patience ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.admitting import an_admission, claim_of
from tidegate.core.admission.claims import Place, Waiting
from tidegate.services.admission import Admission
from tidegate.services.lane import OverloadedError
from tidegate.services.line import QUIET_S, UNTOLD_S, Line
from tidegate.testing.clock import HandClock


class Scene:
    """One place, held by somebody. Sleeping moves the clock, and does on the way what a test has planned."""

    def __init__(self) -> None:
        self.clock = HandClock(100.0)
        self.slept: list[float] = []
        self.then: Callable[[], object] = list
        self.admission: Admission = an_admission(self.clock, 1, 8, sleep=self._sleep)
        self.held = self.admission.take(claim_of("held"))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.then()
        await asyncio.sleep(0)

    def line(self, quiet_s: float, patience_s: float = 60.0) -> Line:
        self.ticket = self.admission.take(claim_of("ana", patience_s=patience_s))
        return Line(self.admission, self.ticket, quiet_s)


async def test_a_free_place_is_taken_without_a_word_and_without_waiting() -> None:
    scene = Scene()
    scene.admission.leave(scene.held)

    assert isinstance(await scene.line(QUIET_S).news(), Place)
    assert scene.slept == []


async def test_nothing_is_told_until_quiet_is_over_and_then_at_once() -> None:
    scene = Scene()
    line = scene.line(QUIET_S)

    first = await line.news()

    assert isinstance(first, Waiting)
    assert first == scene.admission.outlook(scene.ticket)
    assert scene.slept == [QUIET_S]


async def test_a_wait_that_goes_by_as_it_was_told_is_told_every_five_seconds() -> None:
    scene = Scene()
    line = scene.line(0.0, patience_s=1000.0)
    # As long as nothing changes the promise only comes nearer, second by second.
    told_at = []
    for _ in range(3):
        assert isinstance(await line.news(), Waiting)
        told_at.append(scene.clock.now)

    gaps = [later - earlier for earlier, later in pairwise(told_at)]
    assert all(1.0 <= gap <= 5.0 for gap in gaps)
    assert gaps[-1] == 5.0, "a wait of which nothing is left is told again all the same"


async def test_another_place_in_line_is_told_when_it_is_seen() -> None:
    scene = Scene()
    before = scene.admission.take(claim_of("bo"))
    line = scene.line(0.0)
    first = await line.news()
    assert isinstance(first, Waiting)
    assert first.position == 2

    scene.admission.leave(before)
    second = await line.news()

    assert isinstance(second, Waiting)
    assert (second.position, scene.slept) == (1, [0.0, 1.0] if scene.slept[0] == 0.0 else [1.0, 1.0])


async def test_patience_ends_with_an_honest_time_to_come_back() -> None:
    scene = Scene()
    line = scene.line(UNTOLD_S, patience_s=20.0)

    with pytest.raises(OverloadedError) as refused:
        await line.news()

    assert scene.slept == [20.0]
    outlook = scene.admission.outlook(scene.ticket)
    assert outlook is not None
    assert refused.value.retry_after_s == outlook.wait_s


async def test_a_caller_who_wants_the_whole_answer_is_told_of_no_wait() -> None:
    scene = Scene()
    line = scene.line(UNTOLD_S)
    scene.then = lambda: scene.admission.leave(scene.held)
    waiting = asyncio.create_task(line.news())
    await asyncio.sleep(0)

    assert isinstance(await waiting, Place)


async def test_all_waits_of_a_call_share_its_patience() -> None:
    scene = Scene()
    line = scene.line(0.0, patience_s=20.0)
    first = asyncio.create_task(line.news())
    await first
    scene.clock.advance(15.0)
    scene.admission.leave(scene.held)
    assert isinstance(await line.news(), Place)
    # The engine reads for a long time, and is taken away: none of that was waiting in line.
    scene.clock.advance(500.0)
    scene.admission.leave(scene.ticket)
    scene.held = scene.admission.take(claim_of("held"))
    line._ticket = scene.admission.take(claim_of("ana", patience_s=1000.0))

    async def wait_on() -> None:
        while isinstance(await line.news(), Waiting):
            pass

    with pytest.raises(OverloadedError):
        await wait_on()

    assert scene.clock.now - 100.0 == pytest.approx(520.0, abs=1.1)
