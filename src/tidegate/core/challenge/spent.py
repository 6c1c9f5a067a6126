"""Which challenges were used: remembered until they have expired, in memory that does not grow.

Two Bloom filters of 4 MiB each, one of which is emptied and begun whenever a
lifetime has passed, so that what was spent is remembered for a lifetime at least.
Ids are random bytes of ours, under a MAC: nobody chooses where they fall.

What can never happen: a spent id is found unspent while its challenge lives.
What may happen to one id in a million, when a filter is full to its capacity: an
unspent one is taken for spent, and its owner solves another. Beyond the capacity
nothing more is spent: strangers wait until the next lifetime begins (fail closed).
At 800,000 in ten minutes that is 1,300 a second, each of them solved.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

CAPACITY: Final = 800_000
"""Ids that each of the two filters takes."""

FILTER_BYTES: Final = 1 << 22
_BITS: Final = FILTER_BYTES * 8
_PROBES: Final = 8  # with 42 bits for each id: (1 - e^(-8/42))^8 is 8e-7
_HALVES: Final = Struct("<QQ")


class SpentSet:
    """Ids of 16 bytes, each remembered for `lifetime_s` or longer, never for two."""

    def __init__(self, lifetime_s: float, capacity: int = CAPACITY) -> None:
        """Start with nothing spent; memory is taken when the first is."""
        self._lifetime_s = lifetime_s
        self._capacity = capacity
        self._begun_at = float("-inf")
        self._current = bytearray()
        self._previous = bytearray()
        self._count = 0

    def is_spent(self, challenge_id: bytes) -> bool:
        """Whether it was spent in this lifetime or the one before."""
        return _holds(self._current, challenge_id) or _holds(self._previous, challenge_id)

    def spend(self, challenge_id: bytes, now: float) -> bool:
        """Note it, unless it was spent before or there is no room: then nothing changes and the answer is False."""
        self._turn(now)
        if self._count >= self._capacity or self.is_spent(challenge_id):
            return False
        if not self._current:
            self._current = bytearray(FILTER_BYTES)
        for position in _positions(challenge_id):
            self._current[position >> 3] |= 1 << (position & 7)
        self._count += 1
        return True

    def _turn(self, now: float) -> None:
        if now < self._begun_at:
            # The clock was set back: what is remembered stays for a whole lifetime from here.
            self._begun_at = now
        elif now >= self._begun_at + self._lifetime_s:
            is_long_ago = now >= self._begun_at + 2 * self._lifetime_s
            self._previous = bytearray() if is_long_ago else self._current
            self._current = bytearray()
            self._begun_at = now
            self._count = 0


def _positions(challenge_id: bytes) -> list[int]:
    # Kirsch and Mitzenmacher, "Less Hashing, Same Performance" (2006): two numbers make all of them.
    first, step = _HALVES.unpack(challenge_id)
    return [(first + probe * step) % _BITS for probe in range(_PROBES)]


def _holds(taken: bytearray, challenge_id: bytes) -> bool:
    return bool(taken) and all(taken[position >> 3] & (1 << (position & 7)) for position in _positions(challenge_id))
