"""Puts a rehearsal together: the policy that the service would run under, and the world it is played in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tidegate.app.plans import Plans, entering_plan, line_plan, plans_of
from tidegate.config import Settings
from tidegate.lab.calibration import Calibration
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Listener
from tidegate.lab.judge.findings import Result
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Scenario, World
from tidegate.services.admission import Patience

SHARD_KEY = b"tidegate lab: the same strangers"
"""Strangers share queues by this key: the same in every rehearsal, so that one can be played again."""


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
        patience=Patience(streamed_s=plans.patience_s, whole_s=plans.patience_whole_s),
    )


class RehearsalError(RuntimeError):
    """A rehearsal cannot be played. The message says why and what would help."""


class RehearsalWish(msgspec.Struct, frozen=True, kw_only=True):
    """What to play, and how. `calibration` is a name or a file's path; None is what the scenario says."""

    scenario: Scenario
    scenario_text: str
    world: World
    seed: int
    gate: GateKind = GateKind.TIDEGATE
    config: Path | None = None
    calibration: str | None = None


def rehearse(wish: RehearsalWish, listeners: Sequence[Listener] = ()) -> Result:
    """Play a scenario and judge it; `listeners` hear all of it too.

    Raises RehearsalError, CalibrationError, and SettingsError for settings that are not usable.
    """
    del listeners
    msg = f"{wish.scenario.name}: no {wish.world} world is here to play it in"
    raise RehearsalError(msg)


def calibrate(config: Path | None) -> Calibration:
    """Measure the engine that the settings name. Raises RehearsalError, and SettingsError."""
    del config
    msg = "no engine is here to be measured"
    raise RehearsalError(msg)
