"""One request of a trace, whatever the trace was written by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.traces.sources import TraceError

MOST_TOKENS: Final = 10_000_000
MOST_BLOCKS: Final = 256
"""So many of a prompt's blocks are kept: with blocks of 512 tokens the first 131,072 tokens."""

Tokens = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]
Moment = Annotated[float, Meta(ge=-1e15, le=1e15)]
"""A time, whatever it counts from and in."""

_BACK_S: Final = 60.0


class TraceRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: when, counted in seconds from the first one's, and how long.

    `cached_tokens` of the prompt were known already. `client` is whoever asked, as the trace names them, or empty.
    `prefix` are the hashes of the prompt's first blocks, at most MOST_BLOCKS: prompts that begin alike have the same.
    """

    at_s: float
    prompt_tokens: int
    answer_tokens: int
    cached_tokens: int = 0
    client: str = ""
    prefix: tuple[int, ...] = ()


class Elapsed:
    """Counts time from the first row's.

    Never back: several who write one log are not quite in order, and clocks are corrected. Such a row counts as
    of the one before it. More than a minute back is a mistake of the trace.
    """

    def __init__(self) -> None:
        """Begin with the first row."""
        self._first: float | None = None
        self._last_s = 0.0

    def at_s(self, moment_s: float, where: str) -> float:
        """Seconds since the first row. Raises TraceError, which begins with `where`."""
        if self._first is None:
            self._first = moment_s
        at_s = moment_s - self._first
        if at_s < self._last_s - _BACK_S:
            msg = f"{where}: expected rows in the order of time, not one {self._last_s - at_s:.0f} s before another"
            raise TraceError(msg)
        self._last_s = max(self._last_s, at_s)
        return self._last_s


def moment_of(text: str, where: str) -> float:
    """A date and time as Unix seconds; without a zone it is UTC. Raises TraceError, which begins with `where`."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        msg = f"{where}: expected a date and time such as 2023-11-16 18:15:46.68, not {text[:40]!r}"
        raise TraceError(msg) from None


def tokens_of(text: str, where: str) -> int:
    """A number of tokens. Raises TraceError, which begins with `where`."""
    word = text.strip()
    # Longer ones are not numbers of tokens, and int() refuses some of them in words of its own.
    if word.isascii() and word.isdigit() and len(word) <= 10 and int(word) <= MOST_TOKENS:  # noqa: PLR2004 - digits
        return int(word)
    msg = f"{where}: expected a number of tokens up to {MOST_TOKENS}, not {text[:40]!r}"
    raise TraceError(msg)
