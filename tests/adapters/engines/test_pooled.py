"""One model behind several servers: whoever of them fails, callers are answered or told within the bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing

import pytest
from msgspec.structs import replace

from tests.adapters.engines.serving import How, ScriptedServer
from tidegate.adapters.engines.fleet import Fleet, FleetPlan
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.pooled import PooledEngine, card_of
from tidegate.adapters.engines.servers import ServerPlan
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.breaker import BreakerPlan
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import MemberState, PoolPlan
from tidegate.core.generation.call import (
    ChatCall,
    Delta,
    Event,
    Finished,
    FinishReason,
    Sampling,
    Taken,
    Turn,
    Usage,
)
from tidegate.ports.engine import (
    CallRejectedError,
    EngineBrokeError,
    EngineUnavailableError,
    ReplicaReport,
)
from tidegate.testing.clock import until

FIRST_S, SILENCE_S = 1.5, 1.0
SLOW_S = 5.0
"""More than a busy machine holds anything up."""
PLAN = FleetPlan(
    pool=PoolPlan(probe_after_s=0.5, breaker=BreakerPlan(failures=3, pause_first_s=0.2), probes_busy=True),
    first_s=FIRST_S,
    silence_s=SILENCE_S,
    ask_every_s=0.1,
)
CALL = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling(max_tokens=5))
PLACE = Place(0, is_warm=False, owner="usr_ana")


class Town:
    """Some servers, the engine over them, and what was heard of them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.changes: list[ReplicaReport] = []
        self.moves = 0

    async def open(self, count: int = 2, kind: Kind = Kind.VLLM, plan: FleetPlan = PLAN) -> Town:
        self.servers = [await self._stack.enter_async_context(ScriptedServer().running_here()) for _ in range(count)]
        self.plans = [ServerPlan(url=one.url, models=frozenset({"tide"}), places=4, kind=kind) for one in self.servers]
        self.fleet = Fleet(plan, self.plans, self.changes.append, self._moved)
        self.engine = PooledEngine(card_of("tide", 4096), self.fleet, lambda owner: f"salt-of-{owner}")
        await self.fleet.start()
        self._stack.push_async_callback(self.fleet.stop)
        await until(lambda: self.engine.report().state is EngineState.READY and len(self.changes) == count, 0.01)
        return self

    def _moved(self) -> None:
        self.moves += 1

    async def ask(self, call: ChatCall = CALL) -> list[Event]:
        async with aclosing(self.engine.generate(call, PLACE)) as events:
            return [event async for event in events]

    def calls(self) -> int:
        return sum(len(one.calls) for one in self.servers)

    def states(self) -> list[MemberState]:
        return [one.state for one in self.fleet.report()]


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(stack)


def text(events: list[Event]) -> str:
    return "".join(event.content for event in events if isinstance(event, Delta))


# ---------------------------------------------------------------- all is well


async def test_a_call_is_answered_by_the_one_with_the_least_to_do(town: Town) -> None:
    await town.open(2)
    town.servers[0].how = town.servers[1].how = How.SLOW
    answers = await asyncio.gather(*(town.ask() for _ in range(4)))

    assert [len(one.calls) for one in town.servers] == [2, 2]
    assert {text(events) for events in answers} == {"Hello there"}


async def test_what_is_told_of_an_answer_begins_with_who_took_it_and_ends_with_what_it_cost(town: Town) -> None:
    await town.open(1)
    events = await town.ask()

    taken, *pieces, finished, usage = events
    assert taken == Taken(town.plans[0].replica, 1)
    assert pieces == [Delta(content="Hello"), Delta(content=" there")]
    assert finished == Finished(FinishReason.STOP)
    assert isinstance(usage, Usage)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (7, 2, 0)
    assert usage.prefill_tok_s > 0


async def test_what_an_account_has_asked_is_salted_with_its_own_salt(town: Town) -> None:
    await town.open(1)
    await town.ask()
    assert town.servers[0].calls[0]["cache_salt"] == "salt-of-usr_ana"


