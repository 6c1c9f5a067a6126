"""Who is let in when it is tight: drawn by name in a service, and in a replay everybody has another name.

So a replay takes from each claim's line on which side of the cursor its caller must have stood in that hour, when the
replay under the recorded policy comes to ask; the replay under the other policy has them stand in the same place.
Whoever no line tells of stands where the name that the replay gives them has them stand.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from tidegate.core.admission.cursor import Cursor, level

MOST_KNOWN: Final = 65_536
_HOUR_S: Final = 3600.0


class Drawn:
    """Where callers stand, for both worlds; the one of the recorded policy is asked first about each claim."""

    def __init__(self) -> None:
        """Nobody was seen."""
        self._levels: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._is_in: bool | None = None

    def turn_to(self, *, is_in: bool | None) -> None:
        """Go on to the next claim, which was let in, was not, or was never made (None)."""
        self._is_in = is_in

    def level(self, who: str, part: float, now: float, *, is_own: bool) -> float:
        """Where somebody stands between 0 and 1 in this hour, where a `part` is let in."""
        key, named = (who, int(now // _HOUR_S)), level(who, now)
        found = self._levels.get(key, named)
        if not is_own or self._is_in is None or (found < part) is self._is_in:
            return found
        found = named * part if self._is_in else part + named * (1.0 - part)
        self._levels[key] = found
        if len(self._levels) > MOST_KNOWN:
            self._levels.popitem(last=False)
        return found


class Recalled(Cursor):
    """A cursor that lets in who was let in. `is_own`: it is the recorded policy's."""

    def __init__(self, drawn: Drawn, *, is_own: bool) -> None:
        """Let everybody in."""
        super().__init__()
        self._drawn = drawn
        self._is_own = is_own

    def lets_in(self, who: str, now: float) -> bool:
        """See `Cursor`."""
        return self.part >= 1.0 or self._drawn.level(who, self.part, now, is_own=self._is_own) < self.part
