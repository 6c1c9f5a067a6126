"""Whatever happens at the same time: no place is lost, none is given twice, and every ticket ends once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.admitting import claim_of, everybody
from tidegate.core.admission.claims import Act, Place, Spent, Waiting
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.generation.call import Call, Delta, Event, Progress, Sampling, TextCall
from tidegate.core.standing.classes import Standing
from tidegate.ports.engine import EngineBrokeError, EngineError
from tidegate.services.admission import Admission, CutShortError
from tidegate.services.generate import answering
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import FakeEngine, saying

EXPECTED = (CutShortError, OverloadedError, TooManyInFlightError, EngineError)


class CountingScheduler(Scheduler):
    """Counts what came in and how often each ticket was ended."""

    def __init__(self, plan: AdmissionPlan) -> None:
        super().__init__(plan)
        self.let_in: set[int] = set()
        self.ended: Counter[int] = Counter()

    def enter(self, ticket: int, *rest: Any) -> Any:
        answered = super().enter(ticket, *rest)
        if self.inside(rest[0].principal) and type(answered[0]).__name__ in {"Admitted", "Waiting"}:
            self.let_in.add(ticket)
        return answered

    def settle(self, ticket: int, spent: Spent, now: float) -> list[Act]:
        self.ended[ticket] += 1
        return super().settle(ticket, spent, now)

    def abandon(self, ticket: int, now: float) -> list[Act]:
        self.ended[ticket] += 1
        return super().abandon(ticket, now)


class LoiteringEngine(FakeEngine):
    """Takes a few turns for everything, for letting go as well. Two calls in one place are an error of ours."""

    def __init__(self, loiter: int) -> None:
        super().__init__()
        self.loiter = loiter

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        assert isinstance(call, TextCall)
        assert isinstance(call.prompt, str)
        pieces, breaks = divmod(len(call.prompt) - 1, 2)
        self.calls.append(call)
        assert place.number not in self._busy, "two calls in one place"
        self._busy.add(place.number)
        try:
            await self._dawdle()
            yield Progress(1, 4, 0)
            for _ in range(pieces):
                await self._dawdle()
                yield Delta(content="word")
            if breaks:
                message = "gone"
                raise EngineBrokeError(message)
            for last in saying("end"):
                assert isinstance(last, Event)
                yield last
        finally:
            try:
                await self._dawdle()
            finally:  # Also where whoever waits for that is stopped, too.
                self._busy.discard(place.number)

    async def _dawdle(self) -> None:
        for _ in range(self.loiter):
            await asyncio.sleep(0)


async def a_caller(engine: FakeEngine, admission: Admission, visit: tuple[str, Standing, int, int, bool]) -> str:
    """Ask, read slowly, and say how it ended."""
    name, standing, size, slowness, is_stream = visit
    call = TextCall(prompt="x" * size, sampling=Sampling())
    claim = claim_of(name, standing, output_tokens=64, patience_s=30.0)
    try:
        generation = answering(engine, admission, admission.take(claim), call, quiet_s=0.0 if is_stream else 1e9)
        await generation.begin()
        words = 0
        async for told in generation.events():
            assert not isinstance(told, Waiting) or words == 0, "sent back to wait when there were words"
            words += isinstance(told, Delta)
            for _ in range(slowness):
                await asyncio.sleep(0)
    except EXPECTED as error:
        return type(error).__name__
    return "whole"


visits = st.tuples(
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from([Standing.ESTABLISHED, Standing.MEMBER, Standing.NEWCOMER, Standing.VISITOR]),
    st.integers(1, 12),
    st.integers(0, 6),
    st.booleans(),
)
stories = st.lists(
    st.one_of(
        st.tuples(st.just("come"), visits),
        st.tuples(st.just("cancel"), st.integers(0, 12)),
        st.tuples(st.just("turn"), st.integers(1, 9)),
    ),
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 3), st.integers(2, 40), stories)
async def test_no_interleaving_loses_a_place_gives_one_twice_or_ends_a_ticket_twice(
    slots: int, max_waiting: int, loiter: int, slice_tokens: int, story: list[tuple[str, Any]]
) -> None:
    clock = HandClock()

    async def sleep(seconds: float) -> None:
        for _ in range(7):
            await asyncio.sleep(0)
        clock.advance(seconds)

    plan = AdmissionPlan(
        slots=slots, max_waiting=max_waiting, slice_tokens=slice_tokens, most_slices=1, prefill_s=0.0, max_per_owner=6
    )
    scheduler = CountingScheduler(plan)
    admission = Admission(scheduler, clock, claimant=everybody(Standing.NEWCOMER), sleep=sleep)
    engine = LoiteringEngine(loiter)
    callers: list[asyncio.Task[str]] = []
    for what, argument in story:
        match what:
            case "come":
                callers.append(asyncio.create_task(a_caller(engine, admission, argument)))
            case "cancel" if argument < len(callers):
                callers[argument].cancel()
            case "turn":
                for _ in range(argument):
                    await asyncio.sleep(0)
        assert scheduler.running <= slots
        assert engine.running <= slots

    # Everybody comes to an end: a place that was lost would keep somebody waiting until patience ends.
    outcomes = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 20)
    await until(lambda: admission.remembered == 0)
    broken = [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)]
    assert broken == []
    assert (engine.running, scheduler.running, scheduler.waiting, scheduler.owners) == (0, 0, 0, 0)
    assert scheduler.ended == Counter(scheduler.let_in)
