"""Run every test in a few lanes side by side, each a pytest of its own with coverage, and tell how each ended.

usage: lanes.py [ARGUMENTS OF PYTEST]

Most of what slow tests do is to wait, for a start or for an engine; meanwhile a
second core has something to do only when another lane is there. As many run at
once as there are cores. Tests that judge how long something takes (marked `timed`)
run when all others are done, alone.

Which file a lane is at is shown as it goes, its failures and its closing lines in
one piece when it ends, and everything is kept in .cache/lanes/NAME.txt. The exit
status is 0 only when no lane failed and at least one had something to run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final

FOLDER: Final = Path(".cache/lanes")
LOOK_S: Final = 0.2
NOTHING_TO_RUN: Final = 5
INTEGRATION, BROWSER = "tests/integration", "tests/browser"
PURE: Final = tuple(f"tests/{room}" for room in ("core", "services", "house", "docs", "config"))
# To follow code through greenlets makes coverage twice as dear. Where there are none it need not: should
# one come in, tests/conftest.py says so, and the room belongs into another lane.
GREENLETS, THREADS = "thread,greenlet", "thread"


class Lane:
    """One pytest: its command, what it says, and how it ended."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name, self.command = name, command
        self.path = FOLDER / f"{name}.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self.status: int | None = None
        self.took_s = 0.0
        self._told_bytes = 0
        self._held: list[str] = []

    def run(self, more: Sequence[str]) -> None:
        """Run it to its end with these arguments more, and tell what it says."""
        began = time.monotonic()
        command = [*self.command, *more]
        with self.path.open("wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        self._process = process
        if self._is_stopped:
            process.terminate()
        while self.status is None:
            try:
                self.status = process.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                self._tell(is_over=False)
        self.took_s = time.monotonic() - began
        self._tell(is_over=True)

    def stop(self) -> None:
        """End it before its time, also when it is just about to begin."""
        self._is_stopped = True
        if self._process is not None:
            self._process.terminate()

    @property
    def ending(self) -> str:
        """How it ended, for people."""
        known = {None: "was not run", 0: "passed", NOTHING_TO_RUN: "has no such test"}
        return f"{known.get(self.status, f'FAILED, see {self.path}')}, {self.took_s:.0f} s"

    def _tell(self, *, is_over: bool) -> None:
        """Pass on the lines of its progress as they come, and all that follows them together at its end."""
        with self.path.open("rb") as said:
            said.seek(self._told_bytes)
            new = said.read()
        if not is_over:
            new = new[: new.rfind(b"\n") + 1]
        self._told_bytes += len(new)
        for line in new.decode(errors="replace").splitlines():
            if self._held or (line.startswith("=") and "test session starts" not in line):
                self._held.append(line)
            elif line:
                _say(f"{self.name:11} | {line}")
        if is_over:
            _say("\n".join([f"== {self.name} took {self.took_s:.0f} s", *self._held]))


class Traffic:
    """Lets lanes go in their order, so many at once; once stopped, those that run end and no other begins."""

    def __init__(self, more: Sequence[str]) -> None:
        self._more = more
        self._running: set[Lane] = set()
        self._is_stopped = False

    def let_go(self, lanes: Sequence[Lane], at_once: int) -> None:
        """Run these, and come back when all have ended."""
        with ThreadPoolExecutor(at_once) as workers:
            for done in [workers.submit(self._run, lane) for lane in lanes]:
                done.result()

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """Let no other begin. A Ctrl-C has reached those that run without us; any other signal is passed on."""
        self._is_stopped = True
        if number != signal.SIGINT:
            for lane in list(self._running):
                lane.stop()

    def _run(self, lane: Lane) -> None:
        if self._is_stopped:
            return
        self._running.add(lane)
        try:
            lane.run(self._more)
        finally:
            self._running.discard(lane)


def pytest_lane(name: str, *arguments: str, concurrency: str = GREENLETS) -> Lane:
    """A pytest under coverage, with a cache of its own: each knows what failed in it."""
    command = [sys.executable, "-m", "coverage", "run", f"--concurrency={concurrency}", "-m", "pytest"]
    return Lane(name, [*command, "-o", f"cache_dir=.cache/pytest/{name}", *arguments])


def side_by_side() -> list[Lane]:
    """In the order in which they should begin, the longest first; `rooms` has every room that no other names."""
    return [
        pytest_lane("integration", "--timed=without", INTEGRATION),
        pytest_lane("rooms", "tests", *(f"--ignore={path}" for path in (INTEGRATION, BROWSER, *PURE))),
        pytest_lane("browser", BROWSER),
        pytest_lane("pure", *PURE, concurrency=THREADS),
    ]


def alone() -> list[Lane]:
    """What runs beside nothing else."""
    return [pytest_lane("timed", "--timed=only", INTEGRATION)]


def main(traffic: Traffic, lanes: Sequence[Lane], lonely: Sequence[Lane], at_once: int) -> int:
    """Run lanes side by side and then the others one by one; answer the exit status."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    traffic.let_go(lanes, at_once)
    traffic.let_go(lonely, 1)

    every = [*lanes, *lonely]
    for lane in every:
        _say(f"{lane.name:11} {lane.ending}")
    are_good = all(lane.status in {0, NOTHING_TO_RUN} for lane in every)
    return 0 if are_good and any(lane.status == 0 for lane in every) else 1


_saying = threading.Lock()


def _say(text: str) -> None:
    with _saying:
        print(text, flush=True)


if __name__ == "__main__":
    to_the_end = Traffic(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, to_the_end.stop)
    sys.exit(main(to_the_end, side_by_side(), alone(), at_once=len(os.sched_getaffinity(0))))
