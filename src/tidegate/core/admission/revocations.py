"""Genuine credentials that no longer count, as far as the store has told lately.

A hint, never the judge: the store is asked about every credential that is not
found here. Whoever is found here is not asked about again for a while.
"""

from __future__ import annotations

from collections import OrderedDict


class Revocations:
    """At most `most` digests, each for `kept_s`; the one noted longest ago goes first."""

    def __init__(self, kept_s: float, most: int) -> None:
        """Know of none."""
        self._kept_s = kept_s
        self._most = most
        self._noted_at: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._noted_at)

    def note(self, digest: bytes, now: float) -> None:
        """The store says that this credential is revoked or over."""
        self._noted_at[digest] = now
        self._noted_at.move_to_end(digest)
        if len(self._noted_at) > self._most:
            self._noted_at.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """It counts after all, or the store is to be asked again."""
        self._noted_at.pop(digest, None)

    def holds(self, digest: bytes, now: float) -> bool:
        """Whether it was noted within `kept_s`."""
        noted_at = self._noted_at.get(digest)
        if noted_at is None:
            return False
        # A clock that was set back must not make it longer: the store is asked again instead.
        if 0.0 <= now - noted_at < self._kept_s:
            return True
        del self._noted_at[digest]
        return False

    def reshape(self, kept_s: float, most: int) -> None:
        """Go on by another plan."""
        self._kept_s = kept_s
        self._most = most
        while len(self._noted_at) > most:
            self._noted_at.popitem(last=False)
