"""Coverage that only goes up: hold each floor to the minimum written in coverage_floors.toml.

usage: coverage_ratchet.py REPORT.json [--raise]

REPORT.json is what `coverage json` writes, with branches. A floor below its
minimum fails, and so does one that has no minimum yet. One that has grown well
past its minimum is named; `--raise` writes the new minima down.
"""

from __future__ import annotations

import json
import math
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

MINIMA: Final = Path(__file__).with_name("coverage_floors.toml")
ROOM_TO_RAISE: Final = 1.0
WORST_SHOWN: Final = 5
LINES_SHOWN: Final = 12

HEADER = """\
# The least coverage of each floor, in percent of lines and branches. It only goes up:
# `python tools/coverage_ratchet.py .cache/coverage/report.json --raise` after `make test`.
"""


def floor_of(path: str) -> str:
    """Name the floor of a file: the room below the package, `app` for what lies on top, or `tests`."""
    parts = Path(path).parts
    if "tidegate" not in parts:
        return parts[0]
    below = parts[parts.index("tidegate") + 1 :]
    return below[0] if len(below) > 1 else "app"


def measure(report: dict[str, Any]) -> dict[str, float]:
    """Work out the percentage of each floor, rounded down to a tenth."""
    hit: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for path, file in report["files"].items():
        covered, of = _counts(file["summary"])
        hit[floor_of(path)] += covered
        total[floor_of(path)] += of
    return {floor: math.floor(1000 * hit[floor] / of) / 10 for floor, of in sorted(total.items()) if of}


def shortfalls(measured: dict[str, float], minima: dict[str, float]) -> list[str]:
    """Say what is wrong: floors below their minimum, without one, or written down but gone."""
    wrong = [
        f"{floor}: {measured[floor]} %, at least {minimum} % promised"
        for floor, minimum in minima.items()
        if floor in measured and measured[floor] < minimum
    ]
    wrong += [f"{floor}: {measured[floor]} %, and no minimum yet" for floor in measured if floor not in minima]
    wrong += [f"{floor}: has a minimum and no files" for floor in minima if floor not in measured]
    return wrong


def risen(measured: dict[str, float], minima: dict[str, float]) -> list[str]:
    """Name the floors whose minimum may be raised."""
    return [floor for floor, minimum in minima.items() if measured.get(floor, 0.0) >= minimum + ROOM_TO_RAISE]


def raised(measured: dict[str, float], minima: dict[str, float]) -> dict[str, float]:
    """Take for each floor that there is the better of what was promised and the whole percents measured."""
    # Whole percents: which line of a race ran may differ from run to run, and a ratchet must not be flaky.
    return {floor: max(float(math.floor(percent)), minima.get(floor, 0.0)) for floor, percent in measured.items()}


def worst(report: dict[str, Any], floor: str) -> list[str]:
    """Name the files of a floor that miss most."""
    missing = []
    for path, file in report["files"].items():
        covered, of = _counts(file["summary"])
        if floor_of(path) == floor and covered < of:
            missing.append((of - covered, path, file["missing_lines"]))
    return [f"{path}: {_where(lines)}" for _, path, lines in sorted(missing, reverse=True)[:WORST_SHOWN]]


def main(arguments: list[str]) -> int:
    """Judge the report named in `arguments` and answer the exit status."""
    report = json.loads(Path(arguments[0]).read_text())
    minima = tomllib.loads(MINIMA.read_text())["minimum"]
    measured = measure(report)
    print("coverage: " + ", ".join(f"{floor} {percent} %" for floor, percent in measured.items()))
    if "--raise" in arguments:
        lines = [f"{floor} = {percent}\n" for floor, percent in raised(measured, minima).items()]
        MINIMA.write_text(HEADER + "[minimum]\n" + "".join(lines))
        return 0
    wrong = shortfalls(measured, minima)
    for complaint in wrong:
        print(f"too little: {complaint}")
        print("".join(f"    {line}\n" for line in worst(report, complaint.partition(":")[0])), end="")
    if grown := risen(measured, minima):
        print(f"may be raised (--raise): {', '.join(grown)}")
    return 1 if wrong else 0


def _where(lines: list[int]) -> str:
    shown = ", ".join(str(line) for line in lines[:LINES_SHOWN])
    more = f" and {len(lines) - LINES_SHOWN} more lines" if len(lines) > LINES_SHOWN else ""
    return f"{shown}{more}" or "branches"


def _counts(summary: dict[str, int]) -> tuple[int, int]:
    return (
        summary["covered_lines"] + summary["covered_branches"],
        summary["num_statements"] + summary["num_branches"],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
