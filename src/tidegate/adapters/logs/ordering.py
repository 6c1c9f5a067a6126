"""Records in order of time, however many: so many at a time in memory, the rest in temporary files."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Final

import msgspec

from tidegate.adapters.logs.records import Record

IN_MEMORY: Final = 50_000

Placed = tuple[float, int, int, Record]
"""Time, file, line, record: what comes first in the files stays first."""

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Placed)


def ordered(records: Iterable[Placed], in_memory: int = IN_MEMORY) -> Iterator[Placed]:
    """Give them in ascending order; nothing is given before the last was taken."""
    waiting: list[Placed] = []
    runs: list[IO[bytes]] = []
    try:
        for placed in records:
            waiting.append(placed)
            if len(waiting) >= in_memory:
                runs.append(_written(waiting))
                waiting = []
        waiting.sort(key=_place)
        yield from heapq.merge(*(_read(run) for run in runs), waiting, key=_place)
    finally:
        for run in runs:
            run.close()


def _place(placed: Placed) -> tuple[float, int, int]:
    return placed[:3]


def _written(waiting: list[Placed]) -> IO[bytes]:
    run = tempfile.TemporaryFile(prefix="tidegate-")  # noqa: SIM115 - closed by who merges
    waiting.sort(key=_place)
    run.writelines(_ENCODER.encode(placed) + b"\n" for placed in waiting)
    run.seek(0)
    return run


def _read(run: IO[bytes]) -> Iterator[Placed]:
    return (_DECODER.decode(line) for line in run)
