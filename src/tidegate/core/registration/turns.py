"""Whose turn it is among those who left an address instead of waiting in line.

While a line stands they get a quarter of the turns: whoever waits is there, and comes first. Without a line
they get all. What they do not use, the line gets.
"""

from __future__ import annotations

from typing import Final

MOST_AT_ONCE: Final = 10
_PART: Final = 0.25


class Turns:
    """Counts turns. `wanted` is how many left an address, as far as is known; `granted` how many may be written to."""

    def __init__(self) -> None:
        """Nobody has left one."""
        self.wanted = 0
        self.granted = 0
        self._owed = 0.0

    @property
    def room(self) -> int:
        """How many more turns could be used now."""
        return max(0, min(self.wanted, MOST_AT_ONCE) - self.granted)

    def share(self, turns: int, in_line: int) -> int:
        """How many of so many turns go to them, who are `room` and `in_line`; they are granted with that."""
        if not self.room:
            self._owed = 0.0
            return 0
        self._owed += turns * _PART
        share = min(turns, self.room, max(int(self._owed), turns - in_line))
        self._owed = max(0.0, self._owed - share)
        self.granted += share
        return share

    def used(self, turns: int, written: int) -> None:
        """Count turns that were used, and how many people they reached: there may have been fewer."""
        self.granted = max(0, self.granted - turns)
        self.wanted = max(0, self.wanted - written) if written >= turns else 0
