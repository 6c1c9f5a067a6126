"""A calibration from beginning to end, of a program that pretends to be a service with an engine."""

from __future__ import annotations

import os
import re
from time import monotonic

import msgspec
import pytest

from tests.lab.live.pretending import pretended
from tidegate.lab.calibration import Calibration
from tidegate.lab.live import calibrate as room
from tidegate.lab.live import probing, processes
from tidegate.lab.live.calibrate import Calibrated, Check, calibrate
from tidegate.lab.live.fitting import Fitted
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.probing import Probe, gaps_together
from tidegate.lab.live.service import LiveError, LiveService

PRETENDED = {"pretend": {"gap_s": 0.002, "read_s": 0.05}}


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "running", pretended)
    monkeypatch.setattr(room, "FIT_ROUNDS", 1)
    monkeypatch.setattr(room, "CHECK_ROUNDS", 1)
    monkeypatch.setattr(room, "WRITTEN_TOKENS", 12)
    monkeypatch.setattr(probing, "_CUT_AFTER_S", 0.02)
    monkeypatch.setattr(processes, "speed_of_core", lambda _: 2e7)


async def test_it_measures_checks_itself_and_says_what_it_was_made_from() -> None:
    said: list[str] = []
    found = await calibrate("here", "pretended", PRETENDED, progress=said.append)
    calibration = found.calibration

    assert (calibration.name, calibration.slots, calibration.most_tokens) == ("here", 4, 10)
    assert (calibration.template_tokens, calibration.keeps_prefix, calibration.speed) == (30, True, 2e7)
    assert calibration.batch_s + calibration.write_s > 0.001
    assert 3.0 < calibration.bytes_per_token < 6.0
    # Of some answers at once nobody knows whether their places are neighbours: one, all, and all but one.
    assert [re.sub(r"[0-9]{2,}", "N", check.what) for check in found.checks] == [
        "gap between tokens, 1 at once",
        "gap between tokens, 4 at once",
        "gap of 3 beside a prompt that is read",
        *["first token of a prompt of N"] * 3,
    ]
    assert found.probes == found.counted == 15
    assert calibration.is_split, "as llama.cpp, which is the engine that is measured"
    assert said[-1] == "measuring how soon a place is free"
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration


async def test_an_engine_with_one_place_is_measured_with_two() -> None:
    found = await calibrate("here", "pretended", {**PRETENDED, "engine": {"slots": 1, "batch_tokens": 20}})

    assert (found.calibration.slots, found.calibration.most_tokens) == (2, 22)
    assert [check.what for check in found.checks][:3] == [
        "gap between tokens, 1 at once",
        "gap between tokens, 2 at once",
        "gap of 1 beside a prompt that is read",
    ]


async def test_on_two_cores_the_engine_has_one_to_itself_and_afterwards_all_is_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pinned: list[tuple[int, list[int]]] = []
    looked: set[int | None] = set()

    def speed_of_core(core: int | None) -> float:
        looked.add(core)
        return 2e7

    monkeypatch.setattr(LiveService, "engine_pid", 7)
    monkeypatch.setattr(processes, "cores", lambda: [0, 1, 2])
    monkeypatch.setattr(processes, "pin", lambda pid, cores: pinned.append((pid, list(cores))))
    monkeypatch.setattr(processes, "speed_of_core", speed_of_core)
    monkeypatch.setattr(processes, "cpu_s", lambda _: monotonic())
    found = await calibrate("here", "pretended", PRETENDED)
    own = os.getpid()

    assert pinned[0] == (7, [1, 2])
    assert (own, [0]) in pinned
    assert pinned[-1] == (own, [0, 1, 2])
    assert looked == {1}
    assert found.counted == found.probes, "it had its core to itself all the time"


async def test_no_further_round_begins_when_time_is_up_and_then_there_is_nothing_to_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "LONGEST_S", 0.0)

    with pytest.raises(LiveError, match="too slow"):
        await calibrate("here", "pretended", PRETENDED)


async def test_a_service_that_does_not_answer_cannot_be_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LiveError, match="which model"):
        await calibrate("here", "pretended", {"pretend": {"is_bare": True}})


def test_a_tenth_is_good_and_more_is_not() -> None:
    calibration = Calibration(name="x", about="", slots=1, most_tokens=1, batch_s=0.0, write_s=0.0, read_s=0.0)

    def of(predicted_s: float) -> Calibrated:
        checks = [Check(what="x", predicted_s=predicted_s, measured_s=1.0)]
        return Calibrated(
            calibration=calibration, checks=checks, probes=1, counted=1, took_s=1.0, slowest=1.0, fastest=1.0
        )

    assert [of(predicted_s).is_good for predicted_s in (0.91, 1.09, 0.89, 1.11)] == [True, True, False, False]


def test_where_the_machine_was_never_steady_the_least_disturbed_probes_count() -> None:
    probes = [(1, Probe(speed=1.0, is_steady=False, share=share, gap_s=share)) for share in (0.2, 0.8, 0.5)]
    calm = (1, Probe(speed=1.0, is_steady=True, share=0.9, gap_s=0.1))

    assert [one.share for _, one in room._steady(probes)] == [0.8, 0.5]
    assert room._steady([*probes, calm]) == [calm]
    assert room._after([], Fitted(batch_s=0, write_s=0, read_s=0, begin_s=0, most_tokens=1), 1.0) == 0.0


def test_times_are_told_as_of_one_speed() -> None:
    assert Probe(speed=2.0, is_steady=True).at(3.0, speed=1.0) == 6.0


def test_only_gaps_while_all_were_written_count() -> None:
    def of(*arrived: float) -> Heard:
        heard = Heard(0.0)
        heard.arrived = list(arrived)
        return heard

    assert gaps_together([of(1, 2, 3, 4, 5), of(2.5, 3.5, 4.5)]) == [1.0, 1.0, 1.0]
