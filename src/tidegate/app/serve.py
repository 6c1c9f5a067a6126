"""Runs the whole service: engine, stores, servers; from the first socket to the last drained answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.secrets import load_or_create_secrets
from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.embedded import EmbeddedEngine
from tidegate.adapters.engines.process import EngineProcess
from tidegate.adapters.models import Manifest
from tidegate.adapters.sql.store import open_store
from tidegate.adapters.telemetry.journals import Journals
from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.app.audience import Audience, LettersAudience
from tidegate.app.background import Background, beside
from tidegate.app.certificate import Certificate
from tidegate.app.engines import Elsewhere, Line, open_elsewhere
from tidegate.app.listening import Server, bind_port, check_path, port_of, server, url_of
from tidegate.app.plans import line_plan
from tidegate.app.recording import open_recording
from tidegate.app.running import open_log, serve_until_told
from tidegate.app.stopping import Told, listen_to_signals, when_hung_up
from tidegate.app.survey import Lineup, relined
from tidegate.app.wiring import Wired, wire
from tidegate.config import Settings
from tidegate.core.capacity.health import EngineState, HealthPlan
from tidegate.core.events import EngineChanged, Level, ServiceChanged, Tag
from tidegate.http.gate.protocol import guarded
from tidegate.http.web.assets import Asset
from tidegate.ports.engine import EngineReport, ModelCard
from tidegate.ports.journal import Journal
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.outbox import Outbox
from tidegate.services.passwords import PasswordLane
from tidegate.services.policy import Policy, PolicyError
from tidegate.services.setup import Setup

_ENGINE_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHON", "VIRTUAL_ENV", "COVERAGE_"),
    *("OMP_", "GGML_", "LLAMA_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_"),
)


class ServePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, once every question has been answered. `read_settings` gives the settings as they stand later.

    Without a `model` there is no embedded engine; the `lineup` is of those that run elsewhere.
    """

    settings: Settings
    datadir: DataDir
    model: ModelCard | None
    model_path: Path | None
    assets: dict[str, Asset]
    read_settings: Callable[[], Settings]
    certificate: Certificate | None = None
    lineup: Lineup = Lineup()
    model_sha256: str = ""


def card_of(manifest: Manifest, context_tokens: int) -> ModelCard:
    """What callers are told of a model that was pulled."""
    return ModelCard(
        id=manifest.id,
        owned_by="tidegate",
        created_s=int(manifest.pulled_at_s),
        context_tokens=context_tokens,
        fingerprint=f"fp_{manifest.sha256[:10]}",
    )


class Listeners(msgspec.Struct, frozen=True):
    """The sockets, bound before anything slow begins: a taken port is known at once."""

    public: socket.socket
    status: socket.socket
    operator: socket.socket

    @classmethod
    def bind(cls, settings: Settings) -> Listeners:
        """Bind all three. Raises PortTakenError."""
        given = settings.server
        with contextlib.ExitStack() as undo:
            public = undo.enter_context(bind_port(given.host, given.port, "server.port"))
            status = undo.enter_context(bind_port(given.host, given.status_port, "server.status_port"))
            operator = undo.enter_context(bind_port("127.0.0.1", given.operator_port, "server.operator_port"))
            undo.pop_all()
        return cls(public, status, operator)

    @property
    def ports(self) -> frozenset[int]:
        """The ports that are ours."""
        return frozenset(port_of(one) for one in (self.public, self.status, self.operator))

    def close(self) -> None:
        """Give them up before anything was served."""
        for one in (self.public, self.status, self.operator):
            one.close()

    def urls(self, host: str, *, is_tls: bool = False) -> tuple[str, str, str]:
        """Where a person would go: public, status, operator."""
        return (
            url_of(host, self.public, is_tls=is_tls),
            url_of(host, self.status, is_tls=is_tls),
            url_of("127.0.0.1", self.operator),
        )


