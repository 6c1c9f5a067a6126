"""What comes out of one call: the answer, taken apart, and how it went."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.admitting import an_admission, claim_of
from tidegate.core.generation.call import (
    ChatCall,
    Delta,
    Finished,
    FinishReason,
    Progress,
    Sampling,
    TextCall,
    Turn,
    Usage,
)
from tidegate.services.admission import Admission
from tidegate.services.generate import Answering, Told, answering
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import FakeEngine, Hold, Step, saying

CHAT = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling())
TEXT = TextCall(prompt="Once", sampling=Sampling())


@pytest.fixture
def admission() -> Admission:
    return an_admission(HandClock(), 1, 1)


async def begin(
    engine: FakeEngine, admission: Admission, call: ChatCall | TextCall = CHAT, owner: str = "ana"
) -> Answering:
    generation = answering(engine, admission, admission.take(claim_of(owner)), call)
    await generation.begin()
    return generation


async def collect(generation: Answering) -> list[Told]:
    return [event async for event in generation.events()]


# ---------------------------------------------------------------- what is said


def said(events: list[Told]) -> tuple[str, str]:
    """Thinking and answer."""
    deltas = [event for event in events if isinstance(event, Delta)]
    return "".join(delta.reasoning for delta in deltas), "".join(delta.content for delta in deltas)


END: list[Step] = [Finished(FinishReason.STOP), Usage(prompt_tokens=5, completion_tokens=9)]


async def test_thinking_that_the_engine_left_in_a_chat_answer_is_taken_out(admission: Admission) -> None:
    pieces = ["<th", "ink>", "Hm", "</thi", "nk>", "\n\n", "Yes", "."]
    engine = FakeEngine([*(Delta(content=piece) for piece in pieces), *END])

    generation = await begin(engine, admission)
    events = await collect(generation)

    assert said(events) == ("Hm", "Yes.")
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.reasoning_tokens == generation.timing.reasoning_deltas == 1


async def test_a_completion_is_continued_as_it_is_tags_and_all(admission: Admission) -> None:
    engine = FakeEngine([Delta(content="<think>x</think>y"), *END])

    assert said(await collect(await begin(engine, admission, TEXT))) == ("", "<think>x</think>y")


async def test_what_was_held_back_is_given_before_the_end(admission: Admission) -> None:
    engine = FakeEngine([Delta(content="<thin"), *END])

    events = await collect(await begin(engine, admission))

    assert events[:2] == [Delta(content="<thin"), Finished(FinishReason.STOP)]


async def test_what_was_held_back_is_not_lost_when_the_engine_begins_to_take_thinking_out_itself(
    admission: Admission,
) -> None:
    engine = FakeEngine([Delta(content="<"), Delta(reasoning="Hm"), Delta(content="<think>b"), *END])

    assert said(await collect(await begin(engine, admission))) == ("Hm", "<<think>b")


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "<", "\n", "é"]), max_size=8))
async def test_no_character_is_lost_between_engine_and_caller(pieces: list[str]) -> None:
    engine = FakeEngine([*(Delta(content=piece) for piece in pieces), *END])
    thinking, answer = said(await collect(await begin(engine, an_admission(HandClock()))))

    whole, got = "".join(pieces), thinking + answer
    for tag in ("<think>", "</think>", "\n", " "):
        whole, got = whole.replace(tag, ""), got.replace(tag, "")
    assert got == whole


async def test_log_probabilities_and_tool_calls_pass_even_while_text_is_held_back(admission: Admission) -> None:
    held = Delta(content="<", logprobs={"content": [1]}, tool_calls=[{"index": 0}])
    engine = FakeEngine([held, *END])

    events = await collect(await begin(engine, admission))

    assert events[0] == msgspec.structs.replace(held, content="")
    assert events[1] == Delta(content="<")


async def test_pieces_without_anything_in_them_are_not_passed_on(admission: Admission) -> None:
    engine = FakeEngine([Delta(), Delta(content="a"), Delta(), *END])

    assert [event for event in await collect(await begin(engine, admission)) if isinstance(event, Delta)] == [
        Delta(content="a")
    ]


# ---------------------------------------------------------------- how it went


async def test_an_answer_is_timed_from_its_admission_to_its_end() -> None:
    clock = HandClock(0.0)
    admission = an_admission(clock, 1, 1)
    prefill, decode = Hold(), Hold()
    engine = FakeEngine([Progress(1, 2, 0), prefill, Delta(content="a"), decode, Delta(content="b"), *END])
    blocker = await begin(FakeEngine(), admission, owner="bo")
    waiting = asyncio.create_task(begin(engine, admission))
    await until(lambda: admission.scheduler.waiting == 1)

    clock.advance(3.0)
    await blocker.close()
    generation = await waiting
    reading = asyncio.create_task(collect(generation))
    await prefill.reached.wait()
    clock.advance(2.0)
    prefill.let.set()
    await decode.reached.wait()
    clock.advance(0.5)
    decode.let.set()
    await reading

    timing = generation.timing
    assert (timing.queue_s, timing.ttft_s, timing.service_s, timing.gap_s) == (3.0, 2.0, 2.5, 0.5)
    assert (timing.deltas, timing.finish) == (2, FinishReason.STOP)
    assert timing.usage == Usage(prompt_tokens=5, completion_tokens=9)


async def test_one_piece_has_no_gap_and_no_piece_no_first_token(admission: Admission) -> None:
    one = await begin(FakeEngine(saying("a")), admission)
    await collect(one)
    none = await begin(FakeEngine(END), admission)
    await collect(none)

    assert one.timing.gap_s is None
    assert (none.timing.ttft_s, none.timing.gap_s) == (None, None)
