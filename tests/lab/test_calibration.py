"""What is known of an engine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tidegate.lab.calibration import Calibration, CalibrationError, encoded, find, passes, read

ENGINE = Calibration(name="one", about="made up", slots=4, most_tokens=8, batch_s=0.01, write_s=0.002, read_s=0.001)


def test_an_engine_can_do_as_many_calls_as_fit_into_its_batches() -> None:
    batches = 40  # Of 4 answers of 10 tokens each, one prompt token read beside each of them.
    whole_s = batches / 4 * ENGINE.step_s(4, 0) + batches * ENGINE.read_s

    assert ENGINE.calls_per_s(10, 10, at_once=4) == pytest.approx(4 / whole_s)


def test_a_token_that_is_read_weighs_what_the_engine_takes_for_it() -> None:
    assert ENGINE.prompt_weight(1) == pytest.approx(0.001 / 0.012)
    assert ENGINE.prompt_weight(10) == pytest.approx(0.001 / 0.003)


def test_with_other_places_a_batch_has_as_much_room_for_prompts() -> None:
    more = ENGINE.with_places(16)

    assert (more.slots, more.most_tokens - more.slots) == (16, ENGINE.most_tokens - ENGINE.slots)
    assert more.with_places(4) == ENGINE


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(encoded(ENGINE))

    assert read(path) == ENGINE


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "truncated"),
        (msgspec.json.encode(msgspec.structs.replace(ENGINE, version=2)), "version: expected 1, not 2"),
        (msgspec.json.encode(msgspec.structs.replace(ENGINE, batch_s=-1.0)), "batch_s: Expected"),
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


# ---------------------------------------------------------------- what a batch costs


def test_a_batch_that_reads_and_writes_takes_longer_and_each_pass_costs_again() -> None:
    mixed = msgspec.structs.replace(ENGINE, mixed_s=0.005)

    assert mixed.step_s(4, 0) == ENGINE.step_s(4, 0) == pytest.approx(0.018)
    assert mixed.step_s(0, 4) == ENGINE.step_s(0, 4) == pytest.approx(0.014)
    assert mixed.step_s(2, 4) == pytest.approx(0.018 + 0.005)
    assert ENGINE.step_s(4, 0, passes=3) == pytest.approx(0.038)


def test_reading_beside_others_takes_the_engine_what_its_batches_take_longer() -> None:
    batches = 50 / 5  # 8 tokens fit into a batch, of which 3 others write one each.
    split = msgspec.structs.replace(ENGINE, is_split=True, mixed_s=0.003)
    plain_s = ENGINE.busy_s(50, 20, 4)

    assert split.busy_s(50, 20, 4) == pytest.approx(plain_s + batches * (0.003 + ENGINE.batch_s))
    assert msgspec.structs.replace(split, is_split=False).busy_s(50, 20, 4) == pytest.approx(plain_s + batches * 0.003)
    assert split.busy_s(50, 20, 1) == ENGINE.busy_s(50, 20, 1)


@pytest.mark.parametrize(
    ("writing", "reading", "is_more_read", "times"),
    [
        (0b0000, 0b0000, False, 1),
        (0b1111, 0b0000, False, 1),
        (0b1011, 0b0000, False, 2),
        (0b0101, 0b0000, False, 2),
        (0b0111, 0b1000, False, 1),
        (0b0111, 0b1000, True, 2),
        (0b1110, 0b0001, True, 2),
        (0b0011, 0b1000, True, 2),
        (0b0000, 0b0001, True, 1),
    ],
)
def test_places_that_are_no_neighbours_are_passes_of_their_own(
    writing: int, reading: int, is_more_read: bool, times: int
) -> None:
    assert passes(writing, reading, is_more_read=is_more_read) == times


# ---------------------------------------------------------------- by name, by path


def test_what_ships_is_found_by_its_name_and_what_was_measured_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(msgspec.json.encode(ENGINE))

    assert find("cpu-smollm2").name == "cpu-smollm2"
    assert find(str(path)) == ENGINE


def test_a_name_that_nobody_knows_is_told_with_those_that_there_are() -> None:
    with pytest.raises(CalibrationError, match="nope: no such calibration; there are cpu-smollm2, gpu-8b"):
        find("nope")


def test_a_file_is_read_and_no_name_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CalibrationError, match="No such file"):
        find("gpu-8b.json")
