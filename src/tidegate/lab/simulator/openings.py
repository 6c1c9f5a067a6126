"""What can stand in the middle of the virtual world: Tidegate, and what it is compared with (docs/lab/baselines.md)."""

from __future__ import annotations

from typing import Final

from tidegate.lab.simulator.bare import Bare
from tidegate.lab.simulator.by_address import ByAddress
from tidegate.lab.simulator.door import Door
from tidegate.lab.simulator.service import Tidegate
from tidegate.lab.simulator.serving import Service
from tidegate.lab.simulator.world import Opening, Setting


def open_whole(setting: Setting) -> Service:
    """A Tidegate with its door."""
    scenario = setting.scenario
    service = Tidegate(
        setting.rules,
        setting.calibration,
        setting.agenda,
        setting.tell,
        replicas=scenario.engine.replicas,
        seed=scenario.seed,
    )
    service.door = Door(
        setting.rules,
        scenario.seed,
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


OPENINGS: Final[dict[str, Opening]] = {
    "tidegate": open_whole,
    "off": open_bare,
    "by-address": open_by_address,
}
"""By the names under which a person asks for them."""
