"""What a rehearsal came to, as it is kept and compared: the same scenario and seed give the same bytes.

What the clock on the wall says stands apart, in `Run`: it is never the same twice.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from tidegate.lab.files import read_whole
from tidegate.lab.judge.figures import (
    AlarmFigures,
    AttackFigures,
    IncidentFigures,
    LoadFigures,
    Move,
    OddityFigures,
    PeopleFigures,
    PromiseFigures,
)
from tidegate.lab.scenario import Scenario, Slo

VERSION: Final = 1
FINDINGS_FILE: Final = "findings.json"
RUN_FILE: Final = "run.json"
_MOST_BYTES: Final = 64 << 20
_LARGEST: Final = 1 << 63


class FindingsError(ValueError):
    """A file is not the findings of a rehearsal. The message names the file and what was expected."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the scenario's that was on for a while."""

    kind: str
    name: str
    from_s: float
    until_s: float


class Staging(msgspec.Struct, frozen=True, kw_only=True):
    """How the scenario was played. `scenario_text` is the file as it was read; `gate` what stood before the engine.

    `families` is the version of the attackers' families: figures of different ones say nothing of each other.
    """

    scenario_text: str = ""
    world: str = "virtual"
    gate: str = "tidegate"
    seed: int = 1
    calibration: str = ""
    rules_digest: str = ""
    families: int = 1


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found. No field depends on the machine or the hour."""

    version: int
    scenario: str
    title: str
    about: str
    scenario_digest: str
    staging: Staging
    duration_s: float
    warm_s: float
    slo: Slo
    requests: int
    marks: tuple[Mark, ...]
    people: dict[str, PeopleFigures]
    attackers: dict[str, AttackFigures]
    oddities: dict[str, OddityFigures]
    promises: PromiseFigures
    incidents: tuple[IncidentFigures, ...]
    alarms: AlarmFigures
    moves: tuple[Move, ...]
    moves_left_out: int
    load: LoadFigures


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One rehearsal on one machine. `late_p95_s` is how late the live world's generator sent what it had to send.

    `is_interrupted`: somebody ended it, and the findings are of what was heard until then.
    """

    machine: str = ""
    commit: str = ""
    began_at: str = ""
    wall_s: float = 0.0
    requests_per_s: float = 0.0
    late_p95_s: float | None = None
    notes: tuple[str, ...] = ()
    is_interrupted: bool = False


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Findings, and the run that they are from."""

    findings: Findings
    run: Run = Run()


def digest_of(scenario: Scenario) -> str:
    """Name a scenario by what it says: spaces, comments, its order in the file and its dice do not count."""
    undiced = msgspec.structs.replace(scenario, seed=0)  # The seed stands in `Staging`: plays with other dice compare.
    return hashlib.sha256(msgspec.json.encode(undiced, order="deterministic")).hexdigest()


def encoded(value: Findings | Run | Result) -> bytes:
    """Give the bytes to keep: JSON, sorted, two spaces deep, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2) + b"\n"


def write(result: Result, folder: Path) -> None:
    """Keep both in `folder`, a file each. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINDINGS_FILE).write_bytes(encoded(result.findings))
    (folder / RUN_FILE).write_bytes(encoded(result.run))


def read(path: Path) -> Result:
    """Read a folder that `write` made, its file of findings alone, or what `tidegate lab run --json` printed.

    Raises FindingsError.
    """
    if path.is_dir():
        run = path / RUN_FILE
        known = _decoded(run, Run) if run.is_file() else Run()
        return _of_now(path / FINDINGS_FILE, Result(findings=_decoded(path / FINDINGS_FILE, Findings), run=known))
    value = _decoded(path, dict[str, Any])
    try:
        if "findings" in value:
            return _of_now(path, msgspec.convert(value, Result))
        return _of_now(path, Result(findings=msgspec.convert(value, Findings)))
    except msgspec.ValidationError as error:
        msg = f"{path}: not the findings of a rehearsal: {error}"
        raise FindingsError(msg) from None


def _of_now(path: Path, result: Result) -> Result:
    if result.findings.version != VERSION:
        msg = f"{path}: version: expected {VERSION}, not {result.findings.version}"
        raise FindingsError(msg)
    return result


def _check_numbers(value: Any) -> None:
    """Raise ValueError for a whole number beyond 64 bits: it is no count of anything, and no float either."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, int) and abs(one) >= _LARGEST:
            msg = "a number that counts nothing: it has more than 64 bits"
            raise ValueError(msg)


def _decoded(path: Path, kind: Any) -> Any:
    content = read_whole(path, _MOST_BYTES, "findings", FindingsError)
    try:
        value = msgspec.json.decode(content)
        _check_numbers(value)
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        msg = f"{path}: not the findings of a rehearsal: {error}"
        raise FindingsError(msg) from None
