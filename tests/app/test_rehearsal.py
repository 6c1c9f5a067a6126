"""A rehearsal is played with the engine that the settings describe."""

from __future__ import annotations

import pytest

from tidegate.app.lab import RehearsalWish, rehearse
from tidegate.lab.gates import GateKind
from tidegate.lab.scenario import World, parse

CROWDED = """
version = 1
name = "crowded"
title = "Crowded"
about = "Three times as many questions as the engine can answer."
duration_s = 60
[settings.engine]
slots = 6
[engine]
model = "gpu-8b"
replicas = {replicas}
[people]
established = 300
load = 3.0
"""


@pytest.mark.parametrize("gate", GateKind)
@pytest.mark.parametrize("replicas", [1, 3])
def test_an_engine_has_the_places_that_the_settings_give_it_whatever_it_was_measured_with(
    gate: GateKind, replicas: int
) -> None:
    text = CROWDED.format(replicas=replicas)
    wish = RehearsalWish(scenario=parse(text), scenario_text=text, world=World.VIRTUAL, seed=1, gate=gate)

    running = [value for value in rehearse(wish).findings.load.running if value is not None]

    assert 5.0 <= max(running) <= 6.0
