"""Runs the gate on its own: requests are judged here and passed on to servers that others run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.types import ASGIApp

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import Secrets, load_or_create_secrets
from tidegate.adapters.engines.passing import PassingEngines
from tidegate.adapters.engines.probing import Probing
from tidegate.adapters.engines.upstream import Upstream, UpstreamPlan
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.sql.callers import CallerStore, open_callers
from tidegate.adapters.telemetry.journals import Journals
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.audience import ServeAudience
from tidegate.app.background import Background, beside
from tidegate.app.certificate import Certificate
from tidegate.app.door import Door, guess, open_admission, open_door
from tidegate.app.engines import STATES, fitted
from tidegate.app.fingerprints import fingerprinter
from tidegate.app.listening import Server, bind_port, server, url_of
from tidegate.app.plans import Plans, plans_of
from tidegate.app.policy import live_policy
from tidegate.app.recording import open_recording
from tidegate.app.reputation import caller_reputation, kept
from tidegate.app.running import open_log, serve_until_told
from tidegate.app.stopping import Told, listen_to_signals, when_hung_up
from tidegate.config import Settings
from tidegate.config.engine_settings import EngineSettings
from tidegate.config.engines import root_of, shows_own_keys
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.capacity.breaker import BreakerPlan
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import Member, MemberState, Pool, PoolPlan
from tidegate.core.events import EngineChanged, Level, ServiceChanged, Tag
from tidegate.core.identifiers import Replica, UserId
from tidegate.core.standing.register import STRANGERS_PART, Register
from tidegate.http.control import callers as callers_control
from tidegate.http.control import firewall as firewall_control
from tidegate.http.doors import open_door as anybody
from tidegate.http.gate.callers import CallerKeys, OwnKeys, PassedKeys
from tidegate.http.gate.protocol import guarded
from tidegate.http.proxy.addresses import Addresses
from tidegate.http.proxy.application import GateApplications, build_gate_applications
from tidegate.http.proxy.checking import Checking
from tidegate.http.proxy.passing import Proxy, Rejecting
from tidegate.http.routes import bind
from tidegate.ports.engine import EngineReport, ReplicaReport
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission
from tidegate.services.callers import Callers
from tidegate.services.issuing import Issuing
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.policy import PolicyError
from tidegate.services.proven import Proven, Recall
from tidegate.services.reputation import Reputation

_USUAL_PLACES: Final = 64
_FOLLOW_EVERY_S: Final = 0.5
_TURNED_DOWN_S: Final = 60.0
_PAUSE_LIMIT_S: Final = 3.0
"""A server that comes back should be found before those who were told to come back are back."""

_COLLECTED_EVERY: Final = (20_000, 20, 50)
"""Next to nothing that serves a request refers to itself, so the collector finds next to nothing."""


class GateRun(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `keys` are those of the servers behind, by their roots.

    `read_settings` gives the settings as they stand later.
    """

    settings: Settings
    datadir: DataDir
    keys: Mapping[str, str]
    read_settings: Callable[[], Settings]
    certificate: Certificate | None = None


class GateListeners(msgspec.Struct, frozen=True):
    """The sockets, bound before anything slow begins."""

    public: socket.socket
    operator: socket.socket

    @classmethod
    def bind(cls, settings: Settings) -> GateListeners:
        """Bind both. Raises PortTakenError."""
        given = settings.server
        with contextlib.ExitStack() as undo:
            public = undo.enter_context(bind_port(given.host, given.port, "server.port"))
            operator = undo.enter_context(bind_port("127.0.0.1", given.operator_port, "server.operator_port"))
            undo.pop_all()
        return cls(public, operator)

    def urls(self, host: str, *, is_tls: bool = False) -> tuple[str, str]:
        """Where programs would go, and the operator."""
        return url_of(host, self.public, is_tls=is_tls), url_of("127.0.0.1", self.operator)


