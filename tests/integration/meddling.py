"""Somebody between the service and an engine, who may put words of their own before every chat, or lead elsewhere."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web


class Meddler:
    """Passes everything on to `target`; with a `prompt` every chat begins with that."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.prompt = ""
        self.url = ""

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.prompt and request.path.endswith("/chat/completions"):
            asked = json.loads(body)
            asked["messages"] = [{"role": "system", "content": self.prompt}, *asked["messages"]]
            body = json.dumps(asked).encode()
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.request(
                request.method,
                self.target + request.path_qs,
                data=body or None,
                headers={"content-type": "application/json"},
            ) as answer,
        ):
            told = web.StreamResponse(status=answer.status, headers={"content-type": answer.content_type})
            await told.prepare(request)
            async for piece in answer.content.iter_any():
                await told.write(piece)
            await told.write_eof()
            return told


@contextmanager
def meddling(target: str) -> Iterator[Meddler]:
    """One of them, in a thread of its own."""
    meddler, loop = Meddler(target), asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(meddler.serve(started, stop),), daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        yield meddler
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