async def run(plan: ServePlan, listeners: Listeners, audience: LettersAudience) -> None:
    """Serve until SIGTERM or SIGINT, then drain. The caller holds the data directory's lock."""
    settings, datadir = plan.settings, plan.datadir
    log = open_log(settings, datadir, is_echoed=True)
    log.listen_to_libraries()
    metrics = Metrics()
    journal = Journals(log, metrics)
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_STARTING))
    told = listen_to_signals()  # Before there is anything that must be ended in order.
    engine = _engine(plan, plan.model, plan.model_path, journal, audience) if plan.model and plan.model_path else None
    secrets = load_or_create_secrets(datadir)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(log.close)
        ready: list[asyncio.Event] = []
        lines: tuple[Line, ...] = ()
        if engine is not None:
            await engine.start()  # First: it takes longest, and in another process.
            stack.push_async_callback(engine.stop)
            ready, lines = [engine.ready], (Line(engine=engine),)
        elsewhere = open_elsewhere(
            settings, plan.lineup, secrets.fingerprint_key, journal, lambda one: audience.lost(one.replica, one.why)
        )
        if elsewhere.engines:
            await elsewhere.fleet.start()
            stack.push_async_callback(elsewhere.fleet.stop)
            ready, lines = ready or [elsewhere.ready], (*lines, *elsewhere.lines())
        database_url = settings.database_url or datadir.database_url
        quota_bytes = settings.accounts.storage_mb * 1_000_000
        store = await stack.enter_async_context(
            open_store(database_url, datadir.user_keys_url, secrets.kek, quota_bytes=quota_bytes)
        )
        background = Background()
        stack.push_async_callback(background.finish)
        lifecycle = Lifecycle()
        recording = open_recording(settings, datadir, secrets.fingerprint_key, journal)
        wired = await wire(
            settings,
            lines=lines,
            store=store,
            secrets=secrets,
            lifecycle=lifecycle,
            journal=journal,
            metrics=metrics,
            passwords=stack.enter_context(contextlib.closing(PasswordLane(line_plan(settings)))),
            later=background.later,
            assets=plan.assets,
            local_status_url=listeners.urls(settings.server.host, is_tls=plan.certificate is not None)[1],
            local_url=listeners.urls(settings.server.host, is_tls=plan.certificate is not None)[0],
            certificate=plan.certificate,
            read_settings=plan.read_settings,
            relined=_reliner(plan.lineup, elsewhere),
            replicas=elsewhere.fleet.report,
            looked_at=elsewhere.looked_at,
            datadir=datadir,
            model_sha256=plan.model_sha256,
            recorder=await stack.enter_async_context(recording),
        )
        served_elsewhere = wired.door.admissions[len(lines) - len(elsewhere.engines) :]
        elsewhere.admissions.extend(zip(elsewhere.engines, served_elsewhere, strict=True))
        elsewhere.follow()
        stack.push_async_callback(wired.reputation.flush)
        stack.push_async_callback(wired.quotas.flush)
        stack.push_async_callback(wired.door.handover.close)
        stack.callback(wired.joining.registration.remember)
        await stack.enter_async_context(
            beside(
                _greet(ready[0], wired.setup, journal, audience),
                wired.reputation.flush_now_and_then(),
                wired.quotas.flush_now_and_then(),
                wired.door.telling.tell_now_and_then(),
                *([wired.lookout.look_now_and_then()] if wired.lookout is not None else []),
                *([wired.letters.outbox.run()] if wired.letters.outbox is not None else []),
                wired.door.handover.go_on(),
                wired.joining.registration.sample_now_and_then(),
                wired.joining.tick_now_and_then(),
                wired.asking.write_now_and_then(),
            )
        )
        if wired.letters.outbox is not None:
            stack.push_async_callback(_last_letters, wired.letters.outbox, background, audience)
        when_hung_up(lambda: _reload(wired.policy, audience))
        drain_s = settings.server.drain_s
        tls = plan.certificate.context if plan.certificate else None
        await _serve_until_told(wired, listeners, tls, datadir, lifecycle, drain_s, journal, audience, told)
    # After everything is closed, so that the line tells the truth.
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_STOPPED))