async def test_the_servers_own_key_is_shown_and_no_other(town: Town) -> None:
    await town.open(2)
    town.fleet.replan([ServerPlan(url=town.servers[0].url, models=frozenset({"tide"}), key="sk-1")])
    await until(lambda: town.states() == [MemberState.UP], 0.01)
    await town.ask()
    assert town.servers[0].keys == ["Bearer sk-1"]


async def test_a_caller_who_leaves_frees_the_server_at_once(town: Town) -> None:
    await town.open(1)
    (server,) = town.servers
    server.how = How.STALLED
    events = town.engine.generate(CALL, PLACE)
    while not isinstance(await anext(events), Delta):
        pass
    await events.aclose()
    await until(lambda: server.running == 0, 0.01)
    assert town.fleet.report()[0].running == 0
    assert town.fleet.report()[0].failures == 0, "a caller's leaving is nobody's fault"


# ---------------------------------------------------------------- before the first token


@pytest.mark.parametrize(
    "how",
    [
        *(How.GARBAGE, How.PAGE, How.WRONG_CHUNK, How.ERROR_IN_STREAM, How.CUT_BEFORE, How.FAILING),
        *(How.SILENT, How.HEAD_ONLY, How.COMMENTS),
    ],
)
async def test_until_the_first_token_another_server_answers_in_its_stead_and_it_is_said_that_two_were_asked(
    town: Town, how: How
) -> None:
    await town.open(2)
    town.servers[0].hows = [how]
    town.servers[1].hows = []
    began = time.monotonic()
    events = await town.ask()
    while not town.servers[0].calls:  # Whom it begins with is not for this test to say.
        events = await town.ask()

    assert time.monotonic() - began < 2 * FIRST_S + SLOW_S
    assert text(events) == "Hello there"
    assert [event.attempts for event in events if isinstance(event, Taken)] == [1, 2]
    assert len(town.servers[0].calls) == 1


@pytest.mark.parametrize("how", [How.BUSY, How.WRONG_KEY])
async def test_a_server_that_did_not_take_the_call_has_not_worked_on_it(town: Town, how: How) -> None:
    await town.open(2)
    town.servers[0].how = how
    attempts = set()
    for _ in range(2):
        attempts |= {event.attempts for event in await town.ask() if isinstance(event, Taken)}
    assert attempts == {1}


async def test_a_server_that_is_gone_costs_its_callers_nothing_but_the_time_to_notice(town: Town) -> None:
    await town.open(1)
    gone = ScriptedServer()
    async with gone.running_here():
        plans = [*town.plans, ServerPlan(url=gone.url, models=frozenset({"tide"}))]
        town.fleet.replan(plans)
        await until(lambda: town.states() == [MemberState.UP, MemberState.UP], 0.01)
    for _ in range(4):
        events = await town.ask()
        assert text(events) == "Hello there"
        assert max(event.attempts for event in events if isinstance(event, Taken)) == 1
    await until(lambda: town.states() == [MemberState.UP, MemberState.BROKEN], 0.01)


async def test_a_busy_server_is_not_taken_for_a_broken_one(town: Town) -> None:
    await town.open(1)
    town.servers[0].how = How.BUSY
    for _ in range(5):
        with pytest.raises(EngineUnavailableError):
            await town.ask()
    assert town.states() == [MemberState.UP]


async def test_nonsense_from_all_of_them_is_said_to_be_the_engines_failure_within_the_bound(town: Town) -> None:
    await town.open(2)
    for server in town.servers:
        server.how = How.GARBAGE
    with pytest.raises(EngineBrokeError):
        await town.ask()
    assert town.calls() == 2, "each is asked once"


async def test_at_most_three_are_asked(town: Town) -> None:
    await town.open(4)
    for server in town.servers:
        server.how = How.FAILING
    with pytest.raises(EngineBrokeError):
        await town.ask()
    assert town.calls() == 3


