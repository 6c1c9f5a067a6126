"""What can stand in the middle of the virtual world: Tidegate, and what it is compared with (docs/lab/baselines.md)."""

from __future__ import annotations

from typing import Final

from tidegate.lab.gates import GateKind
from tidegate.lab.simulator.bare import Bare
from tidegate.lab.simulator.by_address import ByAddress
from tidegate.lab.simulator.door import Door
from tidegate.lab.simulator.serving import Service
from tidegate.lab.simulator.world import Opening, Setting, open_tidegate


def open_whole(setting: Setting) -> Service:
    """A Tidegate with its door."""
    service = open_tidegate(setting)
    service.door = Door(
        setting.rules,
        setting.scenario.seed,
        agenda=setting.agenda,
        clock=service.clock,
        house=service,
        tell=setting.tell,
    )
    return service


def open_bare(setting: Setting) -> Service:
    """A service without a gate."""
    scenario = setting.scenario
    return Bare(setting.calibration, setting.agenda, replicas=scenario.engine.replicas, seed=scenario.seed)


def open_by_address(setting: Setting) -> Service:
    """The same behind plain rate limiting by address."""
    scenario = setting.scenario
    return ByAddress(setting.calibration, setting.agenda, replicas=scenario.engine.replicas, seed=scenario.seed)


OPENINGS: Final[dict[GateKind, Opening]] = {
    GateKind.TIDEGATE: open_whole,
    GateKind.OFF: open_bare,
    GateKind.BY_ADDRESS: open_by_address,
}
"""What stands before the engine, as a person asks for it."""
