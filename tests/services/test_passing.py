"""A request that is passed on: what it comes to, and that it is given back once however it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from tests.admitting import an_admission, claim_of
from tests.services.answering import HandSleep
from tidegate.core.admission.claims import Spent
from tidegate.core.generation.call import FinishReason, Usage
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.engine import EngineBrokeError
from tidegate.ports.storage import StorageUnavailableError
from tidegate.ports.upstream import Ask, Head, Piece, UpstreamBrokeError, UpstreamFailedError
from tidegate.services.admission import CutShortError
from tidegate.services.generate import Generation
from tidegate.services.lane import OverloadedError
from tidegate.services.passing import Passage, Passing, Unheard
from tidegate.services.proven import Proven, Recall
from tidegate.services.reputation import Reputation
from tidegate.services.timing import Timing
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import Hold
from tidegate.testing.standing import MemoryCallerStore
from tidegate.testing.upstream import FakeUpstreams, passing

ASK = Ask(method="POST", target="/v1/chat/completions", tokens=100, is_stream=True)
HEAD = Head(status=200, headers=())
DATA = [b"data: %d\n\n" % number for number in range(3)]


def passage(clock: HandClock, ask: Ask = ASK) -> Passage:
    made = Passage(Timing(standing=Standing.MEMBER), ask, clock)
    made.began_at = clock()
    return made


def test_the_servers_own_figures_are_believed() -> None:
    clock = HandClock()
    told = passage(clock)
    usage = Usage(prompt_tokens=7, completion_tokens=30, cached_tokens=2, prefill_tok_s=500.0, decode_tok_s=50.0)
    told.take(Piece(data=b"x", tokens=1, head=HEAD))
    told.take(Piece(usage=usage))
    told.take(Piece(is_last=True))
    assert told.timing.usage == usage
    assert told.timing.finish is FinishReason.STOP


def test_a_server_that_tells_no_rates_is_timed() -> None:
    clock = HandClock()
    told = passage(clock)
    clock.advance(0.5)
    told.take(Piece(data=b"x", tokens=1, head=HEAD))
    for _ in range(20):
        clock.advance(0.1)
        told.take(Piece(data=b"x", tokens=1))
    told.take(Piece(usage=Usage(prompt_tokens=120, completion_tokens=21, cached_tokens=20)))
    told.take(Piece(is_last=True))
    usage = told.timing.usage
    assert usage is not None
    assert told.timing.ttft_s == pytest.approx(0.5)
    assert usage.prefill_tok_s == pytest.approx(200.0)
    assert usage.decode_tok_s == pytest.approx(10.0)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (120, 21, 20)


def test_where_no_figures_are_told_pieces_and_the_prompts_length_stand_in() -> None:
    told = passage(HandClock())
    for number in range(5):
        told.take(Piece(data=b"x", tokens=1, head=HEAD if number == 0 else None))
    told.take(Piece(is_last=True))
    assert told.timing.usage == Usage(prompt_tokens=100, completion_tokens=5)


def test_a_refusal_of_the_server_comes_to_nothing() -> None:
    told = passage(HandClock())
    told.take(Piece(data=b"{}", head=Head(status=400, headers=())))
    told.take(Piece(is_last=True))
    assert told.timing.usage is None
    assert told.timing.finish is FinishReason.STOP


def test_what_only_tells_of_work_is_counted_and_passed_to_nobody() -> None:
    told = passage(HandClock())
    piece = Piece(tokens=3)
    assert told.reckon(piece).tokens == 3
    assert told.take(piece) == []
    assert told.timing.deltas == 3
    assert told.timing.ttft_s is None, "nothing of the answer is there"
    assert told.reckon(Piece(data=b"x", tokens=1)).tokens == 1
    assert told.reckon(Piece(data=b"x")).tokens == 0
    assert told.take(Piece(usage=Usage(prompt_tokens=1, completion_tokens=1))) == []
    assert len(told.take(Piece(is_last=True))) == 1


class Street:
    """An admission that remembers what was settled, and servers that play a script."""

    def __init__(self, *, slice_tokens: int = 256, most_slices: int = 4) -> None:
        self.clock, self.sleep = HandClock(), HandSleep()
        self.admission = an_admission(
            self.clock, 1, slice_tokens=slice_tokens, most_slices=most_slices, sleep=self.sleep
        )
        self.servers = FakeUpstreams(passing(*DATA))
        self.spent: list[Spent | None] = []
        leave = self.admission.leave

        def counted(ticket: int, spent: Spent | None = None) -> None:
            self.spent.append(spent)
            leave(ticket, spent)

        self.admission.leave = counted  # type: ignore[method-assign] # to tell once from twice

    def passing(self, name: str = "ana", standing: Standing = Standing.ESTABLISHED, tokens: int = 64) -> Passing:
        claim = claim_of(name, standing, output_tokens=tokens)
        ticket = self.admission.take(claim)
        listening = Passage(Timing(standing=standing), ASK, self.clock)
        return Generation(self.servers, self.admission, ticket, ASK, listening)

    def assert_all_free(self, times: int) -> None:
        scheduler = self.admission.scheduler
        assert (self.servers.running, scheduler.running, scheduler.waiting, self.admission.remembered) == (0, 0, 0, 0)
        assert len(self.spent) == times


async def read(generation: Passing) -> bytes:
    await generation.begin()
    return b"".join([told.data async for told in generation.events() if isinstance(told, Piece)])


async def test_an_answer_is_settled_once_by_what_it_came_to() -> None:
    street = Street()
    street.servers.script = [
        *passing(*DATA)[:-1],
        Piece(usage=Usage(prompt_tokens=9, completion_tokens=3, cached_tokens=1)),
        Piece(is_last=True),
    ]
    assert await read(street.passing()) == b"".join(DATA)
    (spent,) = street.spent
    assert spent is not None
    assert (spent.prompt_tokens, spent.cached_tokens, spent.output_tokens) == (9, 1, 3)
    street.assert_all_free(1)


@pytest.mark.parametrize("error", [UpstreamFailedError("why", 1.0), UpstreamBrokeError("cut"), ZeroDivisionError()])
@pytest.mark.parametrize("is_begun", [True, False])
async def test_an_answer_that_breaks_gives_everything_back(error: Exception, *, is_begun: bool) -> None:
    street = Street()
    street.servers.script = [*(passing(*DATA)[:2] if is_begun else ()), error]
    with pytest.raises(type(error)):
        await read(street.passing())
    street.assert_all_free(1)


async def test_an_answer_without_its_end_is_no_answer() -> None:
    street = Street()
    street.servers.script = passing(*DATA)[:-1]
    with pytest.raises(EngineBrokeError):
        await read(street.passing())
    street.servers.script = [Piece(tokens=1)]
    with pytest.raises(EngineBrokeError):
        await read(street.passing())
    street.assert_all_free(2)


async def test_who_is_set_aside_before_the_first_piece_is_asked_for_again_and_sees_a_whole_answer() -> None:
    street = Street()
    hold = Hold()
    street.servers.script = [Piece(), hold, *passing(*DATA)]
    stranger = asyncio.create_task(read(street.passing("str", Standing.NEWCOMER)))
    await hold.reached.wait()
    street.servers.script = passing(*DATA)
    assert await read(street.passing("ana")) == b"".join(DATA)
    assert await stranger == b"".join(DATA)
    assert len(street.servers.asks) == 3
    street.assert_all_free(2)


async def test_whose_answer_has_begun_is_cut_for_a_better_right_and_told_when_to_come_back() -> None:
    street = Street()
    hold = Hold()
    street.servers.script = [passing(*DATA)[0], hold, *passing(*DATA)[1:]]
    stranger = asyncio.create_task(read(street.passing("str", Standing.NEWCOMER)))
    await hold.reached.wait()
    street.servers.script = passing(*DATA)
    assert await read(street.passing("ana")) == b"".join(DATA)
    with pytest.raises(CutShortError) as caught:
        await stranger
    assert caught.value.retry_after_s > 0.0
    street.assert_all_free(2)


async def test_tokens_told_by_time_count_against_what_was_reserved() -> None:
    """An answer in one piece is no way to hold a place without end while others wait."""
    street = Street(slice_tokens=8, most_slices=1)
    hold = Hold()
    street.servers.script = [Piece(tokens=1), hold, *(Piece(tokens=8) for _ in range(20)), *passing(b"{}")]
    stranger = asyncio.create_task(read(street.passing("str", Standing.VISITOR, tokens=8)))
    await hold.reached.wait()
    other = asyncio.create_task(read(street.passing("oth", Standing.VISITOR)))
    await until(lambda: street.admission.scheduler.waiting == 1)
    street.servers.script = passing(*DATA)
    hold.let.set()
    with pytest.raises(CutShortError):
        await stranger
    assert await other == b"".join(DATA)
    street.assert_all_free(2)


async def test_patience_ends_a_wait() -> None:
    street = Street()
    hold = Hold()
    begun = passing(*DATA)
    street.servers.script = [begun[0], hold, *begun[1:]]
    first = asyncio.create_task(read(street.passing("ana")))
    await hold.reached.wait()
    second = asyncio.create_task(read(street.passing("bo")))
    await until(lambda: street.admission.scheduler.waiting == 1)
    await until(lambda: bool(street.sleep.asked_s))
    street.clock.advance(1001.0)
    street.sleep.pass_by()
    with pytest.raises(OverloadedError):
        await second
    hold.let.set()
    await first
    street.assert_all_free(2)


@pytest.mark.parametrize("turns", range(6))
async def test_a_caller_that_leaves_at_any_moment_gives_everything_back_once(turns: int) -> None:
    street = Street()
    hold = Hold()
    script = passing(*DATA)
    street.servers.script = [*script[:2], hold, *script[2:]]
    generation = street.passing()
    reading = asyncio.create_task(read(generation))
    await hold.reached.wait()
    hold.let.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    await generation.close()
    street.assert_all_free(1)


def test_a_key_that_the_server_accepts_is_somebody_from_then_on_and_made_once() -> None:
    clock, flooded = HandClock(), [False]
    proven = Proven(Register(StandingPlan(), 10), clock, lambda: flooded[0])
    ana, bo = UserId.of(b"ana-ana-"), UserId.of(b"bo--bo--")
    assert (proven.is_known(ana), proven.standing(ana)) == (False, Standing.VISITOR)
    proven.accepted(ana, Fingerprint("0123456789abcdef"))
    made = proven.register.record(ana)
    assert made is not None
    assert (made.cohort, made.is_born_in_flood) == ("net:0123456789abcdef", False)
    clock.advance(60.0)
    flooded[0] = True
    proven.accepted(ana, None)
    assert proven.register.record(ana) is made
    assert proven.standing(ana) is Standing.NEWCOMER
    proven.accepted(bo, None)
    found = proven.register.record(bo)
    assert found is not None
    assert (found.cohort, found.is_born_in_flood) == (bo, True)


async def test_a_caller_whom_memory_has_forgotten_is_met_again_as_they_are_kept() -> None:
    """Otherwise one that was pushed out of memory by a flood would lose the days that they were served."""
    kept = Record.of_caller(UserId.of(b"kept" * 2), 5.0).with_word(is_vouched=True)
    store = MemoryCallerStore()
    await store.save([kept])
    known = Reputation(store, Register(StandingPlan(), 10), lambda: 100.0)
    works: list[Coroutine[Any, Any, None]] = []
    proven = Proven(known.register, lambda: 100.0, lambda: False, Recall(known.find, works.append))
    new = UserId.of(b"new." * 2)
    for _ in range(2):
        proven.accepted(kept.principal, None)
        proven.accepted(new, None)
    assert len(works) == 2, "asked once for each"
    await asyncio.gather(*works)
    assert proven.standing(kept.principal) is Standing.ESTABLISHED
    assert proven.standing(new) is Standing.NEWCOMER
    assert [record.principal for record in known.register.changed()] == [new]


async def test_while_what_is_kept_cannot_be_read_a_caller_is_a_visitor_and_asked_for_again() -> None:
    async def away(_: UserId) -> Record | None:
        raise StorageUnavailableError

    works: list[Coroutine[Any, Any, None]] = []
    proven = Proven(Register(StandingPlan(), 10), lambda: 100.0, lambda: False, Recall(away, works.append))
    who = UserId.of(b"whoever!")
    for asked in (1, 2):
        proven.accepted(who, None)
        assert len(works) == asked
        await works[-1]
    assert proven.standing(who) is Standing.VISITOR


class Counting:
    """Stands for what is passed on: hears how many tokens should be there."""

    def __init__(self) -> None:
        self.counted: list[int] = []

    def count(self, tokens: int) -> None:
        self.counted.append(tokens)


async def test_an_answer_in_one_piece_is_counted_by_time_and_anew_when_it_is_asked_for_again() -> None:
    """Else whoever wants no stream could hold a place for as long as they like."""
    clock, counting = HandClock(), Counting()
    waiting = passage(clock)
    waiting.began_at = None
    passed: Any = counting
    unheard = Unheard(lambda _ask, passed_s: int(passed_s * 10), clock)
    unheard.add(waiting, passed, 17)
    unheard.look()
    assert counting.counted == [], "nobody was asked yet"
    waiting.began_at = clock()
    clock.advance(1.0)
    unheard.look()
    clock.advance(0.5)
    unheard.look()
    unheard.look()
    waiting.began_at = clock()
    clock.advance(0.25)
    unheard.look()
    clock.advance(100.0)
    unheard.look()
    assert counting.counted == [10, 5, 2, 15], "and never more than was asked for"
    waiting.began_at = clock()
    unheard.discard(waiting)
    clock.advance(100.0)
    unheard.look()
    assert len(counting.counted) == 4, "and nothing of one that is over"


async def test_answers_in_one_piece_are_looked_at_now_and_then_while_there_are_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidegate.services.passing._TICK_S", 0.01)
    clock, counting = HandClock(), Counting()
    waiting = passage(clock)
    passed: Any = counting
    unheard = Unheard(lambda _ask, passed_s: int(passed_s * 10), clock)
    for _ in range(2):
        counting.counted.clear()
        waiting.began_at = clock()
        unheard.add(waiting, passed, 100)
        clock.advance(1.0)
        await until(lambda: counting.counted == [10], 0.01)
        unheard.discard(waiting)
        await asyncio.sleep(0.05)
        assert counting.counted == [10]


def test_an_answer_in_one_piece_teaches_how_fast_answers_are_written_at_the_least() -> None:
    """Or what is guessed of the next one would count tokens that are not there."""
    clock = HandClock()
    whole = passage(clock, msgspec.structs.replace(ASK, is_stream=False))
    clock.advance(2.0)
    whole.take(Piece(data=b"{}", head=HEAD))
    whole.take(Piece(usage=Usage(prompt_tokens=50, completion_tokens=40), is_last=True))
    assert whole.timing.usage is not None
    assert (whole.timing.usage.prefill_tok_s, whole.timing.usage.decode_tok_s) == (0.0, 20.0)
