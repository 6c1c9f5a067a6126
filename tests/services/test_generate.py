"""One call at the engine: its place and its stream are given back once, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from tidegate.core.admission.slots import Place, SlotPlan
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import (
    ChatCall,
    Delta,
    Event,
    Progress,
    Sampling,
    TextCall,
    Turn,
)
from tidegate.ports.engine import (
    CallRejectedError,
    ContextExceededError,
    EngineBrokeError,
    EngineError,
    EngineUnavailableError,
)
from tidegate.services.generate import Generation
from tidegate.services.lane import Lane, OverloadedError
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import FakeEngine, Hold, saying

CHAT = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling())
TEXT = TextCall(prompt="Once", sampling=Sampling())


class CountingLane(Lane):
    """Counts what is given back, to tell once from twice."""

    def __init__(self, slots: int = 1, max_waiting: int = 1) -> None:
        super().__init__(SlotPlan(slots, max_waiting), HandClock())
        self.left: list[int] = []

    def leave(self, ticket: int, *, is_served: bool = True) -> None:
        self.left.append(ticket)
        super().leave(ticket, is_served=is_served)


@pytest.fixture
def lane() -> CountingLane:
    return CountingLane()


async def begin(engine: FakeEngine, lane: Lane, call: ChatCall | TextCall = CHAT, owner: str = "ana") -> Generation:
    return await Generation.begin(engine, lane, call, owner, HandClock())


async def collect(generation: Generation) -> list[Event]:
    return [event async for event in generation.events()]


def assert_all_given_back(engine: FakeEngine, lane: CountingLane, times: int = 1) -> None:
    assert (engine.running, lane.queue.running, lane.queue.waiting) == (0, 0, 0)
    assert len(lane.left) == len(set(lane.left)) == times


async def test_a_finished_answer_gives_everything_back_once(lane: CountingLane) -> None:
    engine = FakeEngine(saying("One", " two"))

    events = await collect(await begin(engine, lane))

    assert events == saying("One", " two")
    assert engine.calls == [CHAT]
    assert_all_given_back(engine, lane)


@pytest.mark.parametrize(
    "error",
    [
        CallRejectedError("no", "tools"),
        ContextExceededError(9000, 4096),
        EngineUnavailableError("loading", 2.0),
        EngineError("odd"),
        ZeroDivisionError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_before_the_first_event_gives_everything_back(lane: CountingLane, error: Exception) -> None:
    engine = FakeEngine([error])

    with pytest.raises(type(error)):
        await begin(engine, lane)

    assert_all_given_back(engine, lane)


async def test_an_engine_that_is_not_ready_takes_nothing(lane: CountingLane) -> None:
    engine = FakeEngine()
    engine.state = EngineState.LOADING

    with pytest.raises(EngineUnavailableError):
        await begin(engine, lane)

    assert engine.calls == []
    assert_all_given_back(engine, lane)


async def test_an_error_in_the_middle_keeps_what_was_said_and_gives_everything_back(lane: CountingLane) -> None:
    engine = FakeEngine([Delta(content="Half"), EngineBrokeError("gone")])
    events = (await begin(engine, lane)).events()

    assert await anext(events) == Delta(content="Half")
    with pytest.raises(EngineBrokeError, match="gone"):
        await anext(events)

    assert_all_given_back(engine, lane)


async def test_a_stream_that_just_ends_is_broken_not_finished(lane: CountingLane) -> None:
    engine = FakeEngine([Delta(content="Half")])
    generation = await begin(engine, lane)

    with pytest.raises(EngineBrokeError, match="in the middle"):
        await collect(generation)

    assert_all_given_back(engine, lane)


async def test_an_answer_without_a_single_event_is_broken(lane: CountingLane) -> None:
    silent = FakeEngine()
    silent.script = ()

    with pytest.raises(EngineBrokeError, match="without a single event"):
        await begin(silent, lane)

    assert_all_given_back(silent, lane)


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_leaving_while_waiting_takes_nothing(lane: CountingLane) -> None:
    hold = Hold()
    engine = FakeEngine([Progress(1, 2, 0), hold, *saying("One")])
    first = await begin(engine, lane)
    second = asyncio.create_task(begin(engine, lane))
    await until(lambda: lane.queue.waiting == 1)

    await cancelled(second)

    assert lane.queue.waiting == 0
    assert len(engine.calls) == 1
    hold.let.set()
    await collect(first)
    assert (engine.running, lane.queue.running) == (0, 0)


async def test_leaving_while_the_prompt_is_read_frees_the_engine(lane: CountingLane) -> None:
    hold = Hold()
    engine = FakeEngine([hold, *saying("One")])
    task = asyncio.create_task(begin(engine, lane))
    await hold.reached.wait()
    assert engine.running == 1

    await cancelled(task)

    assert_all_given_back(engine, lane)


async def test_leaving_while_it_answers_frees_the_engine(lane: CountingLane) -> None:
    hold = Hold()
    engine = FakeEngine([Delta(content="One"), hold, *saying("two")])
    task = asyncio.create_task(collect(await begin(engine, lane)))
    await hold.reached.wait()

    await cancelled(task)

    assert_all_given_back(engine, lane)


async def test_a_reader_that_stops_early_frees_the_engine(lane: CountingLane) -> None:
    engine = FakeEngine(saying("One", "two", "three"))
    generation = await begin(engine, lane)

    async with contextlib.aclosing(generation.events()) as events:
        assert await anext(events) == Delta(content="One")

    assert_all_given_back(engine, lane)


async def test_an_answer_that_nobody_ever_reads_can_be_closed_and_closed_again(lane: CountingLane) -> None:
    engine = FakeEngine()
    generation = await begin(engine, lane)
    assert (engine.running, lane.queue.running) == (1, 1)

    await generation.close()
    await generation.close()

    assert_all_given_back(engine, lane)


async def test_the_place_is_given_back_even_when_the_engine_will_not_let_go(lane: CountingLane) -> None:
    class Stubborn(FakeEngine):
        async def generate(self, call: object, place: object) -> AsyncGenerator[Event, None]:
            try:
                yield Delta(content="One")
            finally:
                raise ConnectionResetError

    generation = await begin(Stubborn(), lane)
    with pytest.raises(ConnectionResetError):
        await generation.close()

    assert lane.queue.running == 0


async def test_a_full_lane_is_said_before_the_engine_hears_of_it() -> None:
    lane, engine = CountingLane(1, 0), FakeEngine()
    held = await begin(engine, lane)

    with pytest.raises(OverloadedError):
        await begin(engine, lane)

    assert len(engine.calls) == 1
    await held.close()


async def test_the_next_in_line_begins_when_the_place_before_it_is_free(lane: CountingLane) -> None:
    engine = FakeEngine(saying("One"))
    first = await begin(engine, lane)
    second = asyncio.create_task(begin(engine, lane, owner="bo"))
    await until(lambda: lane.queue.waiting == 1)

    await collect(first)
    await collect(await second)

    assert engine.ended == 2
    assert [place.is_warm for place in engine.places] == [False, False]
    assert_all_given_back(engine, lane, times=2)


async def test_only_who_was_there_before_finds_the_place_warm(lane: CountingLane) -> None:
    engine = FakeEngine()
    for owner in ("ana", "ana", "bo", "ana"):
        await collect(await begin(engine, lane, owner=owner))

    assert [place.is_warm for place in engine.places] == [False, True, False, False]


class Choosy(FakeEngine):
    """Takes no prompt of more than `most` characters."""

    most = 3

    async def generate(self, call: object, place: Place) -> AsyncGenerator[Event, None]:
        assert isinstance(call, TextCall)
        self.script = [ContextExceededError(9000, 4096)] if len(call.prompt) > self.most else saying("One")
        async for event in super().generate(call, place):
            yield event


def _text(prompt: str) -> TextCall:
    return TextCall(prompt=prompt, sampling=Sampling())


async def test_a_prompt_that_is_too_long_gives_way_to_a_shorter_one_in_the_same_place(lane: CountingLane) -> None:
    """It does not go to the end of the queue again."""
    engine = Choosy()
    shorter = [_text("four"), _text("two"), _text("1")]

    generation = await Generation.begin(engine, lane, _text("eleven"), "ana", HandClock(), shorter)
    assert (lane.queue.running, engine.running) == (1, 1)
    await collect(generation)

    assert engine.calls == [_text("eleven"), _text("four"), _text("two")]
    assert_all_given_back(engine, lane)


async def test_when_the_shortest_prompt_is_too_long_that_is_said(lane: CountingLane) -> None:
    engine = Choosy()

    with pytest.raises(ContextExceededError):
        await Generation.begin(engine, lane, _text("eleven"), "ana", HandClock(), [_text("four")])

    assert len(engine.calls) == 2
    assert_all_given_back(engine, lane)


async def test_only_length_is_a_reason_for_a_shorter_prompt(lane: CountingLane) -> None:
    engine = FakeEngine([EngineError("odd")])

    with pytest.raises(EngineError):
        await Generation.begin(engine, lane, _text("eleven"), "ana", HandClock(), [_text("four")])

    assert len(engine.calls) == 1
    assert_all_given_back(engine, lane)