class Behind:
    """The servers behind as one engine, for those who ask how it is.

    `causes` are why a server failed its last probe. `on_change` hears of each new state of all together, `on_replica`
    of each server's.
    """

    def __init__(
        self,
        engines: PassingEngines,
        causes: Mapping[str, str],
        on_change: Callable[[EngineReport], None],
        on_replica: Callable[[ReplicaReport], None],
    ) -> None:
        """Nobody has answered yet."""
        self._engines = engines
        self._causes = causes
        self._on_change = on_change
        self._on_replica = on_replica
        self._told = EngineState.LOADING
        self._told_of: dict[str, MemberState] = {}
        self._breaks = 0
        self.ready = asyncio.Event()

    def replicas(self) -> list[ReplicaReport]:
        """How each server is."""
        return [
            ReplicaReport(
                replica=Replica(urlsplit(one.name).netloc),
                models=(),
                state=one.state,
                running=one.outstanding,
                places=one.limit,
                failures=one.failures,
                gap_s=round(one.mean_gap_s, 4),
                why=self._causes.get(one.name, ""),
                unreadable=0,
            )
            for one in self._engines.report()
        ]

    def report(self) -> EngineReport:
        """Ready when one of them has answered and is not broken."""
        states = [member.state for member in self._engines.report()]
        if MemberState.UP in states:
            state = EngineState.READY
        else:
            state = EngineState.LOADING if MemberState.UNTRIED in states else EngineState.FAILED
        why = {EngineState.READY: "ready", EngineState.LOADING: "not asked yet"}.get(state, "no server answers")
        return EngineReport(state=state, why=why, restarts=0, retry_after_s=2.0)

    def causes(self) -> list[str]:
        """Why each server that does not answer is thought not to."""
        return [f"{name}: {why}" for name, why in self._causes.items() if why]

    def look(self) -> None:
        """Tell of what has changed."""
        for one in self.replicas():
            if self._told_of.get(one.replica, MemberState.UNTRIED) is not one.state:
                self._told_of[one.replica] = one.state
                self._on_replica(one)
        report = self.report()
        if report.state is self._told:
            return
        self._told = report.state
        if report.state is EngineState.READY:
            self.ready.set()
        self._on_change(report)