async def test_without_any_server_callers_are_told_at_once_when_to_come_back(town: Town) -> None:
    await town.open(1, plan=replace(PLAN, first_s=60.0))
    town.servers[0].models_status = 500
    await until(lambda: town.states() == [MemberState.BROKEN], 0.01)
    with pytest.raises(EngineUnavailableError) as refused:
        async with asyncio.timeout(SLOW_S):
            await town.ask()
    assert refused.value.retry_after_s >= 1.0
    assert town.engine.report().state is EngineState.FAILED


async def test_what_the_caller_has_to_mend_is_no_fault_of_the_server_and_nobody_else_is_asked(town: Town) -> None:
    await town.open(2)
    for server in town.servers:
        server.how = How.REJECTED
    for _ in range(4):
        with pytest.raises(CallRejectedError, match="no such thing"):
            await town.ask()
    assert town.calls() == 4
    assert town.states() == [MemberState.UP, MemberState.UP]


async def test_an_answer_that_is_asked_for_longer_than_fits_is_as_long_as_fits(town: Town) -> None:
    await town.open(1)
    town.servers[0].how = How.TOO_LONG_ANSWER
    assert text(await town.ask()) == "Hello there"
    assert [call.get("max_tokens") for call in town.servers[0].calls] == [5, None]


# ---------------------------------------------------------------- after it


@pytest.mark.parametrize("how", [How.CUT_AFTER, How.STALLED])
async def test_after_the_first_token_nothing_is_begun_anew(town: Town, how: How) -> None:
    await town.open(2)
    for server in town.servers:
        server.how = how
    began = time.monotonic()
    with pytest.raises(EngineBrokeError):
        await town.ask()
    assert time.monotonic() - began < FIRST_S + SILENCE_S + SLOW_S
    assert town.calls() == 1


async def test_an_answer_without_an_end_is_ended(town: Town) -> None:
    await town.open(1)
    town.servers[0].how = How.ENDLESS
    with pytest.raises(EngineBrokeError):
        await town.ask()


@pytest.mark.parametrize("how", [How.NO_USAGE, How.NO_DONE])
async def test_a_complete_answer_is_one_although_its_last_words_are_missing(town: Town, how: How) -> None:
    await town.open(1)
    town.servers[0].how = how
    events = await town.ask()
    assert text(events) == "Hello there"
    assert isinstance(events[-1], Usage)
    assert events[-1].completion_tokens == 2
    assert sum(isinstance(event, Usage) for event in events) == 1


async def test_a_slow_answer_that_flows_is_let_be(town: Town) -> None:
    await town.open(1)
    town.servers[0].words = ("a",) * 20
    town.servers[0].how = How.SLOW
    assert text(await town.ask()) == "a" * 20, "longer than any of the bounds"


# ---------------------------------------------------------------- looking after them


async def test_a_frozen_server_is_given_up_by_its_probes_and_those_who_wait_for_it_are_answered_by_others(
    town: Town,
) -> None:
    """Long before they would have given up waiting themselves."""
    await town.open(2, plan=replace(PLAN, first_s=60.0))
    for server in town.servers:
        server.how = How.SILENT
    asking = [asyncio.create_task(town.ask()) for _ in range(2)]
    await until(lambda: all(server.calls for server in town.servers), 0.01)
    town.servers[1].hold.set()
    town.servers[1].how = How.WELL
    answers = await asyncio.wait_for(asyncio.gather(*asking), 20)
    assert {text(events) for events in answers} == {"Hello there"}
    assert {max(event.attempts for event in events if isinstance(event, Taken)) for events in answers} == {1, 2}


