"""How the service is, in one sentence for anybody: said the same on every page.

The indicators are those of Statuspage's public API (https://metastatuspage.com/api).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.core.capacity.health import EngineState

Indicator = Literal["none", "minor", "major", "critical"]


class Status(msgspec.Struct, frozen=True):
    """How bad it is, and in one sentence."""

    indicator: Indicator
    description: str


def verdict(state: EngineState, *, is_draining: bool) -> Status:
    """Judge from what the service itself knows."""
    if is_draining:
        # A signal does not tell whether somebody means to start it again.
        return Status("major", "The service is being stopped or restarted.")
    match state:
        case EngineState.READY:
            return Status("none", "All systems operational")
        case EngineState.LOADING | EngineState.STOPPED:
            return Status("major", "The model is being loaded; requests are refused until it is ready.")
        case EngineState.FAILED:
            return Status("critical", "The model does not answer and is being restarted.")
