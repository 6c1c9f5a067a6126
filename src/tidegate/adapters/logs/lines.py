"""Lines of log files, plain or gzipped, each with its number; what cannot be read is counted and told."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

LONGEST_LINE_BYTES: Final = 1 << 18
_SHOWN: Final = 10


class Complaints:
    """Lines that could not be read: how many, and where the first ones are."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.shown: list[str] = []

    def add(self, path: Path, number: int, why: str) -> None:
        """Count a line that could not be read."""
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(f"{path}:{number}: {why}")


def lines(path: Path, complaints: Complaints) -> Iterator[tuple[int, bytes]]:
    """Give each line that is not empty with its number; `-` is standard input. Raises OSError.

    A damaged end of a gzipped file is one complaint; what came before it counts.
    """
    if str(path) == "-":
        yield from _numbered(sys.stdin.buffer, path, complaints)
        return
    with path.open("rb") as raw:
        is_zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not is_zipped:
            yield from _numbered(raw, path, complaints)
            return
        with gzip.open(raw) as unzipped:
            yield from _numbered(unzipped, path, complaints)


def _numbered(file: IO[bytes] | gzip.GzipFile, path: Path, complaints: Complaints) -> Iterator[tuple[int, bytes]]:
    number, is_within = 0, False
    while True:
        try:
            line = file.readline(LONGEST_LINE_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            complaints.add(path, number + 1, f"the file is damaged from here on ({error})")
            return
        if not line:
            return
        ends = line.endswith(b"\n")
        number += not is_within
        if is_within or (not ends and len(line) == LONGEST_LINE_BYTES):
            if not is_within:
                complaints.add(path, number, f"longer than {LONGEST_LINE_BYTES} bytes")
            is_within = not ends
        elif line.strip():
            yield number, line.strip()
