"""The live world: plays a scenario's lives against a real `tidegate serve`, bounded, and ends by itself.

It starts a service of its own, makes the accounts of those who have one, plays, and stops everything again, also on
Ctrl-C, SIGTERM and at a limit; what was measured until then is reported.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import monotonic
from typing import Final

import msgspec

from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.lab.acts import Ask, Ended, Group, Life, Outcome, SignIn, Who
from tidegate.lab.causes import episodes
from tidegate.lab.hearing import Happened, Listener, Sampled
from tidegate.lab.live import faults, processes
from tidegate.lab.live.accounts import Accounts
from tidegate.lab.live.browser import Browser, answer_of
from tidegate.lab.live.entering import Devices, Entrance
from tidegate.lab.live.forging import Forger
from tidegate.lab.live.joining import Registrar
from tidegate.lab.live.lateness import Lateness
from tidegate.lab.live.letters import Letters
from tidegate.lab.live.lines import Lines
from tidegate.lab.live.pinning import pinned
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.service import PROGRAM, LiveError, LiveService, running
from tidegate.lab.live.stage import Limits, Props, Stage
from tidegate.lab.live.tongue import OWN_ADDRESS, tongue_of
from tidegate.lab.live.truth import TruthFile
from tidegate.lab.live.watching import Watch
from tidegate.lab.live.work import Solver
from tidegate.lab.scenario import Family, Scenario
from tidegate.ports.standing import StandingStore

GRACE_S: Final = 15.0
"""What is under way when a scenario is over may end within this."""
MOST_SIGNED_IN: Final = 200
_WARM: Final = Who(name="lab-warm", group=Group.ESTABLISHED, address=0, has_account=True)
_SIGN_IN_PAGE: Final = b"GET /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: text/html\r\nsec-fetch-site: none\r\n\r\n"


Standings = Callable[[Path], AbstractAsyncContextManager[StandingStore]]
"""Opens the store in which a service with that data directory keeps what it knows of accounts."""


class LiveRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to. `ended` is `complete`, `wall`, `requests`, `lives`, `interrupted` or `service`.

    `service` is a service that ended by itself. `log_path` is the service's own event log, `truth_path` who was
    behind each request; None where nothing was to be kept. `work_late_s` is by how much later than on their own device
    somebody's challenge was solved here, at the most.
    """

    scenario: str
    ended: str
    began_unix_s: float
    played_s: float
    asks: int
    requests: int
    lives: int
    connections_most: int
    networks_shared: int
    lateness: Lateness
    work_late_s: float = 0.0
    log_path: Path | None = None
    truth_path: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether it was played to its end."""
        return self.ended == "complete"

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody ended it: by Ctrl-C or SIGTERM."""
        return self.ended == "interrupted"


