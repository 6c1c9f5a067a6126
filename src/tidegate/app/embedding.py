"""The gate as a middleware, around an application of somebody else's that answers as servers of models do.

All of it lives in the process that it runs in: several workers judge each by
themselves. With a data directory what is known of callers outlasts the process,
and then only one process may use that directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import load_or_create_secrets
from tidegate.adapters.sql.callers import open_callers
from tidegate.adapters.telemetry.log import JsonLog
from tidegate.app.door import guess, open_admission, open_door
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.plans import plans_of
from tidegate.config import Settings, SettingsError
from tidegate.config.settings import (
    AdmissionSettings,
    EngineSettings,
    GateSettings,
    ServerSettings,
    StandingSettings,
)
from tidegate.core.events import AnyEvent
from tidegate.core.identifiers import UserId
from tidegate.core.standing.register import Register
from tidegate.http.gate.callers import PassedKeys
from tidegate.http.proxy.addresses import Addresses
from tidegate.http.proxy.passing import Proxy, Rejecting
from tidegate.http.wrapping.application import Wrapping
from tidegate.http.wrapping.handler import Handler
from tidegate.http.wrapping.paths import ASKED, SPARED, KeysOnPaths, Paths
from tidegate.ports.journal import Journal
from tidegate.ports.standing import StandingStore
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.proven import Proven
from tidegate.services.reputation import Reputation

_SECRET_BYTES: Final = 32
_OF_CONNECTIONS: Final = frozenset(
    {"connections", "connections_per_address", "head_s", "body_s", "body_bytes_per_s", "strangers_body_bytes", "idle_s"}
)

_AT: Final = re.compile(r" - at `\$\.([^`]*)`\Z")

_Path = Annotated[str, Meta(pattern="^/[^?#]*$", max_length=200)]


class WrappingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What TidegateMiddleware takes. `gate`, `admission` and `standing` are tables as in Tidegate's configuration.

    paths: what is posted there asks a model; placeholders as Starlette's, `/v1/{name}/chat`.
    spared: never refused, such as what a balancer asks for.
    slots: so many requests are answered at once.
    max_waiting: so many more may wait, of each standing.
    max_per_caller: so many one caller may have running or waiting.
    max_body_bytes: a larger body is refused.
    trusted_proxies: whose word on the caller's address is believed.
    data_dir: where what is known of callers is kept; by default it is forgotten with the process.
    """

    paths: Annotated[tuple[_Path, ...], Meta(min_length=1)] = ASKED
    spared: tuple[_Path, ...] = SPARED
    slots: Annotated[int, Meta(ge=1, le=65_536)] = 8
    max_waiting: Annotated[int, Meta(ge=1, le=100_000)] = EngineSettings().max_waiting
    max_per_caller: Annotated[int, Meta(ge=1, le=100_000)] = EngineSettings().max_per_account
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = ServerSettings().max_body_bytes
    trusted_proxies: tuple[str, ...] = ()
    data_dir: Path | None = None
    gate: GateSettings = GateSettings()
    admission: AdmissionSettings = AdmissionSettings()
    standing: StandingSettings = StandingSettings()

    def settings(self) -> Settings:
        """The same as Tidegate's own settings have it."""
        return Settings(
            server=ServerSettings(trusted_proxies=self.trusted_proxies, max_body_bytes=self.max_body_bytes),
            engine=EngineSettings(max_waiting=self.max_waiting, max_per_account=self.max_per_caller),
            gate=self.gate,
            admission=self.admission,
            standing=self.standing,
        )


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

    def __init__(self, app: ASGIApp, **settings: Any) -> None:
        """Raises ValueError for settings that cannot be meant; nothing is opened yet."""
        self._app = app
        self._plan = _plan_of(settings)
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
        plan = self._plan
        if plan.data_dir is None:
            return _wrapped(self._app, plan, os.urandom(_SECRET_BYTES), _Silent(), None)
        async with contextlib.AsyncExitStack() as stack:
            secret, journal, store = await stack.enter_async_context(_keeping(plan.data_dir, plan.settings()))
            reputation = Reputation(store, _register(plan, secret), time.time)
            await reputation.load()
            made = _wrapped(self._app, plan, secret, journal, reputation)
            stack.push_async_callback(reputation.flush)
            flushing = asyncio.create_task(reputation.flush_now_and_then())
            stack.callback(flushing.cancel)
            self._kept = stack.pop_all()
        return made


