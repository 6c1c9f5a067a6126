"""One call at the engine: its place and its stream are given back once, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable

import pytest

from tests.admitting import claim_of, everybody
from tidegate.core.admission.claims import Place, Spent
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
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
from tidegate.core.standing.classes import Standing
from tidegate.ports.engine import (
    CallRejectedError,
    ContextExceededError,
    EngineBrokeError,
    EngineError,
    EngineUnavailableError,
)
from tidegate.services.admission import Admission
from tidegate.services.generate import Answering, Told, answering
from tidegate.services.lane import OverloadedError
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import FakeEngine, Hold, saying

CHAT = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling())
TEXT = TextCall(prompt="Once", sampling=Sampling())


class CountingAdmission(Admission):
    """Counts what is given back, to tell once from twice."""

    def __init__(self, slots: int = 1, max_waiting: int = 1) -> None:
        plan = AdmissionPlan(slots=slots, max_waiting=max_waiting)
        super().__init__(Scheduler(plan), HandClock(), claimant=everybody(Standing.ESTABLISHED))
        self.left: list[int] = []
        self.spent: list[Spent | None] = []

    def leave(self, ticket: int, spent: Spent | None = None) -> None:
        self.left.append(ticket)
        self.spent.append(spent)
        super().leave(ticket, spent)


@pytest.fixture
def admission() -> CountingAdmission:
    return CountingAdmission()


async def begin(
    engine: FakeEngine,
    admission: Admission,
    call: ChatCall | TextCall = CHAT,
    owner: str = "ana",
    shorter: Iterable[TextCall] = (),
) -> Answering:
    generation = answering(engine, admission, admission.take(claim_of(owner)), call, shorter)
    await generation.begin()
    return generation


async def collect(generation: Answering) -> list[Told]:
    return [event async for event in generation.events()]


def assert_all_given_back(engine: FakeEngine, admission: CountingAdmission, times: int = 1) -> None:
    assert (engine.running, admission.scheduler.running, admission.scheduler.waiting) == (0, 0, 0)
    assert len(admission.left) == len(set(admission.left)) == times


async def test_a_finished_answer_gives_everything_back_once(admission: CountingAdmission) -> None:
    engine = FakeEngine(saying("One", " two"))

    events = await collect(await begin(engine, admission))

    assert events == saying("One", " two")
    assert engine.calls == [CHAT]
    assert_all_given_back(engine, admission)


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
async def test_an_error_before_the_first_event_gives_everything_back(
    admission: CountingAdmission, error: Exception
) -> None:
    engine = FakeEngine([error])

    with pytest.raises(type(error)):
        await begin(engine, admission)

    assert_all_given_back(engine, admission)


async def test_an_engine_that_is_not_ready_takes_nothing(admission: CountingAdmission) -> None:
    engine = FakeEngine()
    engine.state = EngineState.LOADING

    with pytest.raises(EngineUnavailableError):
        await begin(engine, admission)

    assert engine.calls == []
    assert_all_given_back(engine, admission)


async def test_an_error_in_the_middle_keeps_what_was_said_and_gives_everything_back(
    admission: CountingAdmission,
) -> None:
    engine = FakeEngine([Delta(content="Half"), EngineBrokeError("gone")])
    events = (await begin(engine, admission)).events()

    assert await anext(events) == Delta(content="Half")
    with pytest.raises(EngineBrokeError, match="gone"):
        await anext(events)

    assert_all_given_back(engine, admission)


async def test_a_stream_that_just_ends_is_broken_not_finished(admission: CountingAdmission) -> None:
    engine = FakeEngine([Delta(content="Half")])
    generation = await begin(engine, admission)

    with pytest.raises(EngineBrokeError, match="in the middle"):
        await collect(generation)

    assert_all_given_back(engine, admission)


async def test_an_answer_without_a_single_event_is_broken(admission: CountingAdmission) -> None:
    silent = FakeEngine()
    silent.script = ()

    with pytest.raises(EngineBrokeError, match="without a single event"):
        await begin(silent, admission)

    assert_all_given_back(silent, admission)


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_leaving_while_waiting_takes_nothing(admission: CountingAdmission) -> None:
    hold = Hold()
    engine = FakeEngine([Progress(1, 2, 0), hold, *saying("One")])
    first = await begin(engine, admission)
    second = asyncio.create_task(begin(engine, admission))
    await until(lambda: admission.scheduler.waiting == 1)

    await cancelled(second)

    assert admission.scheduler.waiting == 0
    assert len(engine.calls) == 1
    hold.let.set()
    await collect(first)
    assert (engine.running, admission.scheduler.running) == (0, 0)


async def test_leaving_while_the_prompt_is_read_frees_the_engine(admission: CountingAdmission) -> None:
    hold = Hold()
    engine = FakeEngine([hold, *saying("One")])
    task = asyncio.create_task(begin(engine, admission))
    await hold.reached.wait()
    assert engine.running == 1

    await cancelled(task)

    assert_all_given_back(engine, admission)


async def test_leaving_while_it_answers_frees_the_engine(admission: CountingAdmission) -> None:
    hold = Hold()
    engine = FakeEngine([Delta(content="One"), hold, *saying("two")])
    task = asyncio.create_task(collect(await begin(engine, admission)))
    await hold.reached.wait()

    await cancelled(task)

    assert_all_given_back(engine, admission)


async def test_a_reader_that_stops_early_frees_the_engine(admission: CountingAdmission) -> None:
    engine = FakeEngine(saying("One", "two", "three"))
    generation = await begin(engine, admission)

    async with contextlib.aclosing(generation.events()) as events:
        assert await anext(events) == Delta(content="One")

    assert_all_given_back(engine, admission)


async def test_an_answer_that_nobody_ever_reads_can_be_closed_and_closed_again(admission: CountingAdmission) -> None:
    engine = FakeEngine()
    generation = await begin(engine, admission)
    assert (engine.running, admission.scheduler.running) == (1, 1)

    await generation.close()
    await generation.close()

    assert_all_given_back(engine, admission)


async def test_the_place_is_given_back_even_when_the_engine_will_not_let_go(admission: CountingAdmission) -> None:
    class Stubborn(FakeEngine):
        async def generate(self, call: object, place: object) -> AsyncGenerator[Event, None]:
            try:
                yield Delta(content="One")
            finally:
                raise ConnectionResetError

    generation = await begin(Stubborn(), admission)
    with pytest.raises(ConnectionResetError):
        await generation.close()

    assert admission.scheduler.running == 0


async def test_a_full_line_is_said_before_the_engine_hears_of_it(admission: CountingAdmission) -> None:
    engine = FakeEngine()
    held = await begin(engine, admission)
    waiting = asyncio.create_task(begin(engine, admission))
    await until(lambda: admission.scheduler.waiting == 1)

    with pytest.raises(OverloadedError):
        await begin(engine, admission)

    assert len(engine.calls) == 1
    await cancelled(waiting)
    await held.close()


async def test_the_next_in_line_begins_when_the_place_before_it_is_free(admission: CountingAdmission) -> None:
    engine = FakeEngine(saying("One"))
    first = await begin(engine, admission)
    second = asyncio.create_task(begin(engine, admission, owner="bo"))
    await until(lambda: admission.scheduler.waiting == 1)

    await collect(first)
    await collect(await second)

    assert engine.ended == 2
    assert [place.is_warm for place in engine.places] == [False, False]
    assert_all_given_back(engine, admission, times=2)


async def test_only_who_was_there_before_finds_the_place_warm(admission: CountingAdmission) -> None:
    engine = FakeEngine()
    for owner in ("ana", "ana", "bo", "ana"):
        await collect(await begin(engine, admission, owner=owner))

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


async def test_a_prompt_that_is_too_long_gives_way_to_a_shorter_one_in_the_same_place(
    admission: CountingAdmission,
) -> None:
    """It does not go to the end of the queue again."""
    engine = Choosy()
    shorter = [_text("four"), _text("two"), _text("1")]

    generation = await begin(engine, admission, _text("eleven"), shorter=shorter)
    assert (admission.scheduler.running, engine.running) == (1, 1)
    await collect(generation)

    assert engine.calls == [_text("eleven"), _text("four"), _text("two")]
    assert_all_given_back(engine, admission)


async def test_when_the_shortest_prompt_is_too_long_that_is_said(admission: CountingAdmission) -> None:
    engine = Choosy()

    with pytest.raises(ContextExceededError):
        await begin(engine, admission, _text("eleven"), shorter=[_text("four")])

    assert len(engine.calls) == 2
    assert_all_given_back(engine, admission)


async def test_only_length_is_a_reason_for_a_shorter_prompt(admission: CountingAdmission) -> None:
    engine = FakeEngine([EngineError("odd")])

    with pytest.raises(EngineError):
        await begin(engine, admission, _text("eleven"), shorter=[_text("four")])

    assert len(engine.calls) == 1
    assert_all_given_back(engine, admission)
