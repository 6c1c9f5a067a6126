"""Reads a record of decisions line by line, and believes none of it before it was checked.

A record is one file, or a folder with the files of one or more runs. Whatever is wrong is told with the file, the line
and the field. A last line without its end is what a service that was killed leaves: it is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.decisions.lines import VERSION, AnyLine, Began, Replanned
from tidegate.core.standing.record import StandingPlan
from tidegate.lab.files import check_file
from tidegate.lab.mistakes import field_first

LONGEST_LINE: Final = 1 << 20
"""Bytes. The first line, with the plans of 256 engines, is the longest there can be."""

MOST_FILES: Final = 10_000
_MOST: Final = 10_000_000
_LARGEST: Final = 1e9
_DECODER: Final = msgspec.json.Decoder(AnyLine)


class RecordError(ValueError):
    """A record is not usable. The message names the file, the line, the field and what was expected."""


class Source(msgspec.Struct):
    """Where the reading is, and what was left out."""

    path: Path = Path()
    line: int = 0
    torn: int = 0

    def refuse(self, what: str) -> NoReturn:
        """Raise RecordError for what stands here."""
        msg = f"{self.path}: line {self.line}: {what}"
        raise RecordError(msg) from None


def files_of(path: Path) -> list[Path]:
    """The files of a record, in the order in which they were written. Raises RecordError."""
    try:
        if not path.is_dir():
            return [path]
        found = sorted(path.glob("decisions-*.jsonl"))
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise RecordError(msg) from None
    if not 0 < len(found) <= MOST_FILES:
        msg = f"{path}: expected 1 to {MOST_FILES} files decisions-*.jsonl, not {len(found)}"
        raise RecordError(msg)
    return found


def lines(path: Path, source: Source) -> Iterator[AnyLine]:
    """All lines of a record; `source` tells where it is. Raises RecordError."""
    for one in files_of(path):
        source.path, source.line = one, 0
        try:
            check_file(one)
            with one.open("rb") as file:
                while raw := file.readline(LONGEST_LINE + 1):
                    source.line += 1
                    if not raw.endswith(b"\n"):
                        if len(raw) > LONGEST_LINE:
                            source.refuse(f"longer than a line can be ({LONGEST_LINE} bytes)")
                        source.torn += 1
                        break
                    yield _line(raw, source)
        except OSError as error:
            msg = f"{one}: {error.strerror or error}"
            raise RecordError(msg) from None
        if not source.line:
            source.line = 1
            source.refuse("empty: expected a first line that says what was recorded")


def _line(raw: bytes, source: Source) -> AnyLine:
    try:
        line: AnyLine = _DECODER.decode(raw)
    except RecursionError:
        source.refuse("not a line of a record: nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        source.refuse(field_first(error))
    if isinstance(line, Began) != (source.line == 1):
        source.refuse("kind: expected `begin` in the first line, and nowhere else")
    if isinstance(line, Began):
        if line.version != VERSION:
            source.refuse(f"version: expected {VERSION}, not {line.version}")
        _check(line, source)
    elif isinstance(line, Replanned):
        _check(line, source)
    return line


def gate_plan(numbers: dict[str, float]) -> GatePlan:
    """Make the gate's plan of its numbers, with empty lists. Raises ValueError, which names the field."""
    plain = GatePlan()
    known = {name: type(value) for name, value in msgspec.structs.asdict(plain).items()}
    given = {}
    for name, value in numbers.items():
        kind = known.get(name)
        if kind not in {bool, int, float}:
            msg = f"{name}: no such number of a gate"
            raise ValueError(msg)
        given[name] = kind(value)
        if kind is not bool and not 0.0 < value <= _LARGEST:
            msg = f"{name}: expected more than 0 and at most 1e9, not {value}"
            raise ValueError(msg)
        if name.startswith("most_") and value > _MOST:
            msg = f"{name}: expected at most {_MOST}, not {value}"
            raise ValueError(msg)
    return msgspec.structs.replace(plain, **given)


def _check(line: Began | Replanned, source: Source) -> None:
    try:
        gate_plan(line.gate)
    except ValueError as error:
        source.refuse(f"gate.{error}")
    for number, plan in enumerate(line.admission):
        for mistake in _mistakes(plan):
            source.refuse(f"admission[{number}].{mistake}")
    for mistake in _of_standing(line.standing):
        source.refuse(f"standing.{mistake}")


def _mistakes(plan: AdmissionPlan) -> Iterator[str]:
    shards, cost = plan.shards, plan.cost
    bounds: dict[str, tuple[float, float, float]] = {
        "slots": (plan.slots, 1, 65_536),
        "max_waiting": (plan.max_waiting, 0, 1_000_000),
        "max_per_owner": (plan.max_per_owner, 1, 1_000_000),
        "max_per_stranger": (plan.max_per_stranger, 1, 1_000_000),
        "strangers_beside": (plan.strangers_beside, 0, 1),
        "slice_tokens": (plan.slice_tokens, 1, 1_000_000),
        "most_slices": (plan.most_slices, 1, 1_000_000),
        "gap_s": (plan.gap_s, 1e-6, 3600),
        "batch_tokens": (plan.batch_tokens, 1, 1_000_000),
        "readers": (plan.readers, 1, 65_536),
        "prefill_s": (plan.prefill_s, 1e-6, 3600),
        "usual_burst_s": (plan.usual_burst_s, 1e-6, 1e6),
        "usual_part": (plan.usual_part, 1e-9, 1),
        "most_principals": (plan.most_principals, 1, _MOST),
        "most_returns": (plan.most_returns, 0, 1_000_000),
        "cost.bytes_per_token": (cost.bytes_per_token, 0.01, 1000),
        "cost.prefill_tok_s": (cost.prefill_tok_s, 1e-3, 1e9),
        "cost.decode_tok_s": (cost.decode_tok_s, 1e-3, 1e9),
        "shards.queues": (shards.queues, 1, 65_536),
        "shards.hand": (shards.hand, 1, min(64, shards.queues)),
        "shards.queue_limit": (shards.queue_limit, 1, 1_000_000),
        "shards.key": (len(shards.key), 0, 32),
        **{f"shares.{standing}": (share, 0, 1) for standing, share in plan.shares.items()},
    }
    yield from _beyond(bounds)


def _of_standing(plan: StandingPlan) -> Iterator[str]:
    days = msgspec.structs.asdict(plan)
    yield from _beyond({name: (value, 1e-9 if name == "half_life_days" else 0, 1e6) for name, value in days.items()})


def _beyond(bounds: dict[str, tuple[float, float, float]]) -> Iterator[str]:
    for name, (value, least, most) in bounds.items():
        if not least <= value <= most:
            yield f"{name}: expected {least:g} to {most:g}, not {value:g}"
