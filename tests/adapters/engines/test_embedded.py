"""What the embedded engine is asked as soon as it is ready, with a server of the test's own in its place."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.embedded import EmbeddedEngine
from tidegate.adapters.engines.pooled import card_of
from tidegate.adapters.engines.process import EngineProcess
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import HealthPlan
from tidegate.core.generation.call import ChatCall, Event, Sampling, Turn
from tidegate.ports.engine import CallRejectedError

UNTIL_CLOSED = (sys.executable, "-c", "import sys; sys.stdin.buffer.read()")
TOKEN = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
PLAIN = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling(max_tokens=1))
WITH_TOOLS = ChatCall(
    messages=[Turn(role="user", content="Hello")],
    sampling=Sampling(max_tokens=1),
    tools=[{"type": "function", "function": {"name": "f"}}],
)


class Within:
    """What answers in the engine's place, and tells of its template when it is let."""

    def __init__(self) -> None:
        self.let, self.is_asked = asyncio.Event(), asyncio.Event()

    async def chat(self, _request: web.Request) -> web.Response:
        return web.Response(body=TOKEN, content_type="text/event-stream")

    async def props(self, _request: web.Request) -> web.Response:
        self.is_asked.set()
        await self.let.wait()
        return web.json_response({"chat_template_caps": {"supports_tools": False}})


@asynccontextmanager
async def ready(within: Within, folder: Path) -> AsyncIterator[EmbeddedEngine]:
    path = str(folder / "engine.sock")
    app = web.Application()
    app.router.add_get("/props", within.props)
    app.router.add_post("/{path:.*}", within.chat)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    process = EngineProcess(EnginePlan(model_path="tide.gguf", socket_path=path), os.environ, UNTIL_CLOSED)
    engine = EmbeddedEngine(card_of("tide", 1024), process, path, HealthPlan(), lambda *_: None)
    await engine.start()
    try:
        await asyncio.wait_for(engine.ready.wait(), 20)
        yield engine
    finally:
        await engine.stop()
        await runner.cleanup()


async def ask(engine: EmbeddedEngine, call: ChatCall) -> list[Event]:
    async with aclosing(engine.generate(call, Place(0, is_warm=False, owner="usr_ana"))) as events:
        return [event async for event in events]


async def test_who_asks_with_tools_before_it_is_known_whether_it_takes_any_is_told_what_the_next_is(
    tmp_path: Path,
) -> None:
    within = Within()
    async with ready(within, tmp_path) as engine:
        await asyncio.wait_for(within.is_asked.wait(), 20)
        asking = asyncio.create_task(ask(engine, WITH_TOOLS))
        assert await ask(engine, PLAIN), "nobody else waits for that"
        assert not asking.done()
        within.let.set()
        with pytest.raises(CallRejectedError):
            await asyncio.wait_for(asking, 20)


async def test_a_model_that_never_says_what_it_takes_is_passed_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.adapters.engines.embedded._LEARN_S", 0.05)
    async with ready(Within(), tmp_path) as engine:
        assert await asyncio.wait_for(ask(engine, WITH_TOOLS), 20)
