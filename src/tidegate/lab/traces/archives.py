"""Archives that traces come in: their files one after the other, in memory, within limits; nothing is unpacked to disk.

A tar may be hostile: its headers name sizes that the reader would set memory aside for, and link to each other
without end. So what is read at once is bounded here, below the tar.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from tidegate.lab.traces.sources import TraceError, blamed, opened

MOST_MEMBERS: Final = 10_000
MOST_AT_ONCE_BYTES: Final = 1 << 16
"""Also of a header: what reads those takes time that grows faster than they do."""
MOST_UNPACKED_BYTES: Final = 1 << 28


class _Bounded:
    """A file that refuses to be read too much at once, or too far."""

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        self._file, self._most_bytes = file, most_bytes

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_AT_ONCE_BYTES:
            msg = f"holds a piece that is larger than {MOST_AT_ONCE_BYTES} bytes"
            raise TraceError(msg)
        self._within(self._file.tell() + size)
        return self._file.read(size)

    def seek(self, place: int) -> int:
        self._within(place)
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def _within(self, place: int) -> None:
        if place > self._most_bytes + tarfile.RECORDSIZE:
            msg = f"is larger than {self._most_bytes} bytes, unpacked"
            raise TraceError(msg)


def is_tar(path: Path) -> bool:
    """Whether a file is a tar, plain or packed. Raises TraceError."""
    with opened(path) as file:
        # What every tar since POSIX.1-1988 says of itself in its first header.
        return file.read(tarfile.BLOCKSIZE)[257:262] == b"ustar"


def members(path: Path, most_bytes: int = MOST_UNPACKED_BYTES) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each file of a tar, plain or packed: its name and its bytes, piece by piece, to be read before the next file's.

    Raises TraceError.
    """
    with opened(path) as file, _blamed(path):
        bounded: Any = _Bounded(file, most_bytes)
        # Not "r|": there tarfile reads through a buffer of its own, and no bound is below it.
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            for _ in range(MOST_MEMBERS):
                member = archive.next()
                if member is None:
                    _ended(bounded, archive.offset)
                    return
                archive.members.clear()  # type: ignore[attr-defined] # not in its types; else it keeps every header
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield member.name, _pieces(path, content)
            msg = f"holds more than {MOST_MEMBERS} files"
            raise TraceError(msg)


def _ended(file: _Bounded, place: int) -> None:
    """Raise TraceError unless the tar says that it ends here: to tarfile a damaged header is an end, too."""
    file.seek(place)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        msg = "is cut, or damaged"
        raise TraceError(msg)


def _pieces(path: Path, content: IO[bytes]) -> Iterator[bytes]:
    with _blamed(path):
        while piece := content.read(MOST_AT_ONCE_BYTES):
            yield piece


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    try:
        yield
    except TraceError as error:
        raise blamed(path, error) from None
    except Exception as error:  # noqa: BLE001 - tarfile has no one error for what is wrong with a header
        msg = f"{path}: not a readable tar: {error}"
        raise TraceError(msg) from None
