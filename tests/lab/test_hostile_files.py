"""Files that somebody means ill with: each is told to be wrong, at once, and nothing is waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.lab.test_calibration import ENGINE
from tidegate.lab import calibration, scenario
from tidegate.lab.calibration import CalibrationError
from tidegate.lab.judge import findings
from tidegate.lab.judge.findings import FindingsError
from tidegate.lab.replay.reading import RecordError, Source, lines
from tidegate.lab.scenario import Scenario, ScenarioError, parse
from tidegate.lab.traces.lengths import lengths
from tidegate.lab.traces.shapes import shape
from tidegate.lab.traces.sources import TraceError

HEAD = 'version = 1\nname = "one"\ntitle = "One"\nabout = "It."\nduration_s = 60\n'
SPAN = "from_s = 1\nuntil_s = 9\n"
CROWD, FLOOD = f"[[crowd]]\n{SPAN}", f"[[attack]]\nfamily = 'request_flood'\n{SPAN}"
FAULT, ODD = f"[[fault]]\nkind = 'clock_step'\n{SPAN}", f"[[odd]]\nkind = 'classroom'\n{SPAN}"
NUMBERS = [
    *((HEAD.replace("60", "{}"), "duration_s"), (HEAD + "warm_s = {}\n", "warm_s")),
    *((HEAD + f"[slo]\n{name} = {{}}\n", f"slo.{name}") for name in ("first_s", "gap_s", "stall_s")),
    *(
        (HEAD + f"[people]\n{name} = {{}}\n", f"people.{name}")
        for name in ("load", "new_part", "turns", "think_s", "programs", "patience_s")
    ),
    *(
        (HEAD + f"[people]\n{name}_per_min = {{}}\n", f"people.{name}")
        for name in ("sign_ups", "sign_ins", "page_views")
    ),
    *((HEAD + CROWD + f"{name} = {{}}\n", f"crowd[0].{name}") for name in ("load", "ramp_s", "sign_ups_per_min")),
    *((HEAD + FLOOD + f"{name} = {{}}\n", f"attack[0].{name}") for name in ("intensity", "mimicry")),
    *((HEAD + FAULT + f"{name} = {{}}\n", f"fault[0].{name}") for name in ("factor", "step_s")),
    (HEAD + ODD + "intensity = {}\n", "odd[0].intensity"),
    (HEAD + "[scale]\ntick_s = {}\n", "scale.tick_s"),
]


@pytest.mark.parametrize("number", ["inf", "nan", "-inf", "1e300", "-1e300"])
@pytest.mark.parametrize(("text", "field"), NUMBERS, ids=[field for _, field in NUMBERS])
def test_a_number_that_no_rehearsal_could_end_with_is_told_by_its_field(text: str, field: str, number: str) -> None:
    with pytest.raises(ScenarioError, match=r"Expected|expected") as caught:
        parse(text.format(number))

    assert field.rsplit(".", maxsplit=1)[-1].split("_per", maxsplit=1)[0] in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "seed = 9223372036854775808",
        "seed = -1",
        "[people]\nestablished = 1000000000000",
        f"{FLOOD}accounts = 30000000",
        f"{ODD}people = 10000000000",
        "[scale]\ncells = 1001",
        "[scale]\ntick_s = 1e-9",
        f"seed = {'9' * 5000}",
        f"[settings]\na = {'[' * 4000}{']' * 4000}",
        f"[settings]\n{'.'.join('a' * 4000)} = 1",
    ],
    ids=range(10),
)
def test_what_is_too_large_or_too_deep_is_a_mistake_of_the_scenario(line: str) -> None:
    with pytest.raises(ScenarioError):
        parse(HEAD + line)


def test_the_largest_seed_can_be_played() -> None:
    assert parse(f"{HEAD}seed = {(1 << 63) - 1}").seed.to_bytes(8, "big")


def _record(path: Path) -> None:
    list(lines(path, Source()))


READERS: list[tuple[Callable[[Path], object], type[Exception]]] = [
    (scenario.text_of, ScenarioError),
    (calibration.read, CalibrationError),
    (findings.read, FindingsError),
    (_record, RecordError),
    (lambda path: lengths(f"file:{path}"), TraceError),
    (lambda path: shape(f"file:{path}"), TraceError),
]


@pytest.mark.parametrize(("reader", "error"), READERS, ids=[error.__name__ for _, error in READERS])
def test_a_pipe_or_a_device_is_no_file(
    reader: Callable[[Path], object], error: type[Exception], tmp_path: Path
) -> None:
    """
    Nobody writes into that pipe: whoever opened it would wait for ever; of the device there is no end.
    """
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    for path in (pipe, Path("/dev/zero")):
        with pytest.raises(error, match="not a file but"):
            reader(path)


@pytest.mark.parametrize("name", ["\x00/x", "x" * 5000 + "/x", "a\x00.json"])
def test_a_name_that_no_file_can_have_is_told(name: str) -> None:
    with pytest.raises(CalibrationError):
        calibration.find(name)
    with pytest.raises(TraceError):
        lengths(name)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"name": "\xff"}', b" " * (1 << 17), b"null"])
def test_a_file_that_is_no_calibration_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(content)

    with pytest.raises(CalibrationError, match=r"engine\.json"):
        calibration.read(path)


def test_a_calibration_that_is_too_large_is_told_how_large_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_bytes(b" " * (1 << 17))

    with pytest.raises(CalibrationError, match=r"larger than a calibration can be \(64 KiB\)"):
        calibration.read(path)


def test_an_engine_that_takes_no_time_is_none(tmp_path: Path) -> None:
    """
    A load is a part of what it can do, and there would be no end of that.
    """
    path = tmp_path / "engine.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(ENGINE, batch_s=0.0, write_s=0.0, read_s=0.0)))
    with pytest.raises(CalibrationError, match="batch_s: expected"):
        calibration.read(path)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(ENGINE, batch_s=0.0, read_s=0.0)))
    assert calibration.read(path).calls_per_s(10, 10, 4) > 0


def test_a_scenario_of_nobody_is_a_scenario() -> None:
    found: Scenario = parse(f"{HEAD}[people]\nestablished = 0\nnew = 0\nanonymous = 0\n")

    assert (found.people.established, found.attack) == (0, ())
