"""Lengths of time as operators write them: 90s, 30m, 2h, 1.5d."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) *([smhd])\Z")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(text: str) -> float:
    """How many seconds a text means. Raises ValueError saying how it is written."""
    found = _SHAPE.match(text.strip().lower())
    if found is None or float(found[1]) == 0.0:
        msg = f"{text!r} is no length of time: write 90s, 30m, 2h or 1.5d"
        raise ValueError(msg)
    return float(found[1]) * _UNITS[found[2]]
