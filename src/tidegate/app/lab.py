"""Puts a rehearsal together: the policy that the service would run under, and the world it is played in."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import platform
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tidegate.app.door import patience
from tidegate.app.mail import mail_plan
from tidegate.app.plans import Plans, entering_plan, line_plan, plans_of
from tidegate.app.reputation import standings_beside
from tidegate.config import Settings, SettingsError, load_settings
from tidegate.lab.actors.attackers import FAMILIES_VERSION
from tidegate.lab.actors.visitors import PROVIDERS
from tidegate.lab.calibration import Calibration, find
from tidegate.lab.casting import asks_per_s, cast_of, known_people
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Listener
from tidegate.lab.judge.findings import Result, Run, Staging
from tidegate.lab.judge.judge import Judge
from tidegate.lab.live.calibrate import Calibrated
from tidegate.lab.live.calibrate import calibrate as measure
from tidegate.lab.live.faults import merged
from tidegate.lab.live.reach import check_reach
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.stage import Limits
from tidegate.lab.live.world import GRACE_S
from tidegate.lab.live.world import play as play_live
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Fault, Scenario, World
from tidegate.lab.simulator.log import EventLog
from tidegate.lab.simulator.openings import OPENINGS
from tidegate.lab.simulator.post import ANY_PROVIDER
from tidegate.lab.simulator.world import part_of, play

SHARD_KEY = b"tidegate lab: the same strangers"
"""Strangers share queues by this key: the same in every rehearsal, so that one can be played again."""

LONGEST_LIVE_S = 4 * 3600.0
"""Longer than anybody sits at a game day."""

LATE_WORK_S = 5.0
"""Longer than this somebody's sign-up says more of this machine than of theirs."""

_SELDOM = 1_000_000
_POLICY = ("accounts", "admission", "engine", "gate", "quotas", "registration", "sign_in", "standing")
_LIVE = frozenset({*_POLICY, "models", "record"})
_DELIVERY = frozenset({"smtp_host", "smtp_port", "security", "username", "password", "password_file", "public_url"})


def rules_of(settings: Settings) -> Rules:
    """Make the plans that the service would make. Raises SettingsError for settings that contradict each other."""
    plans: Plans = plans_of(settings, SHARD_KEY)
    return Rules(
        gate=plans.gate,
        admission=plans.admission,
        standing=plans.standing,
        modes=plans.modes,
        joining=plans.joining,
        calm=plans.calm,
        sign_up=plans.sign_up,
        entering=entering_plan(settings),
        line=line_plan(settings),
        quotas=plans.quotas,
        probation=plans.probation,
        firewall=plans.firewall,
        is_mail_on=settings.mail.delivery != "off",
        mail=mail_plan(settings.mail),
        patience=patience(plans),
    )


class RehearsalError(RuntimeError):
    """A rehearsal cannot be played. The message says why and what would help."""


def _unheard(_: str) -> None:
    """Nobody listens."""


class RehearsalWish(msgspec.Struct, frozen=True, kw_only=True):
    """What to play, and how. `calibration` is a name or a file's path; None is what the scenario says.

    `say` hears in words what the live world does, and where the service under rehearsal is to be looked at.
    """

    scenario: Scenario
    scenario_text: str
    world: World
    seed: int
    gate: GateKind = GateKind.TIDEGATE
    config: Path | None = None
    calibration: str | None = None
    say: Callable[[str], None] = _unheard


