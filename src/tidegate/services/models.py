"""The models that are served, each with its engine and the line before it."""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.capacity.health import EngineState
from tidegate.ports.engine import Engine, EngineReport
from tidegate.services.admission import Admission

_BEST_FIRST: Final = (EngineState.READY, EngineState.LOADING, EngineState.STOPPED, EngineState.FAILED)


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. It may be asked for by its own name and by its `aliases`."""

    engine: Engine
    admission: Admission
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of its names, its own first."""
        return (self.engine.card.id, *self.aliases)


def find(served: tuple[Served, ...], name: str) -> Served | None:
    """The model of this name."""
    return next((one for one in served if name in one.names), None)


class Together(msgspec.Struct, frozen=True):
    """All of them, for those who ask how the service is."""

    served: tuple[Served, ...]

    def report(self) -> EngineReport:
        """As well as the best of them, for then somebody is answered."""
        reports = [one.engine.report() for one in self.served]
        return min(reports, key=lambda report: _BEST_FIRST.index(report.state))
