"""Whoever must make room frees the engine at once, is told so, or waits again without knowing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from tests.admitting import an_admission, claim_of
from tidegate.core.admission.claims import Waiting
from tidegate.core.generation.call import ChatCall, Delta, Finished, FinishReason, Progress, Sampling, Turn
from tidegate.core.standing.classes import Standing
from tidegate.ports.engine import EngineUnavailableError
from tidegate.services.admission import Admission, CutShortError
from tidegate.services.generate import Answering, Told, answering
from tidegate.services.line import UNTOLD_S
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import FakeEngine, Hold, saying

CHAT = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling())
HALF = Delta(content="Half")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def admission(clock: HandClock) -> Admission:
    return an_admission(clock, 1, 4)


def asking(
    engine: FakeEngine,
    admission: Admission,
    name: str = "new",
    standing: Standing = Standing.NEWCOMER,
    *,
    quiet_s: float = UNTOLD_S,
) -> Answering:
    return answering(engine, admission, admission.take(claim_of(name, standing)), CHAT, quiet_s=quiet_s)


async def collect(generation: Answering) -> list[Told]:
    return [told async for told in generation.events()]


async def listen(generation: Answering, told: list[Told]) -> None:
    """Put down what is told when it is told."""
    async for event in generation.events():
        told.append(event)  # noqa: PERF401 - a test looks at it meanwhile


def assert_all_free(engine: FakeEngine, admission: Admission) -> None:
    scheduler = admission.scheduler
    assert (engine.running, scheduler.running, scheduler.waiting) == (0, 0, 0)
    assert (scheduler.owners, admission.remembered) == (0, 0)


async def test_an_answer_that_must_make_room_ends_at_once_and_says_when_to_come_back(admission: Admission) -> None:
    hold = Hold()
    engine = FakeEngine([HALF, hold, *saying("whole")])
    stranger = asking(engine, admission)
    reading = asyncio.create_task(collect(stranger))
    await hold.reached.wait()

    engine.script = saying("Yes")
    known = asking(engine, admission, "ana", Standing.ESTABLISHED)
    with pytest.raises(CutShortError) as cut:
        await reading

    assert cut.value.retry_after_s >= 1.0
    assert (await collect(known))[0] == Delta(content="Yes")
    assert (stranger.timing.deltas, stranger.timing.standing) == (1, Standing.NEWCOMER)
    assert_all_free(engine, admission)


async def test_an_answer_that_nobody_takes_makes_room_all_the_same(admission: Admission) -> None:
    """A caller that does not read what it is sent must not keep the place from those who are known."""
    engine = FakeEngine([HALF, *saying("whole")])
    stranger = asking(engine, admission)
    events = stranger.events()
    assert await anext(events) == HALF

    engine.script = saying("Yes")
    known = asking(engine, admission, "ana", Standing.ESTABLISHED)

    assert (await collect(known))[0] == Delta(content="Yes")
    assert engine.ended == 2
    with pytest.raises(CutShortError):
        await anext(events)
    assert_all_free(engine, admission)


async def test_an_answer_that_was_cut_and_is_never_looked_at_again_leaves_nothing(admission: Admission) -> None:
    engine = FakeEngine([HALF, *saying("whole")])
    stranger = asking(engine, admission)
    await stranger.begin()
    known = asking(engine, admission, "ana", Standing.ESTABLISHED)
    await until(lambda: engine.running == 0)

    await stranger.close()
    await known.close()

    assert_all_free(engine, admission)


async def test_who_leaves_in_the_moment_of_the_cut_leaves_nothing(admission: Admission) -> None:
    hold = Hold()
    engine = FakeEngine([HALF, hold, *saying("whole")])
    reading = asyncio.create_task(collect(asking(engine, admission)))
    await hold.reached.wait()

    known = asking(engine, admission, "ana", Standing.ESTABLISHED)
    reading.cancel()
    await asyncio.wait({reading})

    assert reading.cancelled()
    await known.close()
    assert_all_free(engine, admission)


async def test_no_place_is_given_on_before_the_engine_has_let_go(admission: Admission) -> None:
    letting_go, gone = asyncio.Event(), asyncio.Event()

    class Slow(FakeEngine):
        async def generate(self, call, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as its base
            try:
                async with contextlib.aclosing(super().generate(call, place)) as events:
                    async for event in events:
                        yield event
            finally:
                letting_go.set()
                await gone.wait()

    engine = Slow([HALF, *saying("whole")])
    stranger = asking(engine, admission)
    await stranger.begin()
    known = asking(engine, admission, "ana", Standing.ESTABLISHED)
    reading = asyncio.create_task(collect(known))
    await letting_go.wait()
    closing = asyncio.create_task(stranger.close())
    for _ in range(20):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    assert len(engine.calls) == 1, "asked while the engine still worked in the place"

    gone.set()

    await reading
    assert_all_free(engine, admission)


async def test_a_prompt_that_is_set_aside_is_read_again_and_its_caller_sees_only_the_answer(
    admission: Admission,
) -> None:
    hold = Hold()
    engine = FakeEngine([Progress(1, 9, 0), hold, *saying("first try")])
    stranger = asking(engine, admission)
    reading = asyncio.create_task(collect(stranger))
    await hold.reached.wait()

    later = Hold()
    engine.script = [later, *saying("Yes")]
    known = asyncio.create_task(collect(asking(engine, admission, "ana", Standing.ESTABLISHED)))
    await later.reached.wait()
    assert admission.scheduler.waiting == 1
    engine.script = [Progress(2, 9, 1), *saying("second try")]
    later.let.set()

    assert (await known)[0] == Delta(content="Yes")
    assert await reading == [Progress(1, 9, 0), Progress(2, 9, 1), *saying("second try")]
    assert len(engine.calls) == engine.ended == 3
    assert_all_free(engine, admission)


async def test_who_is_set_aside_after_a_promise_is_told_where_it_stands(admission: Admission) -> None:
    hold, later = Hold(), Hold()
    engine = FakeEngine([Progress(1, 9, 0), hold, *saying("first try")])
    stranger = asking(engine, admission, quiet_s=0.0)
    told: list[Told] = []
    listening = asyncio.create_task(listen(stranger, told))
    await hold.reached.wait()
    admission._sleep = _at_once
    engine.script = [later, *saying("Yes")]
    known = asyncio.create_task(collect(asking(engine, admission, "ana", Standing.ESTABLISHED)))
    await until(lambda: len(told) > 1)
    assert isinstance(told[1], Waiting)
    assert (told[1].position, told[1].wait_s > 0) == (1, True)
    engine.script = saying("second try")
    later.let.set()

    await known
    await listening
    assert [one for one in told if not isinstance(one, Waiting | Progress)] == saying("second try")
    assert_all_free(engine, admission)


async def test_an_engine_that_is_gone_the_second_time_is_said(admission: Admission) -> None:
    hold = Hold()
    engine = FakeEngine([Progress(1, 9, 0), hold, *saying("first try")])
    reading = asyncio.create_task(collect(asking(engine, admission)))
    await hold.reached.wait()
    engine.script = [EngineUnavailableError("restarting", 3.0)]
    known = asyncio.create_task(collect(asking(engine, admission, "ana", Standing.ESTABLISHED)))

    for one in (known, reading):
        with pytest.raises(EngineUnavailableError):
            await one

    assert_all_free(engine, admission)


async def test_a_stranger_who_says_more_than_its_slice_ends_where_others_wait(clock: HandClock) -> None:
    admission = an_admission(clock, 1, 4, slice_tokens=2, most_slices=1)
    engine = FakeEngine(saying("One", "two", "three", "four"))
    stranger = asking(engine, admission)
    await stranger.begin()
    other = asking(engine, admission, "bo", Standing.NEWCOMER)

    told: list[Told] = []
    with pytest.raises(CutShortError) as cut:
        await listen(stranger, told)

    assert told == [Delta(content="One"), Delta(content="two")]
    assert cut.value.retry_after_s >= 1.0
    assert [event for event in await collect(other) if isinstance(event, Delta)][-1] == Delta(content="four")
    assert_all_free(engine, admission)


async def test_an_answer_that_was_complete_is_complete_whoever_wants_its_place(admission: Admission) -> None:
    engine = FakeEngine([HALF, Finished(FinishReason.STOP), Hold()])
    stranger = asking(engine, admission)
    events = stranger.events()
    assert [await anext(events) for _ in range(2)] == [HALF, Finished(FinishReason.STOP)]

    known = asking(engine, admission, "ana", Standing.ESTABLISHED)

    assert await anext(events, None) is None
    await known.close()
    assert_all_free(engine, admission)


async def test_what_an_answer_came_to_is_written_down(clock: HandClock, admission: Admission) -> None:
    whole, half = FakeEngine(saying("One", "two", prompt_tokens=10)), FakeEngine([Progress(8, 10, 2), HALF, Hold()])

    served = asking(whole, admission, "ana", Standing.ESTABLISHED)
    await collect(served)
    left = asking(half, admission)
    events = left.events()
    assert [await anext(events) for _ in range(2)] == [Progress(8, 10, 2), HALF]
    clock.advance(3.0)
    await events.aclose()

    assert (served.timing.standing, served.timing.cost) == (Standing.ESTABLISHED, admission.cost(8, 2))
    assert (left.timing.standing, left.timing.cost) == (Standing.NEWCOMER, admission.cost(6, 1))
    assert (left.timing.queue_s, left.timing.service_s) == (0.0, 3.0)


async def _at_once(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


async def test_an_engine_that_fails_to_let_go_is_no_reason_to_keep_the_place(admission: Admission) -> None:
    class Stubborn(FakeEngine):
        async def generate(self, call: object, place: object) -> AsyncGenerator[Told, None]:  # type: ignore[override]
            del call, place
            try:
                yield HALF
            finally:
                raise ConnectionResetError

    stranger = asking(Stubborn(), admission)
    events = stranger.events()
    await anext(events)
    engine = FakeEngine(saying("Yes"))

    known = asking(engine, admission, "ana", Standing.ESTABLISHED)

    assert (await collect(known))[0] == Delta(content="Yes")
    with pytest.raises(ConnectionResetError):
        await anext(events)
    assert_all_free(engine, admission)