def settings_of(scenario: Scenario, config: Path | None, more: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings that a scenario is played with: the operator's file, what the scenario says, and `more`.

    The environment says nothing: a rehearsal is the same wherever it is played. Raises SettingsError.
    """
    wanted = {**dict(_dotted(scenario.settings)), **dict(_dotted(more or {}))}
    try:
        return load_settings(config, {}, wanted)
    except SettingsError as error:
        load_settings(config, {})  # A mistake of the operator's file is told as one.
        msg = f"{scenario.name}: settings.{error}"
        raise SettingsError(msg) from None


def live_settings(scenario: Scenario, config: Path | None) -> tuple[dict[str, Any], list[str]]:
    """What the live world's own service is told of the operator's file, and the tables that are left out.

    It gets what says how it decides, and the scenario's settings over that. What would have it listen, write or speak
    elsewhere stays behind: a rehearsal writes no letter, asks no engine of others, and has no firewall shut anybody
    out. Where letters are on, they are kept in the rehearsal's own folder.
    """
    given = _given(config)
    told = {name: value for name, value in given.items() if name in _LIVE}
    if given.get("mail", {}).get("delivery", "off") != "off":
        letters = {name: value for name, value in given["mail"].items() if name not in _DELIVERY}
        told["mail"] = {**letters, "delivery": "disk"}
    wanted = merged(told, scenario.settings)
    mail = wanted.get("mail", {})
    if mail.get("delivery", "off") != "off":
        # People's made-up providers have as many letters as real ones: as in the virtual world.
        large = {*mail.get("large_domains", ()), ANY_PROVIDER, *PROVIDERS}
        wanted["mail"] = {**mail, "large_domains": sorted(large)}
    return wanted, sorted(name for name in given if name not in told)


def _dotted(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{before}{name}.")
        else:
            yield before + name, value


def rehearse(wish: RehearsalWish, listeners: Sequence[Listener] = (), keep: Path | None = None) -> Result:
    """Play a scenario and judge it; `listeners` hear all of it too. What else is kept goes into the folder `keep`.

    Raises RehearsalError, CalibrationError, ScenarioError or TraceError for what the wish names, and SettingsError
    for settings that are not usable.
    """
    began = time.time()
    scenario = msgspec.structs.replace(wish.scenario, seed=wish.seed)
    settings = settings_of(scenario, wish.config)
    rules = rules_of(settings)
    measured = find(wish.calibration or scenario.engine.model)
    # The places are the settings': otherwise a load of 1 would be another engine's than the one that is asked.
    calibration = measured.with_places(max(1, rules.admission.slots // scenario.engine.replicas))
    staging = Staging(
        scenario_text=wish.scenario_text,
        world=wish.world,
        gate=wish.gate,
        seed=wish.seed,
        calibration=calibration.name,
        rules_digest=digest_of_policy(settings),
        families=FAMILIES_VERSION,
    )
    if wish.world is World.LIVE:
        judge, run = _live(wish, scenario, rules, calibration, listeners, keep)
    else:
        judge, run = _virtual(wish, scenario, rules, calibration, listeners, keep), Run()
    findings, wall_s = judge.findings(staging), time.time() - began
    return Result(
        findings=findings,
        run=msgspec.structs.replace(
            run,
            machine=machine(),
            commit=version("tidegate"),
            began_at=datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
            wall_s=round(wall_s, 1),
            requests_per_s=round(findings.requests / max(wall_s, 1e-9), 1),
        ),
    )


def _virtual(
    wish: RehearsalWish,
    scenario: Scenario,
    rules: Rules,
    calibration: Calibration,
    listeners: Sequence[Listener],
    keep: Path | None,
) -> Judge:
    """Play it cell by cell, with a judge for each."""

    def reading(settings: Mapping[str, Any]) -> Rules:
        return rules_of(settings_of(scenario, wish.config, settings))

    for broken in scenario.fault:
        if broken.kind is Fault.CONFIGURATION:
            reading(broken.settings)  # What is wrong with them is told before anything is played.
    slots = rules.admission.slots
    per_s = asks_per_s(scenario, calibration, slots)
    weight = calibration.prompt_weight(max(1, slots // scenario.engine.replicas))
    whole: Judge | None = None
    with _seldom_collected():
        for number in range(scenario.scale.cells):
            judge, part = Judge(scenario, number), part_of(scenario, number)
            with _written(part, keep, f"-{number}" if scenario.scale.cells > 1 else "") as logs:
                play(
                    part,
                    rules,
                    calibration,
                    lambda one: cast_of(one, per_s, weight),
                    [judge, *logs, *listeners],
                    opening=OPENINGS[wish.gate],
                    reading=reading,
                )
            if whole is None:
                whole = judge
            else:
                whole.merge(judge)
            gc.collect()  # What is left of one service shall not lie beside the next.
    assert whole is not None, "there is at least one cell"
    return whole


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """Have the collector look seldom: hardly anything here refers to itself, and looking was a sixth of the time."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@contextlib.contextmanager
def _written(scenario: Scenario, keep: Path | None, suffix: str) -> Iterator[list[Listener]]:
    """Write the event log and the truth, where they are to be kept."""
    if keep is None:
        yield []
        return
    keep.mkdir(parents=True, exist_ok=True)
    paths = keep / f"events{suffix}.jsonl", keep / f"truth{suffix}.jsonl"
    try:
        with paths[0].open("wb") as log, paths[1].open("wb") as truth:
            yield [EventLog(scenario, log, truth)]
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)  # Cut short, it would pass for a whole one.
        raise


