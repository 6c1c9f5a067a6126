"""Token buckets: how often something may happen, for each of many keys, in bounded memory.

A bucket holds at most `burst` tokens and gains `rate` a second. What is stored of
one is a single number, as in the generic cell rate algorithm (ITU-T I.371): its
mark, the reading at which it will be full again of a counter that all of them
share. The counter gains `rate` a second, so a new rate bends the counter and
touches no bucket. A full bucket needs no mark: forgetting it loses nothing.

What can never happen: a key that is remembered is given more than its burst and
the rate times how far the clock was seen to run forward. A step back gives
nothing and takes nothing; a step forward cannot be told from a quiet night, and
fills a bucket once. More than `most` marks are never kept: the key that took the
longest ago is forgotten first, and its bucket is full from then on.
"""

from __future__ import annotations

from collections import OrderedDict

_MARGIN_S = 1e-6
"""Unix time in a float is exact to a quarter of this: a promised wait must survive the rounding."""

_DISORDER_S = 1.0
"""A reading so little behind the newest is out of order, and gives nothing; beyond, the clock was set back."""


class Buckets:
    """One bucket for each key. `rate` is above 0, and nobody may ask for more than `burst` at once."""

    def __init__(self, rate: float, burst: float, most: int) -> None:
        """Start with every bucket full."""
        self._rate = rate
        self._burst = burst
        self._most = most
        self._marks: OrderedDict[bytes | str, float] = OrderedDict()
        self._counter = 0.0
        self._read_at = float("inf")  # Whatever is read first sets the clock and gives nothing.

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._marks)

    def wait_s(self, key: bytes | str, amount: float, now: float) -> float:
        """Seconds until `amount` can be taken, never too few; 0.0 is now. Takes nothing and remembers nothing."""
        read_at = self._read_at
        if now > read_at:
            self._counter += (now - read_at) * self._rate
            self._read_at = read_at = now
        elif now < read_at - _DISORDER_S:
            # Waiting until the clock is there again would refuse everybody for as long as it was wrong.
            self._read_at = read_at = now
        lack = self._marks.get(key, 0.0) - self._counter + amount - self._burst
        if lack <= 0.0:
            return 0.0
        return lack / self._rate + (read_at - now) + _MARGIN_S

    def take(self, key: bytes | str, amount: float, now: float) -> float:
        """Take `amount` and answer 0.0, or take nothing and answer the seconds until it is there."""
        wait_s = self.wait_s(key, amount, now)
        if not wait_s:
            self.charge(key, amount)
        return wait_s

    def charge(self, key: bytes | str, amount: float) -> None:
        """Take what `wait_s` has just said is there."""
        marks, counter = self._marks, self._counter
        mark = marks.get(key)
        if mark is None:
            marks[key] = counter + amount
            if len(marks) > self._most:
                marks.popitem(last=False)
        else:
            marks[key] = (mark if mark > counter else counter) + amount  # noqa: FURB136 - a call costs more than that
            marks.move_to_end(key)

    def reshape(self, rate: float, burst: float, most: int) -> None:
        """Go on by another plan from the last reading: what was taken stays taken."""
        self._rate = rate
        self._most = most
        while len(self._marks) > most:
            self._marks.popitem(last=False)
        if burst < self._burst:
            # Nobody is left deeper in debt than an empty bucket of the new size.
            deepest = self._counter + burst
            for key, mark in list(self._marks.items()):
                if mark > deepest:
                    self._marks[key] = deepest
        self._burst = burst
