"""The files of a record of decisions, in the folder of logs: `decisions-RUN-PART.jsonl`, for their owner only.

A run of the service begins a file, and another one whenever a part is full: an eighth of what all
of them may take up. The oldest go first, of whatever run, when there are too many or their days are over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tidegate.adapters.disk.datadir import OWNER_ONLY_FILE

PATTERN: Final = "decisions-*.jsonl"
_PARTS: Final = 8
_DAY_S: Final = 86_400.0


class DecisionFiles:
    """Appends to the newest. Every method may raise OSError; `clock` tells Unix seconds."""

    def __init__(self, folder: Path, *, most_bytes: int, keep_days: float, clock: Callable[[], float]) -> None:
        """Nothing is opened before the first `begin`."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._keep_s = keep_days * _DAY_S
        self._clock = clock
        self._handle: int | None = None
        self._size_bytes = 0
        self._began_at = 0.0

    @property
    def is_full(self) -> bool:
        """Whether it is time to begin another part; also after a day, so that days can be deleted."""
        is_old = self._clock() - self._began_at >= min(_DAY_S, self._keep_s)
        return self._handle is None or self._size_bytes >= self._most_bytes // _PARTS or is_old

    def begin(self, run: str, part: int, head: bytes) -> None:
        """Make room, and begin a file with its first line."""
        self.close()
        self._delete_old()
        name = f"decisions-{int(self._clock())}-{run}-{part:06d}.jsonl"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._handle = os.open(self._folder / name, flags, OWNER_ONLY_FILE)
        self._size_bytes, self._began_at = 0, self._clock()
        self.append(head)

    def append(self, lines: bytes) -> None:
        """Write whole lines at the end."""
        assert self._handle is not None, "it has begun"
        left = memoryview(lines)
        while left:
            written = os.write(self._handle, left)
            self._size_bytes += written
            left = left[written:]

    def close(self) -> None:
        """Write no more."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)

    def _delete_old(self) -> None:
        # By name: a file's begins with when it began.
        kept = [(path.stat().st_mtime, path.stat().st_size, path) for path in sorted(self._folder.glob(PATTERN))]
        room_bytes = self._most_bytes - self._most_bytes // _PARTS
        taken_bytes = sum(size for _, size, _ in kept)
        for written_at, size, path in kept:
            if taken_bytes <= room_bytes and self._clock() - written_at < self._keep_s:
                break
            path.unlink(missing_ok=True)
            taken_bytes -= size
