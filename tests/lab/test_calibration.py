"""What is known of an engine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tidegate.lab.calibration import Calibration, CalibrationError, read

ENGINE = Calibration(name="one", about="made up", slots=4, most_tokens=8, batch_s=0.01, write_s=0.002, read_s=0.001)


def test_an_engine_can_do_as_many_calls_as_fit_into_its_batches() -> None:
    batches = 40  # Of 4 answers of 10 tokens each, one prompt token read beside each of them.
    whole_s = batches / 4 * ENGINE.step_s(4, 0) + batches * ENGINE.read_s

    assert ENGINE.calls_per_s(10, 10, at_once=4) == pytest.approx(4 / whole_s)


def test_with_other_places_a_batch_has_as_much_room_for_prompts() -> None:
    more = ENGINE.with_places(16)

    assert (more.slots, more.most_tokens - more.slots) == (16, ENGINE.most_tokens - ENGINE.slots)
    assert more.with_places(4) == ENGINE


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(msgspec.json.encode(ENGINE))

    assert read(path) == ENGINE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "truncated"),
        (msgspec.json.encode(msgspec.structs.replace(ENGINE, version=2)), "version: expected 1, not 2"),
        (msgspec.json.encode(msgspec.structs.replace(ENGINE, batch_s=-1.0)), "batch_s"),
    ],
)
def test_a_calibration_that_is_none_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(content)

    with pytest.raises(CalibrationError, match=told):
        read(path)


def test_a_calibration_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="No such file"):
        read(tmp_path / "none.json")
