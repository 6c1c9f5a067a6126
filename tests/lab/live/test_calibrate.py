"""A calibration from beginning to end, of a program that pretends to be a service with an engine."""

from __future__ import annotations

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
from tidegate.lab.live.service import LiveError

PRETENDED = {"pretend": {"gap_s": 0.002}}


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
    assert [check.what.partition(",")[0].partition(" of")[0] for check in found.checks] == [
        *["gap between tokens"] * 3,
        *["first token"] * 3,
    ]
    assert found.probes == found.counted == 16
    assert said[-1] == "measuring how soon a place is free"
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration


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
