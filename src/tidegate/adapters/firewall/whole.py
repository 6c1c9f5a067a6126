"""A file that is replaced as a whole: whoever reads it finds all of one content, and in the end the last.

Writing takes a thread, and a thread goes on when nobody waits for it any more, as
at a stop. So each content has a turn, and one whose turn is over is not written.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


class WholeFile:
    """One such file. The folder must be there, and be ours to write in."""

    def __init__(self, path: Path, mode: int) -> None:
        """Nothing is written yet; `mode` is who may read what will be."""
        self.path = path
        self._mode = mode
        self._lock = threading.Lock()
        self._turn = self._written = 0

    def turn(self) -> int:
        """Take the next turn to `write`."""
        self._turn += 1
        return self._turn

    def write(self, content: bytes, turn: int) -> None:
        """Replace the content, unless that of a later turn is there; for a thread. Raises OSError."""
        with self._lock:
            if turn < self._written:
                return
            self._written = turn
            if not self._holds(content):
                self._write(content)

    def _holds(self, content: bytes) -> bool:
        try:
            return self.path.read_bytes() == content
        except FileNotFoundError:
            return False

    def _write(self, content: bytes) -> None:
        beside = self.path.with_name(f".{self.path.name}.new")
        beside.unlink(missing_ok=True)
        # Made here and now: through a link that somebody put there it would be written elsewhere.
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, self._mode), "wb") as file:
            os.fchmod(file.fileno(), self._mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
