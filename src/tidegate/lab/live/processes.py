"""Processes of a live run: what they use, on which cores, how fast a core is just now. Made for Linux.

What cannot be read or set is no error: a figure is missing then, and nothing is pinned.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

_ENGINE: Final = b"tidegate.adapters.engines.child"
_TICK_S: Final = 1.0 / os.sysconf("SC_CLK_TCK")
_PROBED_ADDITIONS: Final = 200_000


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds; 0 where that is not known."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S
    return 0.0


def engine_of(pid: int) -> int | None:
    """The process of a service's embedded engine; None while there is none."""
    with contextlib.suppress(OSError, ValueError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split():
            if _ENGINE in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []


def pin(pid: int, to: Collection[int]) -> None:
    """Keep every thread of a process on these cores, as far as that goes."""
    if sys.platform != "linux" or not to:
        return
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):  # A thread may end while they are read.
                os.sched_setaffinity(int(task.name), to)


def speed_of_core(core: int | None = None, probes: int = 5) -> float:
    """Additions a second of one core, in the time that it was had: the best of some tries, a few ms each.

    On a shared machine it changes by half within seconds: what is measured is to be told with it.
    """
    before = cores()
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        return max(_probe() for _ in range(probes))
    finally:
        if core is not None:
            os.sched_setaffinity(0, before)


def _probe() -> float:
    began_at, total = time.thread_time(), 0
    for number in range(_PROBED_ADDITIONS):
        total += number
    return _PROBED_ADDITIONS / (time.thread_time() - began_at)