class _Silent:
    """A journal that nobody keeps."""

    def record(self, event: AnyEvent) -> None:
        """Drop it."""


def _plan_of(given: dict[str, Any]) -> WrappingPlan:
    try:
        plan = msgspec.convert(given, WrappingPlan, dec_hook=_decode)
        _check(given)
        plans_of(plan.settings(), bytes(_SECRET_BYTES), plan.slots)
    except (SettingsError, ValueError) as error:
        what = str(error).replace("server.trusted_proxies", "trusted_proxies")
        at = _AT.search(what)
        msg = f"TidegateMiddleware: {what if at is None else f'{at[1]}: {what[: at.start()]}'}"
        raise ValueError(msg) from None
    return plan


def _check(given: dict[str, Any]) -> None:
    of_connections = sorted(_OF_CONNECTIONS & set(given.get("gate") or ()))
    if of_connections:
        msg = f"gate.{of_connections[0]}: connections are your server's to bound; leave it out"
        raise ValueError(msg)


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise NotImplementedError


def _register(plan: WrappingPlan, secret: bytes) -> Register:
    plans = plans_of(plan.settings(), secret, plan.slots)
    return Register(plans.standing, plan.gate.most_principals)


def _wrapped(
    app: ASGIApp, plan: WrappingPlan, secret: bytes, journal: Journal, reputation: Reputation | None
) -> Wrapping:
    settings = plan.settings()
    plans = plans_of(settings, secret, plan.slots)
    register = _register(plan, secret) if reputation is None else reputation.register

    def served(principal: UserId, cost_tokens: float, in_flight: int) -> None:
        register.served(principal, cost_tokens, in_flight, time.time())

    admission = open_admission(plans, register, served)
    fingerprint = fingerprinter(secret)
    paths = Paths(plan.paths, plan.spared)
    keys = PassedKeys(secret, lambda principal: register.record(principal) is not None, time.monotonic)
    door = open_door(
        settings,
        plans,
        credentials=KeysOnPaths(keys),
        lanes=paths,
        register=register,
        admission=admission,
        journal=journal,
        fingerprint=fingerprint,
    )
    proxy = Proxy(
        upstreams=Handler(app),
        addresses=Addresses(),
        keys=keys,
        proven=Proven(register, time.time, door.is_flooded),
        admission=admission,
        lifecycle=Lifecycle(),
        rejecting=Rejecting(door.note_dead, door.note_guess),
        fingerprint=fingerprint,
        max_body_bytes=plan.max_body_bytes,
        guess=guess(admission.scheduler),
    )
    return Wrapping(
        app,
        guard=door.guard,
        paths=paths,
        admitting=proxy,
        journal=journal,
        fingerprint=fingerprint,
        clock=time.time,
        ticks=time.monotonic,
    )


@contextlib.asynccontextmanager
async def _keeping(path: Path, settings: Settings) -> AsyncIterator[tuple[bytes, Journal, StandingStore]]:
    """Use a data directory: its secret, its log, and what is known of callers."""
    datadir = DataDir.open(path)
    with datadir.lock():
        secret = load_or_create_secrets(datadir).fingerprint_key
        log = JsonLog(
            datadir.logs_path / "events.jsonl", max_bytes=settings.log.max_bytes, kept_files=settings.log.kept_files
        )
        with contextlib.closing(log):
            half_life_days = settings.standing.half_life_days
            async with open_callers(datadir.callers_url, half_life_days=half_life_days) as store:
                yield secret, log, store
