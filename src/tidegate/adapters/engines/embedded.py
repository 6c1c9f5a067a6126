"""The embedded engine: llama.cpp in a supervised process on a Unix socket.

The supervisor does what `core.capacity.health` decides. A dead, stuck or
never-ready process is killed and started again; calls in flight end with
EngineBrokeError when their connection does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

import aiohttp

from tidegate.adapters.engines import wire
from tidegate.adapters.engines.process import EngineProcess
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import Act, EngineHealth, EngineState, HealthPlan
from tidegate.core.generation.call import Call, ChatCall, Event
from tidegate.ports.engine import (
    CallRejectedError,
    EngineBrokeError,
    EngineError,
    EngineReport,
    EngineUnavailableError,
    ModelCard,
)

_TICK_S = 0.05
_LATE_S = 1.0  # Between two ticks: then it was not the engine that was silent, but we who did not listen.
_ERROR_BODY_BYTES = 65536
_LEARN_S = 10.0  # A call with tools waits no longer than that to hear whether the model takes any.
_LINE_BYTES = 1 << 20  # One chunk with the log-probabilities of many tokens.


class EmbeddedEngine:
    """An Engine. `on_change` is told each new state with the seconds spent loading, if it just became ready."""

    def __init__(
        self,
        card: ModelCard,
        process: EngineProcess,
        socket_path: str,
        plan: HealthPlan,
        on_change: Callable[[EngineReport, float | None], None],
        *,
        aside: int = 0,
    ) -> None:
        """Nothing runs until `start`. `aside` is as in the process's plan."""
        self._card = card
        self._process = process
        self._socket_path = socket_path
        self._health = EngineHealth(plan)
        self._on_change = on_change
        self._aside = aside
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._told = EngineState.STOPPED
        self._spawned_at = 0.0
        self._takes_tools = True
        self._has_learned = asyncio.Event()
        self.ready = asyncio.Event()

    @property
    def card(self) -> ModelCard:
        """The model it serves."""
        return self._card

    @property
    def pid(self) -> int | None:
        """The engine's process id, if one runs."""
        return self._process.pid

    @property
    def last_words(self) -> list[str]:
        """What the process said while it loaded; empty once it serves."""
        return self._process.last_words

    def report(self) -> EngineReport:
        """How it is, without asking it."""
        return EngineReport(
            state=self._health.state,
            why=self._health.why,
            restarts=self._health.restarts,
            retry_after_s=self._health.retry_after_s(time.monotonic()),
        )

    async def start(self) -> None:
        """Begin supervising; returns at once. `ready` is set at the first token."""
        self._http = aiohttp.ClientSession(
            # A connection of its own for each call: the server drops idle ones without a word,
            # and a POST on a dropped connection cannot be repeated safely.
            connector=aiohttp.UnixConnector(self._socket_path, force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            read_bufsize=_LINE_BYTES,
            auto_decompress=False,
        )
        self._keep(self._supervise())

    async def stop(self) -> None:
        """End the process and everything that watches it."""
        self._on_change = _unheard  # The end that is asked for is no failure.
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._process.kill()
        if self._http is not None:
            await self._http.close()

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        """Answer a call; see the port."""
        if self._health.state is not EngineState.READY:
            report = self.report()
            raise EngineUnavailableError(report.why, report.retry_after_s)
        if isinstance(call, ChatCall) and call.tools:
            # It is asked when it has become ready: whoever comes first is not to be answered otherwise than the next.
            await self._has_learned.wait()
            if not self._takes_tools:
                msg = "Its chat template takes no tools."
                raise CallRejectedError(msg, "tools")
        path, body = wire.encode(call, place, self._aside)
        has_begun = False
        self._health.began()
        async with contextlib.aclosing(self._stream(path, body)) as events:
            try:
                async for event in events:
                    has_begun = True
                    yield event
            except (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError, ValueError) as error:
                # The connection ended, or brought something that is no chunk: the engine is gone or mad.
                kind = type(error).__name__
                if has_begun:
                    raise EngineBrokeError(kind) from error
                raise EngineUnavailableError(kind, self.report().retry_after_s) from error
            finally:
                self._health.finished()

    async def _stream(self, path: str, body: bytes) -> AsyncGenerator[Event, None]:
        if self._http is None:
            msg = "not started"
            raise EngineUnavailableError(msg, retry_after_s=2.0)
        headers = {"content-type": "application/json"}
        spawned_at = self._spawned_at
        async with self._http.post(f"http://engine{path}", data=body, headers=headers) as response:
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise wire.refusal(response.status, await response.content.read(_ERROR_BODY_BYTES))
            async for payload in _payloads(response.content):
                for event in wire.decode(payload):
                    self._spoke(spawned_at)
                    yield event

    async def _supervise(self) -> None:
        looked_at = time.monotonic()
        while True:
            now = time.monotonic()
            if now - looked_at > _LATE_S:
                self._health.skipped(now - looked_at)
            looked_at = now
            match self._health.decide(time.monotonic()):
                case Act.SPAWN:
                    await self._spawn()
                case Act.PROBE:
                    self._keep(self._probe())
                case Act.KILL:
                    self._tell(None)  # Before the callers in flight hear of it.
                    await self._process.kill()
                case Act.NOTHING:
                    pass
            self._tell(None)
            await asyncio.sleep(_TICK_S)

    async def _spawn(self) -> None:
        self._spawned_at = time.monotonic()
        self._health.spawned(self._spawned_at)
        try:
            await self._process.spawn()
        except OSError:  # No memory, no handles: as good as a process that died at once.
            self._health.ended("spawn_failed", time.monotonic())
        else:
            self._keep(self._collect())

    async def _collect(self) -> None:
        status = await self._process.wait()
        self._health.ended(f"exit_{status}", time.monotonic())
        self._tell(None)

    async def _probe(self) -> None:
        path, body = wire.probe()
        self._health.probed(time.monotonic())
        try:
            async with contextlib.aclosing(self._stream(path, body)) as events:
                async for _ in events:
                    pass
        except (aiohttp.ClientError, ConnectionError, EngineError, ValueError):
            # Not there yet, or going: whether that is a failure is for the deadlines to say.
            return
        finally:
            self._health.probe_ended(time.monotonic())

    def _spoke(self, spawned_at: float) -> None:
        # What a slow reader still had from a process that is gone says nothing of its successor.
        if spawned_at != self._spawned_at:
            return
        now = time.monotonic()
        if self._health.spoke(now):
            self._process.stop_listening()
            self._keep(self._learn())
            self._tell(now - self._spawned_at)

    async def _learn(self) -> None:
        """Ask what the model's chat template can express; without an answer everything is passed on."""
        if self._http is None:
            return
        try:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
                async with asyncio.timeout(_LEARN_S), self._http.get("http://engine/props") as response:
                    self._takes_tools = wire.takes_tools(await response.read())
        finally:
            self._has_learned.set()

    def _tell(self, load_s: float | None) -> None:
        state = self._health.state
        if state is self._told:
            return
        self._told = state
        if state is EngineState.READY:
            self.ready.set()
        else:
            self.ready.clear()
        self._on_change(self.report(), load_s)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unheard(_report: EngineReport, _load_s: float | None) -> None:
    """Stand for a listener once nobody listens."""


async def _payloads(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The `data:` lines of a server-sent event stream, until `[DONE]`; one line per event is all llama.cpp sends."""
    async for line in stream:
        if line.startswith(b"data: "):
            payload = line[6:].rstrip()
            if payload == b"[DONE]":
                return
            yield payload
        elif line.startswith(b"error: "):
            yield b'{"error":' + line[7:].rstrip() + b"}"
