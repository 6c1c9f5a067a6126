"""Genuine credentials that no longer count, as far as the store has told lately.

A hint, never the judge: the store is asked about every credential that is not
found here. Whoever is found here is not asked about again for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from math import inf


class Revocations:
    """At most `most` digests, each for `kept_s` or less; the one noted longest ago goes first."""

    def __init__(self, kept_s: float, most: int) -> None:
        """Know of none."""
        self._kept_s = kept_s
        self._most = most
        self._noted: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._noted)

    def note(self, digest: bytes, now: float, within_s: float = inf) -> None:
        """This credential is said to be revoked or over; that is not believed for longer than `within_s`."""
        self._noted[digest] = now, within_s
        self._noted.move_to_end(digest)
        if len(self._noted) > self._most:
            self._noted.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """It counts after all, or the store is to be asked again."""
        self._noted.pop(digest, None)

    def holds(self, digest: bytes, now: float) -> bool:
        """Whether it was noted so lately that it is believed."""
        noted = self._noted.get(digest)
        if noted is None:
            return False
        noted_at, within_s = noted
        # A clock that was set back must not make it longer: the store is asked again instead.
        if 0.0 <= now - noted_at < min(self._kept_s, within_s):
            return True
        del self._noted[digest]
        return False

    def reshape(self, kept_s: float, most: int) -> None:
        """Go on by another plan."""
        self._kept_s = kept_s
        self._most = most
        while len(self._noted) > most:
            self._noted.popitem(last=False)
