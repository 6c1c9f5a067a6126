"""How often each value was seen, as ServeGen writes it: a dictionary of Python's, as text. Read as JSON, never run."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import accumulate
from random import Random
from typing import Final

import msgspec

from tidegate.lab.traces.sources import TraceError, decoded

_KEY: Final = re.compile(r"([\w.+-]+)(\s*:)")
_PARTS: Final = msgspec.json.Decoder(dict[str, float])


class Histogram:
    """Values and how often each was seen: drawn from, each with its part."""

    def __init__(self, parts: dict[float, float]) -> None:
        """`parts` need not come to 1, but to something. Raises TraceError."""
        if not all(part >= 0 for part in parts.values()):
            msg = "expected no part below 0"
            raise TraceError(msg)
        whole = sum(parts.values())
        if not 0 < whole < 1e12:  # noqa: PLR2004 - what no counting comes to
            msg = "expected parts that come to more than 0"
            raise TraceError(msg)
        self._values = array("d", parts)
        self._upto = array("d", accumulate(part / whole for part in parts.values()))
        self.mean = sum(value * part for value, part in parts.items()) / whole

    def __len__(self) -> int:
        return len(self._values)

    def draw(self, dice: Random) -> float:
        """One of the values."""
        # The last sum may fall short of 1 by a rounding.
        return self._values[min(bisect_right(self._upto, dice.random()), len(self._values) - 1)]


def histogram_of(text: str, most: float, where: str) -> Histogram | None:
    """Read one whose values are from 0 to `most`; none where nothing was seen. Raises TraceError, from `where` on."""
    parts: dict[float, float] = {}
    for word, part in decoded(_PARTS, _KEY.sub(r'"\1"\2', text), where).items():
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            msg = f"{where}: expected values from 0 to {most:g}, not {word[:40]}"
            raise TraceError(msg)
        parts[value] = part
    if not parts:
        return None
    try:
        return Histogram(parts)
    except TraceError as error:
        msg = f"{where}: {error}"
        raise TraceError(msg) from None