async def test_a_server_that_failed_proves_itself_at_a_call_of_ours_before_it_is_trusted_with_anybodys(
    town: Town,
) -> None:
    await town.open(2)
    bad, good = town.servers
    bad.how = How.FAILING
    while not bad.calls:
        await town.ask()
    for _ in range(6):
        await town.ask()
    assert len(bad.calls) == 1, "only probes were sent there since"
    await until(lambda: MemberState.BROKEN in town.states(), 0.01)

    bad.how = How.WELL
    await until(lambda: town.states() == [MemberState.UP, MemberState.UP], 0.01)
    before = len(good.calls)
    for _ in range(4):
        await town.ask()
    assert len(bad.calls) == 3
    assert len(good.calls) == before + 2


async def test_each_change_of_a_server_is_told_once_with_its_name_and_why(town: Town) -> None:
    await town.open(1)
    town.servers[0].models_status = 503
    await until(lambda: town.states() == [MemberState.BROKEN], 0.01)
    town.servers[0].models_status = 200
    await until(lambda: town.states() == [MemberState.UP], 0.01)
    assert [one.state for one in town.changes] == [MemberState.UP, MemberState.BROKEN, MemberState.UP]
    assert town.changes[1].why == "status_503"
    assert town.changes[1].replica == town.servers[0].url.removeprefix("http://")


async def test_what_a_server_tells_of_itself_bounds_what_it_is_sent_and_nonsense_is_counted(town: Town) -> None:
    await town.open(1)
    (server,) = town.servers
    assert town.fleet.places("tide") == 4
    server.pages["/metrics"] = (200, "vllm:num_requests_running 1\nvllm:num_requests_waiting 5\n")
    await until(lambda: town.fleet.places("tide") == 1, 0.01)
    await until(lambda: town.moves > 1, 0.01)
    server.pages["/metrics"] = (200, "<html>vllm:num_requests_running</html>")
    await until(lambda: town.fleet.report()[0].unreadable > 0, 0.01)


async def test_places_are_those_of_servers_that_answer(town: Town) -> None:
    await town.open(2)
    assert town.fleet.places("tide") == 8
    town.servers[0].models_status = 500
    await until(lambda: town.fleet.places("tide") == 4, 0.01)
    assert town.fleet.places("another") == 0


async def test_more_calls_than_places_wait_for_one_and_no_longer_than_the_bound(town: Town) -> None:
    await town.open(1)
    (server,) = town.servers
    server.how = How.SLOW
    answers = await asyncio.gather(*(town.ask() for _ in range(6)))
    assert len(answers) == 6
    server.how = How.STALLED
    server.words = ("a",)
    ends = await asyncio.gather(*(town.ask() for _ in range(5)), return_exceptions=True)
    assert len(ends) == 5


async def test_servers_are_exchanged_without_ending_what_runs(town: Town) -> None:
    await town.open(2)
    old, new = town.servers
    town.fleet.replan(town.plans[:1])
    await until(lambda: len(town.states()) == 1, 0.01)
    assert (town.changes[-1].replica, town.changes[-1].state) == (town.plans[1].replica, MemberState.DRAINING)
    old.how = How.SLOW
    old.words = ("a",) * 4
    asking = asyncio.create_task(town.ask())
    await until(lambda: old.running == 1, 0.01)

    town.fleet.replan(town.plans[1:])
    assert MemberState.DRAINING in town.states()
    assert text(await town.ask()) == "Hello there"
    assert text(await asking) == "aaaa"
    await until(lambda: town.states() == [MemberState.UP], 0.01)
    assert (len(old.calls), len(new.calls)) == (1, 1)


async def test_a_newcomer_of_no_certain_kind_is_known_by_what_it_lists(town: Town) -> None:
    await town.open(1)
    (server,) = town.servers
    plan = ServerPlan(url=server.url, models=frozenset({"tide"}), kind=Kind.OPENAI, is_kind_certain=False)
    town.fleet.replan([plan])
    server.models = {"data": [{"id": "tide", "owned_by": "sglang"}]}
    server.pages["/metrics"] = (200, "sglang:num_running_reqs 1\nsglang:num_queue_reqs 2\n")
    await until(lambda: town.fleet.places("tide") == 1, 0.01)
