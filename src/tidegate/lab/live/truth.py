"""Who was behind each request, in truth: a file beside the service's own log, never in it.

One JSON object a line: `id` is the request's, as its answer and the log name it; `truth` is `human`, `bot`
or the cause.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from tidegate.lab.acts import Who
from tidegate.lab.causes import truth_of

_FLUSHED_AT: Final = 256


class TruthFile:
    """Writes it, some lines at a time. Without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        """Raises OSError where the file cannot be made."""
        self._file = None if path is None else path.open("wb")
        self._lines: list[bytes] = []

    def note(self, request_id: str, who: Who) -> None:
        """One request's."""
        if self._file is not None and request_id:
            self._put({"id": request_id, "truth": truth_of(who), "group": who.group, "family": who.family})

    def episode(self, from_unix_s: float, until_unix_s: float, cause: str, intensity: float) -> None:
        """Something that went on for a while."""
        self._put({"t0": from_unix_s, "t1": until_unix_s, "cause": cause, "intensity": intensity})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.write(b"".join(self._lines))
            self._file.close()

    def _put(self, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        self._lines.append(msgspec.json.encode(line) + b"\n")
        if len(self._lines) >= _FLUSHED_AT:
            self._file.write(b"".join(self._lines))
            self._lines.clear()
