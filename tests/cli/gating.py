"""What a running gate is to the verbs: somebody who holds the data directory, and answers on its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from tidegate.adapters.disk import DataDir, load_or_create_secrets
from tidegate.adapters.sql.callers import open_callers
from tidegate.adapters.telemetry.log import JsonLog
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.listening import bind_path, server
from tidegate.app.reputation import caller_reputation
from tidegate.config import Settings
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record
from tidegate.http.answering import Answering
from tidegate.http.control import callers as caller_control
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.routes import bind, router
from tidegate.services.callers import Callers
from tidegate.services.issuing import Issuing
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.reputation import Reputation

Act = Callable[[Reputation], None]


class RunningGate:
    """A gate's control side in a thread of its own; `do` does something to what it knows, there."""

    def __init__(self, data: Path, *, has_callers: bool, is_issuing: bool) -> None:
        self._datadir = DataDir.open(data)
        self._has_callers = has_callers
        self._is_issuing = is_issuing
        self._loop = asyncio.new_event_loop()
        self._told = asyncio.Event()
        self._reputation: Reputation | None = None
        self.is_open = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def came(self, principal: UserId) -> None:
        """Let a caller be accepted by the upstream; not written to the store yet."""
        assert self._reputation is not None
        record = Record.of_caller(principal, time.time())
        self._loop.call_soon_threadsafe(self._reputation.register.change, record)

    def stop(self) -> None:
        if self.thread.is_alive():
            self._loop.call_soon_threadsafe(self._told.set)
        self.thread.join(20)
        assert not self.thread.is_alive()
        self._loop.close()

    def _run(self) -> None:
        try:
            with self._datadir.lock():
                self._loop.run_until_complete(self._serve())
        finally:
            # The loop stays open: whoever says stop may be a moment too late.
            self.is_open.set()

    async def _serve(self) -> None:
        secrets = load_or_create_secrets(self._datadir)
        fingerprint = fingerprinter(secrets.fingerprint_key)
        path = self._datadir.logs_path / "events.jsonl"
        with contextlib.closing(JsonLog(path, max_bytes=1 << 20, kept_files=1)) as log:
            async with open_callers(self._datadir.callers_url) as store:
                self._reputation = caller_reputation(Settings(), store)
                issuing = Issuing(store, secrets.server_keys, self._reputation, time.time)
                room = Callers(
                    reputation=self._reputation,
                    recent=store.recent,
                    journal=log,
                    fingerprint=fingerprint,
                    clock=time.time,
                    issuing=issuing if self._is_issuing else None,
                )
                routes = bind(caller_control.TABLE, room, open_door) if self._has_callers else []
                answering = Answering(app=router(routes), journal=log, lifecycle=Lifecycle(), clock=time.time)
                app = Frame(app=answering, journal=log, fingerprint=fingerprint, clock=time.time, ticks=time.monotonic)
                await self._listen(app)
                await self._reputation.flush()

    async def _listen(self, app: ASGIApp) -> None:
        one = server(app)
        task = asyncio.create_task(one.serve(sockets=[bind_path(self._datadir.run_path / "control.sock")]))
        self.is_open.set()
        await self._told.wait()
        one.should_exit = True
        await task


@contextmanager
def running_gate(data: Path, *, has_callers: bool = True, is_issuing: bool = False) -> Iterator[RunningGate]:
    """Hold the data directory and answer, as a gate does; without `has_callers` as what is no gate.

    `is_issuing`: its callers show keys of its own.
    """
    gate = RunningGate(data, has_callers=has_callers, is_issuing=is_issuing)
    gate.thread.start()
    try:
        assert gate.is_open.wait(20)
        assert gate.thread.is_alive(), "it failed to start"
        yield gate
    finally:
        gate.stop()