def _reliner(lineup: Lineup, elsewhere: Elsewhere) -> Callable[[Settings], Callable[[], None]]:
    """What checks the engines that new settings name, and answers what goes on with those."""

    def checked(settings: Settings) -> Callable[[], None]:
        wanted = relined(lineup, settings.engines, os.environ)
        return lambda: elsewhere.fleet.replan(wanted.servers)

    return checked


def _engine(
    plan: ServePlan, model: ModelCard, model_path: Path, journal: Journal, audience: Audience
) -> EmbeddedEngine:
    given = plan.settings.engine
    socket_path = plan.datadir.run_path / "engine.sock"
    check_path(socket_path)
    threads = given.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    aside = 1 if given.fingerprint_s else 0
    process = EngineProcess(
        EnginePlan(
            model_path=str(model_path),
            socket_path=str(socket_path),
            slots=given.slots,
            aside=aside,
            context_tokens=given.context_tokens,
            threads=threads,
            batch_tokens=given.batch_tokens,
        ),
        _engine_environment(),
    )

    def changed(report: EngineReport, load_s: float | None) -> None:
        is_failed = report.state is EngineState.FAILED
        journal.record(
            EngineChanged(
                t=time.time(),
                level=Level.ERROR if is_failed else Level.INFO,
                state=report.state,
                healthy=report.state is EngineState.READY,
                restarts=report.restarts,
                load_s=load_s,
            )
        )
        if is_failed:
            audience.trouble(report.restarts, process.last_words)

    health = HealthPlan(load_timeout_s=given.load_timeout_s, stall_s=given.stall_s, probe_after_s=given.probe_after_s)
    return EmbeddedEngine(model, process, str(socket_path), health, changed, aside=aside)


def _engine_environment() -> dict[str, str]:
    """What the engine may know of ours: nothing that could be a secret."""
    return {name: value for name, value in os.environ.items() if name.startswith(_ENGINE_VARIABLES)}


async def _greet(ready: asyncio.Event, setup: Setup, journal: Journal, audience: Audience) -> None:
    await ready.wait()
    start_s = time.clock_gettime(time.CLOCK_BOOTTIME) - _process_started_s()
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_READY, start_s=round(start_s, 3)))
    audience.ready(start_s, f"/setup/{setup.code}" if setup.is_open() else None)


async def _last_letters(outbox: Outbox, background: Background, audience: LettersAudience) -> None:
    await background.finish()  # Where letters are written that somebody was promised.
    if lost := await outbox.finish():
        audience.lost_letters(lost)


def _reload(policy: Policy, audience: Audience) -> None:
    try:
        change = policy.reload()
    except PolicyError as error:
        audience.reloaded(None, str(error))
    else:
        audience.reloaded(change, None)


async def _serve_until_told(
    wired: Wired,
    listeners: Listeners,
    tls: ssl.SSLContext | None,
    datadir: DataDir,
    lifecycle: Lifecycle,
    drain_s: float,
    journal: Journal,
    audience: Audience,
    told: Told,
) -> None:
    served, door = wired.applications, wired.door
    pairs: list[tuple[Server, socket.socket]] = [
        (server(served.public, tls, protocol=guarded(door.guard, door.connections)), listeners.public),
        (server(served.status, tls, protocol=guarded(None, door.status_connections)), listeners.status),
        (server(served.operator), listeners.operator),
    ]
    await serve_until_told(pairs, server(served.control), datadir, lifecycle, drain_s, journal, audience, told)


def _process_started_s() -> float:
    """When this process began, on the boot clock (proc_pid_stat(5), field 22)."""
    fields = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