async def run_gate(plan: GateRun, listeners: GateListeners, audience: ServeAudience) -> None:
    """Pass requests on until SIGTERM or SIGINT, then drain. The caller holds the data directory's lock."""
    settings, datadir = plan.settings, plan.datadir
    log = open_log(settings, datadir, is_echoed=True)
    log.listen_to_libraries()
    metrics = Metrics()
    journal = Journals(log, metrics)
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_STARTING))
    told = listen_to_signals()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(log.close)
        upstreams = await stack.enter_async_context(_upstreams(plan))
        pool = Pool(
            PoolPlan(
                gap_s=settings.admission.gap_s,
                probe_after_s=settings.engine.probe_after_s,
                breaker=BreakerPlan(pause_limit_s=_PAUSE_LIMIT_S),
            ),
            _members(plan),
        )
        secrets = load_or_create_secrets(datadir)
        fingerprint = fingerprinter(secrets.fingerprint_key)
        plans = _shortly(plans_of(settings, secrets.fingerprint_key))
        store = await stack.enter_async_context(
            open_callers(datadir.callers_url, half_life_days=settings.standing.half_life_days)
        )
        known = caller_reputation(settings, store)
        await _load(known, store)
        fit = _fit(settings, sum(member.places for member in _members(plan)))

        def served(principal: UserId, cost_tokens: float, in_flight: int) -> None:
            proven.served(principal, cost_tokens, in_flight)  # Who knows callers needs the door, made further down.

        recorder = await stack.enter_async_context(open_recording(settings, datadir, secrets.fingerprint_key, journal))
        admission = open_admission(plans, known.register, served, fit=fit, recorder=recorder)
        engines = PassingEngines(pool, upstreams)
        probing = Probing(pool, upstreams, engines)
        behind = Behind(
            engines,
            probing.causes,
            lambda report: _changed(report, behind.causes(), audience),
            lambda one: _replica_changed(one, journal, audience),
        )
        background = Background()
        lifecycle = Lifecycle()
        addresses = Addresses(settings.passing.paths)
        issuing = Issuing(store, secrets.server_keys, known, time.time) if shows_own_keys(settings) else None
        keys = _caller_keys(issuing, secrets, known.register)
        door = open_door(
            settings,
            plans,
            credentials=keys,
            lanes=addresses,
            register=known.register,
            lines=((admission, fit),),
            journal=journal,
            fingerprint=fingerprint,
            key=secrets.fingerprint_key,
            memory=InhabitedFile(datadir.inhabited_path),
            is_nobody_known=not len(known.register),
            recorder=recorder,
        )
        policy = live_policy(
            settings,
            read=plan.read_settings,
            shard_key=secrets.fingerprint_key,
            apply=lambda plans: door.apply(_shortly(plans)),
            certificate=plan.certificate,
            journal=journal,
            clock=time.time,
        )
        proven = Proven(
            known.register, time.time, door.is_flooded, Recall(known.find, background.later), door.gate.note_alive
        )
        proxy = Proxy(
            upstreams=engines,
            addresses=addresses,
            keys=keys,
            proven=proven,
            admission=admission,
            lifecycle=lifecycle,
            rejecting=Rejecting(door.note_turned_down, door.note_guess),
            fingerprint=fingerprint,
            max_body_bytes=settings.server.max_body_bytes,
            strangers_body_bytes=settings.gate.strangers_body_bytes,
            guess=guess(admission.scheduler),
            passes_keys=issuing is None,
        )
        callers = Callers(
            reputation=known,
            recent=store.recent,
            journal=journal,
            fingerprint=fingerprint,
            clock=time.time,
            issuing=issuing,
        )
        applications = build_gate_applications(
            proxy=_checked(proxy, keys, issuing, door),
            engine=behind,
            admission=admission,
            lifecycle=lifecycle,
            journal=journal,
            fingerprint=fingerprint,
            exposition=metrics.exposition,
            policy=policy,
            replicas=behind.replicas,
            control=[
                *bind(callers_control.TABLE, callers, anybody),
                *bind(firewall_control.TABLE, door.handover, anybody),
            ],
            clock=time.time,
            ticks=time.monotonic,
        )
        await stack.enter_async_context(kept(known, background))
        stack.push_async_callback(door.handover.close)
        await stack.enter_async_context(
            beside(
                probing.look_after(),
                _follow(engines, behind, admission),
                _greet(behind, journal, audience),
                known.flush_now_and_then(),
                door.telling.tell_now_and_then(),
                door.handover.go_on(),
            )
        )

        def reload() -> None:
            try:
                audience.reloaded(policy.reload(), None)
            except PolicyError as error:
                audience.reloaded(None, str(error))

        when_hung_up(reload)
        await _serve_until_told(plan, listeners, applications, door, lifecycle, journal, audience, told)
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_STOPPED))


