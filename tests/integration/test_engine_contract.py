"""What the port promises of an engine holds for the embedded one and for servers elsewhere, with a real model."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.elsewhere import llama_servers
from tests.integration.running import MODEL
from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.embedded import EmbeddedEngine
from tidegate.adapters.engines.fleet import Fleet, FleetPlan
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.pooled import PooledEngine, card_of
from tidegate.adapters.engines.process import EngineProcess
from tidegate.adapters.engines.servers import ServerPlan
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import EngineState, HealthPlan
from tidegate.core.generation.call import (
    Call,
    ChatCall,
    Delta,
    Event,
    Finished,
    FinishReason,
    Sampling,
    TextCall,
    Turn,
    Usage,
)
from tidegate.ports.engine import CallRejectedError, ContextExceededError, Engine, EngineUnavailableError
from tidegate.testing.clock import until

pytestmark = pytest.mark.integration

CARD = card_of(MODEL, 1024)
PLACE = Place(0, is_warm=False, owner="usr_ana")


@asynccontextmanager
async def embedded(models: Path, folder: Path, stack: AsyncExitStack) -> AsyncIterator[Engine]:
    socket = str(folder / "engine.sock")
    plan = EnginePlan(
        model_path=str(models / f"{MODEL}.gguf"), socket_path=socket, slots=2, context_tokens=1024, batch_tokens=14
    )
    engine = EmbeddedEngine(CARD, EngineProcess(plan, os.environ), socket, HealthPlan(), lambda *_: None)
    await engine.start()
    stack.push_async_callback(engine.stop)
    yield engine


@asynccontextmanager
async def pooled(models: Path, _folder: Path, stack: AsyncExitStack) -> AsyncIterator[Engine]:
    servers = stack.enter_context(llama_servers(models, 1))
    plans = [ServerPlan(url=one.url, models=frozenset({MODEL}), places=2, kind=Kind.LLAMA_CPP) for one in servers]
    fleet = Fleet(FleetPlan(), plans, lambda _: None, lambda: None)
    yield PooledEngine(CARD, fleet, lambda owner: owner)
    await fleet.stop()


@asynccontextmanager
async def _started(engine: Engine) -> AsyncIterator[None]:
    if isinstance(engine, PooledEngine):
        await engine._fleet.start()
    await until(lambda: engine.report().state is EngineState.READY, 0.02)
    yield


@pytest.fixture(params=[embedded, pooled], ids=lambda make: make.__name__)
async def engine(request: pytest.FixtureRequest, models: Path, tmp_path: Path) -> AsyncIterator[Engine]:
    async with AsyncExitStack() as stack:
        made: Engine = await stack.enter_async_context(request.param(models, tmp_path, stack))
        await stack.enter_async_context(_started(made))
        yield made


def chat(words: str = "Say hello.", max_tokens: int = 4, **fields: object) -> ChatCall:
    return ChatCall(
        messages=[Turn(role="user", content=words)],
        sampling=Sampling(max_tokens=max_tokens, temperature=0.0),
        **fields,  # type: ignore[arg-type]  # what a test says
    )


async def ask(engine: Engine, call: Call) -> list[Event]:
    async with aclosing(engine.generate(call, PLACE)) as events:
        return [event async for event in events]


async def test_an_answer_comes_in_pieces_has_one_end_and_tells_what_it_cost(engine: Engine) -> None:
    for call in (chat(), TextCall(prompt="Once upon a", sampling=Sampling(max_tokens=4, temperature=0.0))):
        events = await ask(engine, call)
        assert "".join(event.content for event in events if isinstance(event, Delta))
        assert [event for event in events if isinstance(event, Finished)] == [Finished(FinishReason.LENGTH)]
        (usage,) = (event for event in events if isinstance(event, Usage))
        assert usage.completion_tokens == 4
        assert usage.prompt_tokens > 2
        assert usage.prefill_tok_s > 0
        assert usage.decode_tok_s > 0


async def test_the_same_call_has_the_same_answer_wherever_it_is_made(engine: Engine) -> None:
    first, second = await ask(engine, chat(max_tokens=6)), await ask(engine, chat(max_tokens=6))
    said = ["".join(event.content for event in events if isinstance(event, Delta)) for events in (first, second)]
    assert said[0] == said[1]
    cold = [event for event in second if isinstance(event, Usage)]
    assert [usage.cached_tokens for usage in cold] == [0], "no place was said to be warm"


async def test_a_prompt_that_is_too_long_is_refused_with_both_figures(engine: Engine) -> None:
    with pytest.raises(ContextExceededError) as refused:
        await ask(engine, chat("word " * 3000))
    assert refused.value.prompt_tokens > refused.value.context_tokens == 1024


async def test_a_call_that_it_cannot_take_is_the_callers_to_mend(engine: Engine) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "no such type"}}}
    with pytest.raises(CallRejectedError):
        await ask(engine, chat(response_format=schema))
    assert await ask(engine, chat()), "and goes on"


async def test_leaving_frees_it_for_the_next(engine: Engine) -> None:
    for _ in range(5):
        events = engine.generate(chat("Count to a thousand.", max_tokens=900), PLACE)
        while not isinstance(await anext(events), Delta):
            pass
        await events.aclose()
    assert await ask(engine, chat())


@pytest.mark.parametrize("make", [embedded, pooled], ids=lambda make: make.__name__)
async def test_before_it_is_ready_it_says_so_instead_of_waiting(make: object, models: Path, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(make(models, tmp_path, stack))  # type: ignore[operator]  # one of two
        if isinstance(engine, PooledEngine):
            engine._fleet.replan([])
        assert engine.report().state is not EngineState.READY
        with pytest.raises(EngineUnavailableError) as refused:
            await ask(engine, chat())
        assert refused.value.retry_after_s > 0
