"""The gate as a middleware, around an application of somebody else's that answers as servers of models do.

All of it lives in the process that it runs in: several workers judge each by
themselves. With a data directory what is known of callers outlasts the process,
and then only one process may use that directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Unpack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.adapters.disk.datadir import DataDir, DataDirError
from tidegate.adapters.disk.secrets import SecretsError, load_or_create_secrets
from tidegate.adapters.sql.callers import open_callers
from tidegate.app.background import beside
from tidegate.app.door import guess, open_admission, open_gate, steady_clock
from tidegate.app.engines import fitted
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.plans import plans_of
from tidegate.app.recording import open_recording
from tidegate.app.running import open_log
from tidegate.app.wrapping_plan import WrappingPlan, WrappingSettings, plan_of
from tidegate.config import Settings
from tidegate.config.exposure import trusted_proxies
from tidegate.core.admission.room import room_ahead
from tidegate.core.capacity.pressure import Pressure
from tidegate.core.events import AnyEvent
from tidegate.core.identifiers import UserId
from tidegate.core.standing.register import Register
from tidegate.http.gate.callers import PassedKeys
from tidegate.http.gate.clients import Clients, packed
from tidegate.http.gate.guard import Guard
from tidegate.http.gate.telling import Telling
from tidegate.http.proxy.addresses import Addresses
from tidegate.http.proxy.passing import Proxy, Rejecting
from tidegate.http.wrapping.application import Wrapping
from tidegate.http.wrapping.handler import Handler
from tidegate.http.wrapping.paths import KeysOnPaths, Paths
from tidegate.ports.journal import Journal
from tidegate.ports.standing import StandingStore
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.proven import Proven
from tidegate.services.recorder import Recorder
from tidegate.services.reputation import Reputation

_SECRET_BYTES: Final = 32


class TidegateMiddleware:
    """Serves the callers it knows first when there is not room for everybody; a pure ASGI middleware.

        app.add_middleware(TidegateMiddleware, slots=8)          # FastAPI, Starlette
        app = TidegateMiddleware(app, slots=8)                   # any ASGI application

    Every request is judged by its head: by its caller's key, once the application
    has accepted that, else by its address. Whatever is posted to one of `paths`
    then waits for one of `slots` places, fairly by key, and is told how long or
    refused at once. The application judges the keys, and says 401 to those that it
    does not know. What else it takes stands at WrappingPlan.
    """

    def __init__(self, app: ASGIApp, **settings: Unpack[WrappingSettings]) -> None:
        """Raises ValueError for settings that cannot be meant; nothing is opened yet.

        While an event loop runs it is raised by the first call instead: FastAPI and Starlette make their middleware
        only when they are called, and a server that is answered so takes it for an application without a life,
        starts, and fails with each request.
        """
        self._app = app
        self._mistake: ValueError | None = None
        self._plan = WrappingPlan()
        try:
            self._plan = plan_of(settings)
        except ValueError as error:
            if not _is_loop_running():
                raise
            self._mistake = error
        self._opening = asyncio.Lock()
        self._kept = contextlib.AsyncExitStack()
        self._inside: Wrapping | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's life."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(scope, receive, send)
        elif kind == "http":
            await (self._inside or await self._open())(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open before the application starts, and close after it has stopped."""
        first = await receive()
        try:
            await self._open()
        except (DataDirError, SecretsError, StorageUnavailableError, ValueError) as error:
            # Their sentences say what to do: a traceback would only hide them.
            await send({"type": "lifespan.startup.failed", "message": f"Tidegate cannot start: {error}"})
            return
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"Tidegate cannot start: {error}"})
            raise
        untold = [first]

        async def receive_from_first() -> Message:
            return untold.pop() if untold else await receive()

        async def send_when_closed(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._close()
            await send(message)

        await self._app(scope, receive_from_first, send_when_closed)

    async def _open(self) -> Wrapping:
        # Two first requests may come together.
        async with self._opening:
            if self._inside is None:
                self._inside = await self._opened()
            return self._inside

    async def _close(self) -> None:
        async with self._opening:
            self._inside = None
            await self._kept.aclose()

    async def _opened(self) -> Wrapping:
        if self._mistake is not None:
            raise self._mistake
        plan = self._plan
        if plan.data_dir is None:
            return _wrapped(self._app, plan, os.urandom(_SECRET_BYTES), _Silent(), None, None)[0]
        async with contextlib.AsyncExitStack() as stack:
            settings = plan.settings()
            datadir, secret, journal, store = await stack.enter_async_context(_keeping(plan.data_dir, settings))
            reputation = Reputation(store, _register(plan, secret), time.time)
            await reputation.load()
            recorder = await stack.enter_async_context(open_recording(settings, datadir, secret, journal))
            made, telling = _wrapped(self._app, plan, secret, journal, reputation, recorder)
            stack.push_async_callback(reputation.flush)
            await stack.enter_async_context(beside(reputation.flush_now_and_then(), telling.tell_now_and_then()))
            self._kept = stack.pop_all()
        return made


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Silent:
    """A journal that nobody keeps."""

    def record(self, event: AnyEvent) -> None:
        """Drop it."""


def _register(plan: WrappingPlan, secret: bytes) -> Register:
    plans = plans_of(plan.settings(), secret)
    return Register(plans.standing, plan.gate.most_principals)


def _wrapped(
    app: ASGIApp,
    plan: WrappingPlan,
    secret: bytes,
    journal: Journal,
    reputation: Reputation | None,
    recorder: Recorder | None,
) -> tuple[Wrapping, Telling]:
    settings = plan.settings()
    plans = plans_of(settings, secret)
    register = _register(plan, secret) if reputation is None else reputation.register

    def served(principal: UserId, cost_tokens: float, in_flight: int) -> None:
        register.served(principal, cost_tokens, in_flight, time.time())

    admission = open_admission(plans, register, served, fit=lambda made: fitted(made, plan.slots), recorder=recorder)
    fingerprint = fingerprinter(secret)
    paths = Paths(plan.paths, plan.spared)
    keys = PassedKeys(secret, lambda principal: register.record(principal) is not None, time.monotonic)
    steady, pressure = steady_clock(), Pressure()
    telling = Telling(journal, pressure, fingerprint, time.time, time.monotonic)
    gate = open_gate(plans.gate, register, room_ahead(register, (admission.scheduler,), time.monotonic), recorder)
    guard = Guard(
        gate=gate,
        credentials=KeysOnPaths(keys),
        clients=Clients(trusted_proxies(settings)),
        lanes=paths,
        clock=steady,
        counted=telling.counted,
        spared=telling.spared,
        reported=telling.reported,
        crashed=telling.crashed,
    )

    def guessed(host: str) -> None:
        address = packed(host)
        if address is not None:
            gate.note_guess(address, steady())

    proxy = Proxy(
        upstreams=Handler(app),
        addresses=Addresses(),
        keys=keys,
        proven=Proven(register, time.time, lambda: pressure.is_flooded(time.monotonic()), alive=gate.note_alive),
        admission=admission,
        lifecycle=Lifecycle(),
        rejecting=Rejecting(lambda digest: gate.note_turned_down(digest, steady()), guessed),
        fingerprint=fingerprint,
        max_body_bytes=plan.max_body_bytes,
        strangers_body_bytes=settings.gate.strangers_body_bytes,
        guess=guess(admission.scheduler),
    )
    made = Wrapping(
        app,
        guard=guard,
        paths=paths,
        admitting=proxy,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        ticks=time.monotonic,
    )
    return made, telling


@contextlib.asynccontextmanager
async def _keeping(path: Path, settings: Settings) -> AsyncIterator[tuple[DataDir, bytes, Journal, StandingStore]]:
    """Use a data directory: its secret, its log, and what is known of callers."""
    datadir = DataDir.open(path)
    with datadir.lock():
        secret = load_or_create_secrets(datadir).fingerprint_key
        with contextlib.closing(open_log(settings, datadir)) as log:
            half_life_days = settings.standing.half_life_days
            async with open_callers(datadir.callers_url, half_life_days=half_life_days) as store:
                yield datadir, secret, log, store
