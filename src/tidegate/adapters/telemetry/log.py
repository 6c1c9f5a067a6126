"""The structured log: one JSON object a line, bounded in size.

Libraries log through the standard library; what they say may quote anything, so
only where they spoke and what kind of error they had is kept.
"""

from __future__ import annotations

import asyncio
import io
import logging
import logging.handlers
import os
import sys
import time
from pathlib import Path
from typing import Final, TextIO

import msgspec

from tidegate.core.events import AnyEvent, Level, LibrarySpoke, Site

_WRITTEN_AT_ONCE_CHARS: Final = 1 << 16


class _Quiet(logging.Handler):
    """A full disk or a closed pipe loses lines, not requests, and nothing is printed about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Lose the line."""


class _BoundedFile(_Quiet, logging.handlers.RotatingFileHandler):
    """Rotates by size; each file is private from its first byte."""

    _size_bytes = 0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the library's name
        """Whether the line is one too many. Counted here: the library asks the disk twice for each line."""
        return self._size_bytes > 0 and 0 < self.maxBytes < self._size_bytes + len(record.msg) + 1

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in a new file where it is one too many."""
        super().emit(record)
        self._size_bytes += len(record.msg) + 1  # All of it is ASCII: text that could be more has no place here.

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is."""
        return str(record.msg)

    def _open(self) -> io.TextIOWrapper:
        # Unbuffered: what a full disk refused must not come again, and fail again, when the file is closed.
        raw = io.FileIO(self.baseFilename, "a", opener=_open_privately)
        self._size_bytes = os.fstat(raw.fileno()).st_size
        return io.TextIOWrapper(raw, encoding="utf-8", write_through=True)


class _Echo(_Quiet, logging.StreamHandler[TextIO]):
    """Writes to a stream that somebody else opened."""


def _open_privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Entry(logging.LogRecord):
    """One line, without what the library notes of the place and the thread that it came from."""

    def __init__(self, line: str) -> None:
        self.name, self.levelno, self.msg, self.args = "tidegate", logging.INFO, line, None
        self.exc_info = self.exc_text = self.stack_info = None


class JsonLog:
    """A Journal that writes lines to a rotated file and, if wanted, to a stream.

    What is recorded while an event loop is at work is written when it has done what it is at: many requests that
    end in the same moment are one write.
    """

    def __init__(self, path: Path, *, max_bytes: int, kept_files: int, echo: TextIO | None = None) -> None:
        """Open the file for appending; raises OSError when that is not possible."""
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self._handlers: list[logging.Handler] = [
            _BoundedFile(path, maxBytes=max_bytes, backupCount=kept_files, encoding="utf-8")
        ]
        path.chmod(0o600)
        if echo is not None:
            self._handlers.append(_Echo(echo))
        self._lines: list[str] = []
        self._chars = 0
        self._written_by: asyncio.AbstractEventLoop | None = None

    def record(self, event: AnyEvent) -> None:
        """Write one line, at once or in a moment."""
        line = self._encoder.encode(event).decode()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._put(line)  # A thread, which must not touch what a loop gathers; or the program begins or ends.
            return
        self._lines.append(line)
        self._chars += len(line)
        if self._chars >= _WRITTEN_AT_ONCE_CHARS:
            self._write()
        elif self._written_by is not loop:
            self._written_by = loop
            loop.call_soon(self._write)

    def _write(self) -> None:
        lines, self._lines, self._chars, self._written_by = self._lines, [], 0, None
        if lines:
            self._put("\n".join(lines))

    def _put(self, lines: str) -> None:
        entry = _Entry(lines)
        for handler in self._handlers:
            handler.handle(entry)

    def close(self) -> None:
        """Write out and close."""
        self._write()
        for handler in self._handlers:
            handler.close()

    def listen_to_libraries(self) -> None:
        """Take over the standard library's logging, from warnings up."""
        root = logging.getLogger()
        root.handlers[:] = [_LibraryHandler(self)]
        root.setLevel(logging.WARNING)
        logging.captureWarnings(capture=True)


class _LibraryHandler(logging.Handler):
    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error_type = record.exc_info[0] if record.exc_info else None
        self._log.record(
            LibrarySpoke(
                t=time.time(),
                level=Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING,
                site=Site(record.name, record.lineno),
                error=None if error_type is None else Site(error_type.__name__, 0),
            )
        )


def console_echo() -> TextIO | None:
    """Standard error, when something collects it; a person at a terminal is spared the lines."""
    return None if sys.stderr.isatty() else sys.stderr