def _live(
    wish: RehearsalWish,
    scenario: Scenario,
    rules: Rules,
    calibration: Calibration,
    listeners: Sequence[Listener],
    keep: Path | None,
) -> tuple[Judge, Run]:
    """Play it over HTTP, against a service of its own; answer what is to be said of the run, too."""
    if wish.gate is not GateKind.TIDEGATE:
        msg = f"gate: {wish.gate} can be had in the virtual world only"
        raise RehearsalError(msg)
    if scenario.duration_s > LONGEST_LIVE_S:
        msg = f"{scenario.name}: duration_s: expected at most {LONGEST_LIVE_S:,.0f} in the live world"
        raise RehearsalError(msg)
    told, left_out = live_settings(scenario, wish.config)
    slots = rules.admission.slots
    per_s = asks_per_s(scenario, calibration, slots)
    judge = Judge(scenario)
    try:
        check_reach(scenario)
    except LiveError as error:
        raise RehearsalError(str(error)) from None
    lives = cast_of(scenario, per_s, calibration.prompt_weight(slots))
    try:
        run = uvloop.run(
            play_live(
                msgspec.structs.replace(scenario, settings=told),
                lives,
                [judge, *listeners],
                limits=Limits(wall_s=scenario.duration_s + 2.0 * GRACE_S),
                people=known_people(scenario, per_s),
                keep=keep,
                progress=wish.say,
                standings=standings_beside,
            )
        )
    except LiveError as error:
        raise RehearsalError(str(error)) from None
    except asyncio.CancelledError:
        msg = "ended before anything was played"
        raise RehearsalError(msg) from None
    notes: tuple[str, ...] = () if run.is_complete else (f"ended early: {run.ended}, after {run.played_s:.0f} s",)
    if run.lateness.is_bottleneck:
        notes += ("the generator was the bottleneck: what it sent late counts against nobody",)
    if run.work_late_s > LATE_WORK_S:
        notes += (
            f"people's challenges were solved here up to {run.work_late_s:.0f} s later than on their own devices",
        )
    if left_out:
        notes += (f"left out of {wish.config}, as the live world has its own or none: {', '.join(left_out)}",)
    return judge, Run(late_p95_s=run.lateness.late_p95_s, notes=notes, is_interrupted=run.is_interrupted)


def digest_of_policy(settings: Settings) -> str:
    """Name a policy by what it says; where an instance keeps its files is no part of it."""
    said = {table: getattr(settings, table) for table in _POLICY}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic", enc_hook=str)).hexdigest()[:16]


def _given(config: Path | None) -> dict[str, Any]:
    """An operator's file as it stands there: it has been read, and is usable."""
    return {} if config is None else tomllib.loads(config.read_text("utf-8"))


def machine() -> str:
    """Say what this is played on."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def calibrate(name: str, config: Path | None, progress: Callable[[str], None]) -> Calibrated:
    """Measure the engine that the settings name: two to three minutes. Raises RehearsalError, and SettingsError."""
    settings = load_settings(config, {})
    engine = settings.engine
    if not engine.enabled or settings.engines:
        msg = "engines: only the embedded engine can be measured; of others write a calibration by hand, docs/lab.md"
        raise RehearsalError(msg)
    about = f"{engine.model}, {engine.slots} places, {engine.batch_tokens} tokens a batch, measured on {machine()}"
    measured = {table: said for table, said in _given(config).items() if table in {"engine", "models"}}
    try:
        return uvloop.run(measure(name, about, measured, progress=progress))
    except LiveError as error:
        raise RehearsalError(str(error)) from None
