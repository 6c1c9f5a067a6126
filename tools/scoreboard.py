"""Writes docs/scoreboard.md: what people get in every scenario that ships, with Tidegate and without.

    python -m tools.scoreboard [--only NAME,NAME] [--seconds S] [--json FILE] [--out FILE]

Plays each in the virtual world, behind Tidegate, behind a limit by address, and behind nothing, as many at once as
there are cores; then a few services of internet-scale, by bench/internet_scale.py. `--seconds` plays only beginnings.
With `--only` or `--seconds` the page goes to standard output, unless `--out` says where. Ends with 1 where somebody
was called an attacker in a scenario in which nobody attacks.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec

from tidegate.app.lab import RehearsalWish, machine, rehearse
from tidegate.lab.gates import GateKind
from tidegate.lab.judge.findings import Findings
from tidegate.lab.library import find, names
from tidegate.lab.report.words import count, seconds
from tidegate.lab.scenario import TIMED, Scenario, World
from tools.scoreboard_tables import GATES, OURS, Board, false_alarms, tables, written

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "scoreboard.md"
LARGE: Final = "internet-scale"
_BENCH: Final = ROOT / "bench" / "internet_scale.py"


class Large(msgspec.Struct, frozen=True, kw_only=True):
    """What bench/internet_scale.py says: `cells` of `of` services were played."""

    cells: int
    of: int
    cpu_s: float
    peak_mib: float
    findings: Findings


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on the day and the machine. `date` is the commit's."""

    commit: str
    date: str
    machine: str
    only_s: float | None = None


class Job(msgspec.Struct, frozen=True):
    """One rehearsal."""

    scenario: Scenario
    text: str
    gate: GateKind


def page(head: Head, board: Board, large: Large | None) -> str:
    """Give the page. But for its head it is the same for the same scenarios, seeds and code."""
    return "\n".join([*_head(head, board, large), *(written(table) for table in tables(board))])


def _head(head: Head, board: Board, large: Large | None) -> Iterator[str]:
    staged = [one.staging for by_gate in board.values() for one in by_gate.values()]
    requests = sum(one.requests for by_gate in board.values() for one in by_gate.values())
    yield "<!-- Written by tools/scoreboard.py; `make scoreboard` renews it. -->"
    yield ""
    yield "# Scoreboard"
    yield ""
    yield (
        "What people get in every scenario that ships, in the virtual world: behind Tidegate (`tidegate`), behind "
        "nothing (`off`), and behind a limit by address (`by-address`); [what these are](lab/baselines.md). Each "
        "figure is the one of that name in [the reference](reference/figures.md). `tidegate lab show NAME` prints a "
        "scenario, `tidegate lab run NAME --gate GATE` plays it."
    )
    yield ""
    yield f"- Code: {head.commit}, of {head.date}."
    yield f"- Machine: {head.machine}. It decides how long this takes, and no figure below."
    yield f"- Engines, as they were measured or assumed: {', '.join(sorted({one.calibration for one in staged}))}."
    yield f"- Dice: seed {', '.join(map(str, sorted({one.seed for one in staged})))}."
    yield f"- Played: {len(staged)} rehearsals, {count(requests)} requests."
    if large is not None:
        yield (
            f"- {LARGE}: {large.cells} of {large.of} services were played, each with its part of everybody; that took "
            f"one core {seconds(large.cpu_s)} and {large.peak_mib:.0f} MiB, all would take it "
            f"{seconds(large.cpu_s * large.of / large.cells)}. Behind Tidegate only."
        )
    if head.only_s is not None:
        yield f"- **Of each scenario only the first {seconds(head.only_s)} were played.**"
    yield ""


def beginning(scenario: Scenario, until_s: float) -> Scenario:
    """What is left of a scenario that ends earlier: whatever would begin later is left out."""
    replace = msgspec.structs.replace
    if scenario.duration_s <= until_s:
        return scenario
    return replace(
        scenario,
        duration_s=until_s,
        warm_s=min(scenario.warm_s, until_s / 2.0),
        **{
            table: tuple(
                replace(one, until_s=min(one.until_s, until_s))
                for one in getattr(scenario, table)
                if one.from_s < until_s
            )
            for table in TIMED
        },
    )


def played(job: Job) -> Findings:
    """Play one."""
    wish = RehearsalWish(
        scenario=job.scenario, scenario_text=job.text, world=World.VIRTUAL, seed=job.scenario.seed, gate=job.gate
    )
    return rehearse(wish).findings


def play_all(jobs: Sequence[Job]) -> dict[str, dict[GateKind, Findings]]:
    """Play them, as many at once as there are cores, and tell on standard error how far it is."""
    found: dict[str, dict[GateKind, Findings]] = {job.scenario.name: {} for job in jobs}
    began_s = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        # The long ones first, so that none of them is left alone with one core at the end.
        running = {pool.submit(played, job): job for job in sorted(jobs, key=lambda job: -job.scenario.duration_s)}
        for number, future in enumerate(as_completed(running), 1):
            job = running[future]
            found[job.scenario.name][job.gate] = future.result()
            _tell(f"{number} of {len(jobs)}: {job.scenario.name}, {job.gate}, at {seconds(time.monotonic() - began_s)}")
    return {name: {gate: by_gate[gate] for gate in GATES} for name, by_gate in sorted(found.items())}


def play_large() -> Large:
    """Play a few services of the large scenario, in a process of its own: so its memory is its own."""
    _tell(f"{LARGE} ...")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.json"
        subprocess.run([sys.executable, str(_BENCH), "--json", str(path)], check=True, stdout=subprocess.DEVNULL)
        return msgspec.json.decode(path.read_bytes(), type=Large)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, write, and say whether nobody was called an attacker who is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,NAME")
    parser.add_argument("--seconds", type=float, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    wanted = given.only.split(",") if given.only else names()
    if unknown := sorted(set(wanted) - set(names())):
        parser.error(f"--only: no scenario of that name comes with Tidegate: {', '.join(unknown)}")
    jobs = [
        Job(scenario if given.seconds is None else beginning(scenario, given.seconds), text, gate)
        for scenario, text in ((one.scenario, one.text) for one in map(find, wanted) if one.scenario.name != LARGE)
        for gate in GATES
    ]
    board = play_all(jobs)
    large = play_large() if LARGE in wanted and given.seconds is None else None
    if large is not None:
        board[LARGE] = {OURS: large.findings}
    _write(given.out or (None if given.only or given.seconds else PAGE), page(_today(given.seconds), board, large))
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode(board, order="deterministic") + b"\n")
    for name, alarms in (wrong := false_alarms(board)).items():
        _tell(f"{name}: {alarms} false alarms, and nobody attacks there")
    return 1 if wrong else 0


def _write(path: Path | None, text: str) -> None:
    if path is None:
        sys.stdout.write(text)
    else:
        path.write_text(text, "utf-8")


def _today(only_s: float | None) -> Head:
    is_changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
    return Head(
        commit=_git("rev-parse", "--short=12", "HEAD") + (" with changes that are in no commit" if is_changed else ""),
        date=_git("log", "-1", "--format=%cs"),
        machine=machine(),
        only_s=only_s,
    )


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
