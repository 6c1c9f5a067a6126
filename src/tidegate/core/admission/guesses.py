"""Who tries one key after the other, by the address that they come from.

A key that the server behind the gate has turned down counts against its address.
A few are anybody's slips. After them each further one doubles a pause in which no
key that has not proved itself is let through from there; and who goes on is
refused for an hour. Keys that have proved themselves are never asked about their
address, so a guesser behind the same address as others costs those nothing but
that newcomers among them must wait as well.

One is forgotten every `forgotten_s`. Of the addresses at most `most` are
remembered; the longest silent is forgotten first, which takes a flood from more
addresses than that, each of which has its budget of requests to pass before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

_SLIPS: Final = 5
_MOST_COUNTED: Final = 20.0
"""From so many on it is refused."""

_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 300.0
REFUSED_S: Final = 3600.0
_FORGOTTEN_S: Final = 60.0


class Held(msgspec.Struct, frozen=True):
    """Not now: again in `wait_s`. `is_refused`: what comes meanwhile is not worth answering well."""

    wait_s: float
    is_refused: bool


class _Tally(msgspec.Struct):
    count: float
    at: float
    until: float
    is_refused: bool = False


class Guesses:
    """Counts by source. Times are seconds of one clock; one that steps back forgives nothing."""

    def __init__(self, most: int) -> None:
        """Nobody has guessed."""
        self.most = most
        self._tallies: OrderedDict[bytes, _Tally] = OrderedDict()

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._tallies)

    def held(self, source: bytes, now: float) -> Held | None:
        """Whether one from there must wait; None lets it try. Asking remembers nothing."""
        tally = self._tallies.get(source)
        if tally is None or now >= tally.until:
            return None
        return Held(tally.until - now, tally.is_refused)

    def missed(self, source: bytes, now: float) -> None:
        """A key from there was turned down."""
        tally = self._tallies.pop(source, None) or _Tally(0.0, now, now)
        tally.count = max(0.0, tally.count - max(0.0, now - tally.at) / _FORGOTTEN_S) + 1.0
        tally.at = max(tally.at, now)
        beyond = int(tally.count) - _SLIPS
        if beyond > 0:
            tally.is_refused = tally.count >= _MOST_COUNTED
            pause_s = REFUSED_S if tally.is_refused else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (beyond - 1))
            tally.until = max(tally.until, now + pause_s)
        self._tallies[source] = tally
        if len(self._tallies) > self.most:
            self._tallies.popitem(last=False)

    def reshape(self, most: int) -> None:
        """Remember so many from now on."""
        self.most = most
        while len(self._tallies) > most:
            self._tallies.popitem(last=False)
