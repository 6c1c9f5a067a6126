"""What is remembered of registration over a restart."""

from __future__ import annotations

import msgspec

from tidegate.core.registration.baseline import BaselineState
from tidegate.core.registration.machine import MachineState
from tidegate.core.registration.modes import RegistrationMode, Transition


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator said last, until when (Unix s), and why in their own words."""

    mode: RegistrationMode
    until: float
    why: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `moves` are the last ones, with the evidence of each."""

    machine: MachineState = MachineState()
    baseline: BaselineState = BaselineState()
    said: Said | None = None
    moves: tuple[Transition, ...] = ()
