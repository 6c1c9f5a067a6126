"""Files that traces come in: plain, gzip or bzip2, read a line at a time, within limits; and what is wrong with one."""

from __future__ import annotations

import bz2
import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeVar

import msgspec

from tidegate.lab.files import check_file
from tidegate.lab.mistakes import field_first

LONGEST_LINE_BYTES: Final = 1 << 18
MOST_BYTES: Final = 1 << 34
"""What a file may come to, unpacked."""

_GZIP: Final = b"\x1f\x8b"
_BZIP2: Final = b"BZh"
_T = TypeVar("_T")


class TraceError(ValueError):
    """A trace, or a table made of one, is not usable. The message names the file, the line, and what was expected."""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and unpack it while it is read, whichever way it is packed. Raises TraceError, also within."""
    try:
        check_file(path)
        with path.open("rb") as raw:
            magic = raw.read(3)
            raw.seek(0)
            if magic.startswith(_GZIP):
                with gzip.open(raw) as unpacked:
                    yield unpacked  # type: ignore[misc] # a GzipFile reads as any binary file does
            elif magic == _BZIP2:
                with bz2.open(raw) as unbzipped:
                    yield unbzipped
            else:
                yield raw
    except TraceError:
        raise
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise TraceError(msg) from None
    except (EOFError, zlib.error) as error:
        msg = f"{path}: damaged: {error}"
        raise TraceError(msg) from None
    except ValueError as error:  # a name that no file can have
        msg = f"{path!r}: {error}"
        raise TraceError(msg) from None


def numbered_lines(path: Path, most_bytes: int = MOST_BYTES) -> Iterator[tuple[int, str]]:
    """Give each line that is not blank, with its number, without its end. Raises TraceError."""
    with opened(path) as file:
        number = size = 0
        while line := file.readline(LONGEST_LINE_BYTES + 1):
            number += 1
            size += len(line)
            if len(line) > LONGEST_LINE_BYTES:
                msg = f"{path}:{number}: longer than a line can be ({LONGEST_LINE_BYTES} bytes)"
                raise TraceError(msg)
            if size > most_bytes:
                msg = f"{path}:{number}: larger than a trace can be ({most_bytes} bytes)"
                raise TraceError(msg)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                msg = f"{path}:{number}: not UTF-8: {error.reason}"
                raise TraceError(msg) from None
            if text:
                yield number, text


def cells(
    source: Path | str, lines: Iterable[tuple[int, str]], count: int | None = None
) -> Iterator[tuple[str, list[str]]]:
    """The fields of each line of comma-separated values, `count` of them if it is given, with where it stands.

    Raises TraceError, which begins with that: `source` and the line's number.
    """
    for number, line in lines:
        where = f"{source}:{number}"
        try:
            fields = next(csv.reader((line,), strict=True))
        except csv.Error as error:
            msg = f"{where}: not comma-separated values: {error}"
            raise TraceError(msg) from None
        if count is not None and len(fields) != count:
            msg = f"{where}: expected {count} fields, not {len(fields)}"
            raise TraceError(msg)
        yield where, fields


def objects(
    path: Path, lines: Iterable[tuple[int, str]], decoder: msgspec.json.Decoder[_T]
) -> Iterator[tuple[str, _T]]:
    """What each line of JSON says, with where it stands. Raises TraceError, which begins with that."""
    for number, line in lines:
        where = f"{path}:{number}"
        yield where, decoded(decoder, line, where)


def decoded(decoder: msgspec.json.Decoder[_T], line: str | bytes, where: str) -> _T:
    """What a line of JSON says. Raises TraceError, which begins with `where` and names the field."""
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        msg = f"{where}: {field_first(error)}"
        raise TraceError(msg) from None


def blamed(path: Path, error: TraceError) -> TraceError:
    """The same mistake, told with its file."""
    said = str(error)
    return TraceError(said if said.startswith(f"{path}:") else f"{path}: {said}")


class Stamp(NamedTuple):
    """What tells whether a file is still the one that was read: where it lies, its size and when it was written."""

    device: int
    inode: int
    size_bytes: int
    written_ns: int


def stamp_of(path: Path) -> Stamp:
    """Stamp a file. Raises TraceError."""
    try:
        found = path.stat()
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise TraceError(msg) from None
    except ValueError as error:  # a name that no file can have
        msg = f"{path!r}: {error}"
        raise TraceError(msg) from None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def named_file(name: str) -> Path | None:
    """The file that somebody named in place of a word: after `file:`, or with a slash or a dot in it."""
    if name.startswith("file:"):
        return Path(name.removeprefix("file:"))
    return Path(name) if "/" in name or "." in name else None
