"""An OpenAI-compatible server on loopback that does to each call what a test says, and tells what became of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Any

from aiohttp import web


class How(StrEnum):
    """What is done to a call."""

    WELL = "well"
    SLOW = "slow"  # But flowing.
    GARBAGE = "garbage"
    PAGE = "page"
    WRONG_CHUNK = "wrong_chunk"
    SILENT = "silent"  # Not even a head comes.
    HEAD_ONLY = "head_only"
    COMMENTS = "comments"  # It keeps the connection open and computes nothing.
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    STALLED = "stalled"  # One word, and nothing more.
    ENDLESS = "endless"
    NO_USAGE = "no_usage"
    NO_DONE = "no_done"
    ERROR_IN_STREAM = "error_in_stream"
    REJECTED = "rejected"
    TOO_LONG_ANSWER = "too_long_answer"
    FAILING = "failing"  # 500
    BUSY = "busy"  # 429
    WRONG_KEY = "wrong_key"


class ScriptedServer:
    """`how` holds for calls from now on; `calls` are callers' bodies that came, `left` counts those who went away."""

    def __init__(self, words: tuple[str, ...] = ("Hello", " there")) -> None:
        self.words = words
        self.how = How.WELL
        self.hows: list[How] = []  # Of the next calls of callers: neither of looks nor of trials.
        self.calls: list[dict[str, Any]] = []
        self.looks: list[dict[str, Any]] = []  # Whether it is still the same model.
        self.keys: list[str | None] = []
        self.asked: list[str] = []
        self.left = 0
        self.running = 0
        self.models: Any = {"data": [{"id": "tide", "owned_by": "vllm", "max_model_len": 4096}]}
        self.models_status = 200
        self.pages: dict[str, tuple[int, str]] = {}
        self.hold = asyncio.Event()  # What is slow or silent ends with it.
        self.url = ""

    @asynccontextmanager
    async def running_here(self, port: int = 0) -> AsyncIterator[ScriptedServer]:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._chat)
        app.router.add_get("/{path:.*}", self._get)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.hold.set()
            await runner.cleanup()
            await asyncio.sleep(0)  # Connections are closed in the loop's next turn, and this may be its last.

    async def _get(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.how is How.SILENT:
            await self.hold.wait()
        if request.path == "/v1/models":
            text = self.models if isinstance(self.models, str) else json.dumps(self.models)
            return web.Response(text=text, status=self.models_status)
        status, text = self.pages.get(request.path, (404, "{}"))
        return web.Response(text=text, status=status)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        is_callers = False
        if "logprobs" in body:
            self.looks.append(body)
        elif body["messages" if "messages" in body else "prompt"] != [{"role": "user", "content": "1"}]:
            is_callers = True
            self.calls.append(body)
        self.keys.append(request.headers.get("authorization"))
        self.running += 1
        try:
            return await self._answer(request, body, self.hows.pop(0) if is_callers and self.hows else self.how)
        except (asyncio.CancelledError, ConnectionError):
            self.left += 1
            raise
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], how: How) -> web.StreamResponse:
        match how:
            case How.SILENT:
                await self.hold.wait()
            case How.PAGE:
                return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
            case How.REJECTED:
                return _error(400, "no such thing")
            case How.TOO_LONG_ANSWER if body.get("max_tokens"):
                return _error(
                    400,
                    "'max_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your "
                    "request has 12 input tokens.",
                )
            case How.FAILING:
                return _error(500, "secret words")
            case How.BUSY:
                return _error(429, "later")
            case How.WRONG_KEY:
                return _error(401, "wrong key")
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        await self._write(stream, how)
        return stream

    async def _write(self, stream: web.StreamResponse, how: How) -> None:
        if how in _BEFORE_THE_FIRST_WORD:
            await stream.write(_BEFORE_THE_FIRST_WORD[how])
        elif how is How.CUT_BEFORE:
            _transport(stream).close()
        elif how is How.HEAD_ONLY:
            await self.hold.wait()
        elif how is How.COMMENTS:
            while not self.hold.is_set():
                await stream.write(b": alive\n\n" + _data({"choices": [{"delta": {"role": "assistant"}}]}))
                await asyncio.sleep(0.02)
        else:
            await self._speak(stream, how)

    async def _speak(self, stream: web.StreamResponse, how: How) -> None:
        for word in self.words:
            await stream.write(_data({"choices": [{"delta": {"content": word}}]}))
            await asyncio.sleep(0.1 if how is How.SLOW else 0.01 if how is How.CUT_AFTER else 0)
            if how is How.CUT_AFTER:
                _transport(stream).abort()
                return
            if how is How.STALLED:
                await self.hold.wait()
        while how is How.ENDLESS:
            await stream.write(_data({"choices": [{"delta": {"content": "x"}}]}) * 100)
        await stream.write(_data({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
        if how is not How.NO_USAGE:
            usage = {"prompt_tokens": 7, "completion_tokens": len(self.words)}
            await stream.write(_data({"choices": [], "usage": usage}))
        if how is How.NO_DONE:
            await self.hold.wait()
        await stream.write(b"data: [DONE]\n\n")


def _transport(stream: web.StreamResponse) -> asyncio.Transport:
    """What a stream is written to: the only way to cut it."""
    request = stream._req
    assert request is not None
    assert isinstance(request.transport, asyncio.Transport)
    return request.transport


@contextmanager
def in_a_thread(count: int) -> Iterator[list[ScriptedServer]]:
    """So many of them, for tests that have no event loop."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    servers: list[ScriptedServer] = []
    started = threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            servers.extend([await stack.enter_async_context(ScriptedServer().running_here()) for _ in range(count)])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        yield servers
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def _data(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "x"}}, status=status)


_BEFORE_THE_FIRST_WORD = {
    How.GARBAGE: b"\x00\xff not what was asked for\n",
    How.WRONG_CHUNK: _data({"choices": [{"delta": {"content": 5}}]}),
    How.ERROR_IN_STREAM: _data({"error": {"message": "secret words", "type": "InternalServerError"}}),
}
