"""What one server of several is asked by itself takes nobody's place and is no word on how the server is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from tests.adapters.engines.behind import DONE, Behind, Line, answer, listening, saying, stream
from tests.adapters.engines.serving import How
from tests.adapters.engines.test_pooled import CALL, PLAN, Town
from tidegate.adapters.engines.fleet import Fleet
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.pooled import card_of
from tidegate.adapters.engines.servers import ServerPlan
from tidegate.adapters.engines.single import SingleEngine
from tidegate.core.admission.claims import ASIDE
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import MemberState
from tidegate.core.generation.call import Delta
from tidegate.core.models.pin import PROMPTS, Part
from tidegate.ports.engine import EngineBrokeError, EngineUnavailableError
from tidegate.services.reading import Asked, UnansweredError, ask
from tidegate.testing.clock import until


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(stack)


def single(town: Town, number: int = 0) -> SingleEngine:
    return SingleEngine(card_of("tide", 4096), town.fleet, town.servers[number].url)


async def said(engine: SingleEngine) -> str:
    async with aclosing(engine.generate(CALL, ASIDE)) as events:
        return "".join([event.content async for event in events if isinstance(event, Delta)])


async def test_it_asks_this_server_and_no_other(town: Town) -> None:
    await town.open(2)
    for number in (0, 1, 1):
        assert await said(single(town, number)) == "Hello there"
    assert [len(server.calls) for server in town.servers] == [1, 2]


async def test_what_it_is_asked_is_never_answered_from_what_was_known_before(town: Town) -> None:
    """Or weights that were exchanged under a server's cache would answer as the old ones did."""
    await town.open(1)
    await said(single(town))
    await said(single(town))
    first, second = (call["cache_salt"] for call in town.servers[0].calls)
    assert first != second


async def test_of_llama_cpp_too(town: Town) -> None:
    await town.open(1, Kind.LLAMA_CPP)
    await said(single(town))
    assert town.servers[0].calls[0]["cache_prompt"] is False


@pytest.mark.parametrize("how", [How.SILENT, How.GARBAGE, How.CUT_AFTER, How.FAILING, How.COMMENTS])
async def test_a_server_is_not_thought_less_of_for_what_it_did_to_a_look(town: Town, how: How) -> None:
    await town.open(2)
    town.servers[0].how = how
    with pytest.raises(EngineBrokeError):
        await said(single(town))
    report = town.fleet.report()[0]
    assert (report.state, report.running, report.failures) == (MemberState.UP, 0, 0)
    assert single(town).report().state is EngineState.READY


async def test_a_look_that_goes_well_does_not_make_a_broken_server_well(town: Town) -> None:
    await town.open(2)
    town.servers[0].models_status = 500
    await until(lambda: town.states()[0] is MemberState.BROKEN, 0.01)
    assert single(town).report().state is EngineState.FAILED
    assert await said(single(town)) == "Hello there"
    assert town.states()[0] is MemberState.BROKEN


async def test_a_server_that_failed_a_caller_is_not_looked_at_before_it_has_proved_itself(town: Town) -> None:
    await town.open(2)
    town.servers[0].how = How.FAILING
    while not town.servers[0].calls:
        await town.ask()
    assert town.states()[0] is MemberState.UP
    assert single(town).report().state is EngineState.FAILED
    town.servers[0].how = How.WELL
    await until(lambda: single(town).report().state is EngineState.READY, 0.01)


async def test_callers_find_all_places_while_it_is_asked(town: Town) -> None:
    await town.open(1)
    places = town.fleet.places("tide")
    town.servers[0].how = How.STALLED
    looks = [asyncio.create_task(said(single(town))) for _ in range(places)]
    await until(lambda: town.servers[0].running == places, 0.01)
    assert town.fleet.places("tide") == places
    assert not town.fleet.is_full(town.servers[0].url)
    town.servers[0].how = How.WELL
    assert await town.ask()
    for look in looks:
        look.cancel()
    await asyncio.gather(*looks, return_exceptions=True)
    await until(lambda: town.servers[0].running == 0, 0.01)


async def test_a_server_that_is_given_up_ends_a_look_that_waits_for_its_first_word(town: Town) -> None:
    """It may be as long as the bound of a look; a server that is dead is not waited for."""
    await town.open(2, plan=type(PLAN)(pool=PLAN.pool, first_s=30.0, silence_s=30.0, ask_every_s=0.1))
    (dead, _) = town.servers
    dead.how = How.SILENT
    with pytest.raises(UnansweredError):
        async with asyncio.timeout(10):
            await ask(single(town), Asked(), at_once=True)
    await until(lambda: dead.running == 0, 0.01)


async def test_one_that_is_left_out_is_asked_nothing_and_may_go_while_it_is_asked(town: Town) -> None:
    await town.open(2)
    engine, url = single(town), town.servers[0].url
    town.servers[0].how = How.STALLED
    look = asyncio.create_task(said(engine))
    await until(lambda: town.servers[0].running == 1, 0.01)
    town.fleet.replan(town.plans[1:])
    assert [one.replica for one in town.fleet.report()] == [town.plans[1].replica], "nobody waits for the look"
    assert (town.fleet.is_well(url), town.fleet.is_full(url)) == (False, False)
    with pytest.raises(EngineUnavailableError):
        await said(engine)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
async def test_a_server_that_has_no_place_for_plain_texts_is_heard_in_chats(status: str) -> None:
    likely = {"token": "a", "logprob": -0.5, "top_logprobs": []}
    chat = {"choices": [{"delta": {"content": "a"}, "logprobs": {"content": [likely]}}]}
    end = {"choices": [{"delta": {}, "finish_reason": "length"}]}

    async def behave(line: Line) -> None:
        is_chat = line.asked.line.startswith("POST /v1/chat/completions ")
        events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (chat, end)]
        await line.write(stream(*events, DONE) if is_chat else answer(b"{}", status=status))

    behind = Behind(behave)
    behind.probe = saying(answer(b'{"data":[]}'))
    async with listening(behind):
        plans = [ServerPlan(url=behind.url, models=frozenset({"tide"}))]
        fleet = Fleet(PLAN, plans, lambda _: None, lambda: None)
        asked = Asked()
        await ask(SingleEngine(card_of("tide", 4096), fleet, behind.url), asked)
        await fleet.stop()
    assert [len(reading.positions) for reading in asked.readings] == [part is Part.TEMPLATE for part, _ in PROMPTS]


async def test_a_server_is_full_while_as_much_runs_on_it_as_may(town: Town) -> None:
    await town.open(1)
    (server,) = town.servers
    server.how = How.STALLED
    calls = [asyncio.create_task(town.ask()) for _ in range(4)]
    await until(lambda: server.running == 4, 0.01)
    assert town.fleet.is_full(server.url)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert not town.fleet.is_full(server.url)


async def test_what_callers_were_answered_is_counted_and_what_failed_or_a_look_was_is_not(town: Town) -> None:
    await town.open(1)
    await town.ask()
    await said(single(town))
    town.servers[0].how = How.GARBAGE
    with pytest.raises(EngineBrokeError):
        await town.ask()
    assert town.fleet.servers[0].answers == {"tide": 1}


async def test_all_prompts_are_asked_at_once_where_that_is_wanted(town: Town) -> None:
    await town.open(1)
    town.servers[0].how = How.STALLED
    asking: asyncio.Task[Any] = asyncio.create_task(ask(single(town), Asked(), at_once=True))
    await until(lambda: town.servers[0].running == len(PROMPTS), 0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: town.servers[0].running == 0, 0.01)
