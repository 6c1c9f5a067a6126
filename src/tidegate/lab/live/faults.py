"""What breaks in the live world: the engine is slow or down, an operator sets something by mistake.

A slow engine is stopped and continued by turns, so that its part of the time is left to it; an engine that is down
is killed as often as the service starts it anew. Both are signals to a process that the rehearsal itself started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final, Protocol

from tidegate.lab.hearing import Happened
from tidegate.lab.live.service import LiveError
from tidegate.lab.scenario import Broken, Fault, Scenario, World

TURN_S: Final = 0.05
"""A slow engine's turn: short beside the gap between two tokens that is still good."""
_LOOK_EVERY_S: Final = 0.2
PLAYED: Final = (Fault.ENGINE_SLOW, Fault.ENGINE_DOWN, Fault.CONFIGURATION)


class Patient(Protocol):
    """The service that something happens to."""

    @property
    def engine_pid(self) -> int | None:
        """Its engine's process."""

    async def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Take settings while it runs. Raises LiveError."""


def check(scenario: Scenario) -> None:
    """Raise LiveError for what the live world cannot play, naming the field, before anything is started."""
    if World.LIVE not in scenario.worlds:
        msg = f"{scenario.name}: worlds: this scenario is not for the live world"
        raise LiveError(msg)
    if scenario.engine.replicas > 1:
        msg = f"{scenario.name}: engine.replicas: expected 1 in the live world, which has one embedded engine"
        raise LiveError(msg)
    if scenario.scale.cells > 1:
        msg = f"{scenario.name}: scale.cells: expected 1 in the live world"
        raise LiveError(msg)
    for number, broken in enumerate(scenario.fault):
        if broken.kind not in PLAYED:
            there = ", ".join(PLAYED)
            msg = f"{scenario.name}: fault[{number}].kind: {broken.kind} is not in the live world ({there} are)"
            raise LiveError(msg)
        if any(_overlap(broken, other) for other in scenario.fault[:number]):
            msg = f"{scenario.name}: fault[{number}].from_s: two of {broken.kind} at once are not in the live world"
            raise LiveError(msg)


def _overlap(one: Broken, other: Broken) -> bool:
    # The end of the one would heal the other.
    return one.kind is other.kind and one.from_s < other.until_s and other.from_s < one.until_s


async def play(
    broken: Broken, scenario: Scenario, patient: Patient, began_at: float, tell: Callable[[Happened], None]
) -> None:
    """Let it break when it is time, and mend it. Whatever cuts this short, the engine is left running."""
    await asyncio.sleep(began_at + broken.from_s - monotonic())
    until = began_at + broken.until_s
    match broken.kind:
        case Fault.ENGINE_SLOW:
            await _slow(patient, broken.factor, until)
        case Fault.ENGINE_DOWN:
            await _down(patient, until)
        case _:
            await _misconfigured(patient, scenario, broken, began_at, tell)


async def _slow(patient: Patient, factor: float, until: float) -> None:
    while monotonic() < until:
        pid = patient.engine_pid
        if pid is None:
            await asyncio.sleep(_LOOK_EVERY_S)
            continue
        try:
            _signal(pid, signal.SIGSTOP)
            await asyncio.sleep(TURN_S * (1.0 - factor))
        finally:
            _signal(pid, signal.SIGCONT)
        await asyncio.sleep(TURN_S * factor)


async def _down(patient: Patient, until: float) -> None:
    while monotonic() < until:
        pid = patient.engine_pid
        if pid is not None:
            _signal(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_EVERY_S)


async def _misconfigured(
    patient: Patient, scenario: Scenario, broken: Broken, began_at: float, tell: Callable[[Happened], None]
) -> None:
    try:
        await patient.reconfigure(merged(scenario.settings, broken.settings))
    except LiveError as error:
        tell(Happened(at_s=monotonic() - began_at, what="change", by="operator", detail=f"refused: {error}"[:200]))
        return
    tell(Happened(at_s=monotonic() - began_at, what="change", by="operator", detail="config"))
    await asyncio.sleep(began_at + broken.until_s - monotonic())
    await patient.reconfigure(scenario.settings)
    tell(Happened(at_s=monotonic() - began_at, what="change", by="operator", detail="config"))


def merged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them, table by table."""
    found = dict(settings)
    for name, value in over.items():
        below = found.get(name)
        is_table = isinstance(value, Mapping) and isinstance(below, Mapping)
        found[name] = merged(below, value) if is_table else value  # type: ignore[arg-type] # both were looked at
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