async def _load(known: Reputation, store: CallerStore) -> None:
    await known.load()
    # Nobody signs in here: a key that was accepted once must be known by what is remembered.
    for record in reversed(await store.recent(known.register.most // STRANGERS_PART)):
        if known.register.record(record.principal) is None:
            known.register.know(record)


def _caller_keys(issuing: Issuing | None, secrets: Secrets, register: Register) -> CallerKeys:
    if issuing is not None:
        return OwnKeys(secrets.server_keys)
    return PassedKeys(secrets.fingerprint_key, lambda principal: register.record(principal) is not None, time.monotonic)


def _checked(proxy: Proxy, keys: CallerKeys, issuing: Issuing | None, door: Door) -> ASGIApp:
    if issuing is None or isinstance(keys, PassedKeys):
        return proxy
    issuing.dead = door.note_dead
    return Checking(app=proxy, keys=keys, issuing=issuing)


def _members(plan: GateRun) -> list[Member]:
    return [
        Member(
            name=root_of(given.url),
            weight=given.weight,
            places=given.places or _USUAL_PLACES,
            models=frozenset(given.models),
        )
        for given in plan.settings.engines
    ]


def _fit(settings: Settings, slots: int) -> Callable[[AdmissionPlan], AdmissionPlan]:
    """Make a plan that of the servers behind. How much they read at a time is the operator's to say, where it is."""
    told = settings.engine.batch_tokens
    is_told = told != EngineSettings().batch_tokens

    def fit(plan: AdmissionPlan) -> AdmissionPlan:
        found = fitted(plan, slots)
        return msgspec.structs.replace(found, batch_tokens=told) if is_told else found

    return fit


def _shortly(plans: Plans) -> Plans:
    """Believe a server's 401 for a minute only: it may be wrong about a key for a moment, as while it restarts."""
    return msgspec.structs.replace(plans, gate=msgspec.structs.replace(plans.gate, revoked_s=_TURNED_DOWN_S))


@contextlib.asynccontextmanager
async def _upstreams(plan: GateRun) -> AsyncIterator[dict[str, Upstream]]:
    given = plan.settings.engine
    waits = UpstreamPlan(silence_s=given.stall_s, first_s=given.first_token_s)
    # A key of the gate's own is nobody's business behind it, also where nothing takes its place.
    instead = "" if shows_own_keys(plan.settings) else None
    async with contextlib.AsyncExitStack() as stack:
        yield {
            member.name: await stack.enter_async_context(
                Upstream(member.name, plan.keys.get(member.name, instead), waits)
            )
            for member in _members(plan)
        }


def _changed(report: EngineReport, causes: list[str], audience: ServeAudience) -> None:
    if report.state is EngineState.FAILED:
        audience.trouble(0, causes)


def _replica_changed(one: ReplicaReport, journal: Journal, audience: ServeAudience) -> None:
    journal.record(
        EngineChanged(
            t=time.time(),
            level=Level.ERROR if one.state is MemberState.BROKEN else Level.INFO,
            state=STATES[one.state],
            healthy=one.state is MemberState.UP,
            restarts=one.failures,
            load_s=None,
            replica=one.replica,
            running=one.running,
        )
    )
    if one.state is MemberState.BROKEN:
        audience.lost(one.replica, one.why)


async def _follow(engines: PassingEngines, behind: Behind, admission: Admission) -> None:
    """Let as many run as there are servers for, for ever."""
    while True:
        behind.look()
        places = max(1, engines.places(""))
        if places != admission.scheduler.plan.slots:
            admission.carry_out(admission.scheduler.resize(places, time.monotonic()))
        await asyncio.sleep(_FOLLOW_EVERY_S)


async def _greet(behind: Behind, journal: Journal, audience: ServeAudience) -> None:
    began_at = time.monotonic()
    await behind.ready.wait()
    start_s = time.monotonic() - began_at
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_READY, start_s=round(start_s, 3)))
    audience.ready(start_s, None)


async def _serve_until_told(
    plan: GateRun,
    listeners: GateListeners,
    applications: GateApplications,
    door: Door,
    lifecycle: Lifecycle,
    journal: Journal,
    audience: ServeAudience,
    told: Told,
) -> None:
    tls = plan.certificate.context if plan.certificate else None
    pairs: list[tuple[Server, socket.socket]] = [
        (server(applications.public, tls, protocol=guarded(door.guard, door.connections)), listeners.public),
        (server(applications.operator), listeners.operator),
    ]
    # What was made until now stays: without this the collector looks through all of it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_EVERY)
    drain_s = plan.settings.server.drain_s
    control = server(applications.control)
    await serve_until_told(pairs, control, plan.datadir, lifecycle, drain_s, journal, audience, told)
