"""Which tickets of the line have had their turn: one file that only grows, and a second one that was full.

    place 13 | used at (Unix s) 4

A ticket outlives a restart, and so must the word that it was used: else all tickets of
the last day would stand in line once more, before everybody who came later. It is not
waited for the disk: what the loss of power takes is a turn that somebody has twice.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tidegate.adapters.disk.datadir import OWNER_ONLY_FILE, DataDir

_NAME: Final = "tidegate.tickets"
_PLACE_BYTES: Final = 13
_RECORD_BYTES: Final = _PLACE_BYTES + 4
_MOST: Final = 200_000
_LATEST_S: Final = 0xFFFFFFFF


class UsedTickets:
    """Places in line that are used up. `failures` counts the times that one could not be written."""

    def __init__(self, datadir: DataDir, *, most: int = _MOST) -> None:
        """Nothing is read yet. Twice `most` are kept, the oldest forgotten first."""
        self._path = datadir.path / _NAME
        self._before = self._path.with_name(f"{_NAME}.before")
        self._most_bytes = most * _RECORD_BYTES
        self.failures = 0

    def read(self, since_s: float) -> list[int]:
        """Places that were used since then (Unix s), the oldest first. What cannot be read counts as none."""
        records = b"".join(self._whole(path) for path in (self._before, self._path))
        starts = range(0, len(records), _RECORD_BYTES)
        return [
            int.from_bytes(records[at : at + _PLACE_BYTES], "big")
            for at in starts
            if int.from_bytes(records[at + _PLACE_BYTES : at + _RECORD_BYTES], "big") >= since_s
        ]

    def add(self, place: int, used_at_s: float) -> None:
        """Remember one. A disk that fails is counted, and stops nobody."""
        record = place.to_bytes(_PLACE_BYTES, "big") + min(int(used_at_s), _LATEST_S).to_bytes(4, "big")
        try:
            if self._size() >= self._most_bytes:
                self._path.replace(self._before)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, OWNER_ONLY_FILE)
            try:
                # What a full disk or a crash left of a record would shift all that come after it.
                os.ftruncate(handle, os.fstat(handle).st_size // _RECORD_BYTES * _RECORD_BYTES)
                os.write(handle, record)
            finally:
                os.close(handle)
        except OSError:
            # Decided: who was let in stays in. A ticket that is not written may stand in line again after a restart.
            self.failures += 1

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    @staticmethod
    def _whole(path: Path) -> bytes:
        try:
            found = path.read_bytes()
        except OSError:
            return b""
        return found[: len(found) // _RECORD_BYTES * _RECORD_BYTES]