class Chorus:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """They hear in their order."""
        self._listeners = listeners

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Tell each."""
        for listener in self._listeners:
            listener.asked(ask, outcome)

    def ended(self, ended: Ended) -> None:
        """Tell each."""
        for listener in self._listeners:
            listener.ended(ended)

    def sampled(self, sample: Sampled) -> None:
        """Tell each."""
        for listener in self._listeners:
            listener.sampled(sample)

    def happened(self, happened: Happened) -> None:
        """Tell each."""
        for listener in self._listeners:
            listener.happened(happened)


async def play(
    scenario: Scenario,
    lives: Iterable[Life],
    listeners: Sequence[Listener],
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    people: Iterable[Who] = (),
    keep: Path | None = None,
    is_pinned: bool = True,
    program: Sequence[str] = PROGRAM,
    progress: Callable[[str], None] = lambda _: None,
    standings: Standings | None = None,
) -> LiveRun:
    """Play a scenario. Raises LiveError, before anything is started, for what the live world does not have.

    `people` have their accounts before the clock starts, and those who are established have signed in once;
    everybody else's are made when first asked for. `standings` opens the service's own store, in which stands what it
    knows of them (accounts.py). `keep` is a folder for the log and the truth. With `is_pinned`,
    on two cores or more, the engine has all but the first, which the service and this generator share.
    """
    faults.check(scenario)
    if keep is not None:
        await asyncio.to_thread(keep.mkdir, parents=True, exist_ok=True)
    before = processes.cores()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    # The service is in a session of its own: who ends the rehearsal must have it ended, too.
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        with tempfile.TemporaryDirectory(prefix="tidegate-lab-") as folder:
            progress("starting the service")
            async with (
                running(scenario.settings, Path(folder), program) as service,
                pinned(service, before if is_pinned else ()),
            ):
                progress(
                    f"under rehearsal: http://127.0.0.1:{service.port}, for its operator "
                    f"http://127.0.0.1:{service.operator_port}, its data in {service.data}"
                )
                async with contextlib.AsyncExitStack() as stack:
                    store = None if standings is None else await stack.enter_async_context(standings(service.data))
                    run = await _play_on(service, scenario, lives, listeners, limits, people, keep, progress, store)
            if keep is not None:
                shutil.copyfile(service.log_path, keep / "service-events.jsonl")
                for record in sorted(service.log_path.parent.glob("decisions-*.jsonl")):
                    shutil.copyfile(record, keep / record.name)
            return run
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        processes.pin(os.getpid(), before)


async def _play_on(
    service: LiveService,
    scenario: Scenario,
    lives: Iterable[Life],
    listeners: Sequence[Listener],
    limits: Limits,
    people: Iterable[Who],
    keep: Path | None,
    progress: Callable[[str], None],
    store: StandingStore | None,
) -> LiveRun:
    chorus = Chorus(listeners)
    truth_path = None if keep is None else keep / "truth.jsonl"
    with TruthFile(truth_path) as truth:
        async with _props(service, scenario, truth, limits, store) as props:
            await _prepare(props, list(people), progress)
            began_unix_s = time.time()
            stage = Stage(props, chorus, limits, scenario.duration_s)
            for one in episodes(scenario):
                truth.episode(began_unix_s + one.from_s, began_unix_s + one.until_s, one.cause, one.intensity)
            progress("playing")
            ended = await _run(service, scenario, props, stage, chorus, began_unix_s, lives, limits)
            return LiveRun(
                scenario=scenario.name,
                ended=ended,
                began_unix_s=began_unix_s,
                played_s=min(monotonic(), stage.ends_at) - stage.began_at,
                asks=stage.asks,
                requests=props.lines.requests,
                lives=stage.lives,
                connections_most=props.lines.most_open,
                networks_shared=props.addresses.crowded,
                lateness=stage.meter.told(),
                work_late_s=props.registrar.solver.late_s,
                log_path=None if keep is None else keep / "service-events.jsonl",
                truth_path=truth_path,
            )


@contextlib.asynccontextmanager
async def _props(
    service: LiveService, scenario: Scenario, truth: TruthFile, limits: Limits, store: StandingStore | None
) -> AsyncIterator[Props]:
    lines, solver = Lines(service.port, most=limits.connections), Solver()
    try:
        accounts, devices = Accounts(service, store), Devices()
        vitals = await service.vitals()
        if vitals is None or not vitals["models"]:
            msg = "the service does not say which model it serves"
            raise LiveError(msg)
        model = str(vitals["models"][0]["id"])
        has_bombs = any(attack.family is Family.EXPENSIVE_QUERIES for attack in scenario.attack)
        tongue = await tongue_of(lines, model, await accounts.key(_WARM), has_bombs=has_bombs)
        letters = Letters(DiskMailbox(service.data / "mail", "lab@example.org", "Lab"))
        yield Props(
            lines=lines,
            port=service.port,
            model=model,
            accounts=accounts,
            devices=devices,
            entrance=Entrance(accounts, solver, devices),
            registrar=Registrar(accounts, solver, letters),
            prompts=Prompts(scenario.seed, tongue),
            forger=Forger(scenario.seed),
            truth=truth,
        )
    finally:
        await lines.close()
        await asyncio.to_thread(solver.close)


async def _prepare(props: Props, people: list[Who], progress: Callable[[str], None]) -> None:
    with_account = [who for who in people if who.has_account]
    if with_account:
        progress(f"making {len(with_account):,} accounts")
    for who in with_account:
        await props.accounts.key(who)
    known = [who for who in with_account if who.group is Group.ESTABLISHED and not who.is_program][:MOST_SIGNED_IN]
    for who in known:
        await props.accounts.give_password(who)
        browser = Browser(props.lines, props.addresses.of(who.address), who.agent, who.lang)
        await props.entrance.sign_in(SignIn(account=who.name, effort_s=0.0), browser, monotonic(), lambda at: at)


async def _run(
    service: LiveService,
    scenario: Scenario,
    props: Props,
    stage: Stage,
    chorus: Chorus,
    began_unix_s: float,
    lives: Iterable[Life],
    limits: Limits,
) -> str:
    async def is_guessed_at() -> bool:
        heard = await answer_of(props.lines, _SIGN_IN_PAGE, OWN_ADDRESS, 2.0)
        return b'name="challenge"' in heard.body

    watch = Watch(service, props.served, chorus, stage.began_at, began_unix_s, is_guessed_at)
    aside = [asyncio.create_task(watch.run())]
    aside += [
        asyncio.create_task(faults.play(broken, scenario, service, stage.began_at, chorus.happened))
        for broken in scenario.fault
    ]
    try:
        for life in lives:
            stage.begin(life, stage.began_at)
        return await _until_over(service, stage, limits, aside)
    except asyncio.CancelledError:
        # Ctrl-C: what was measured until now is worth reporting. Whoever cancels twice is obeyed.
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        return "interrupted"
    finally:
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        await stage.clear()
        watch.read_log()


async def _until_over(service: LiveService, stage: Stage, limits: Limits, aside: Sequence[asyncio.Task[None]]) -> str:
    cut_at = stage.began_at + limits.wall_s
    while not stage.over.done():
        now = monotonic()
        for task in aside:
            if task.done() and not task.cancelled():
                task.result()  # Raises what broke in it.
        if not service.is_running:
            return "service"
        if now >= cut_at:
            return "wall"
        if now >= stage.ends_at + GRACE_S or (now >= stage.ends_at and not stage.in_flight):
            return "complete"
        await asyncio.wait([stage.over], timeout=min(0.2, max(0.01, cut_at - now)))
    return stage.over.result()
