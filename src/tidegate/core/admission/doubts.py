"""For how long a key is refused that has proved itself and is turned down all the same.

A server may be wrong about a key for a moment: while it starts, or as one of
several that were given other keys. So the first time says nothing. Turned down
again, with no answer in between, the key is refused for a second, and each
further time for twice as long, up to a minute: nobody is refused for longer than
the server was wrong, and a key that was taken away is asked about eight times in
its first minute, then once a minute. What was sent before a pause and is turned
down in it counts for nothing, or many requests at once would be many times.

At most `most` keys are remembered; the one turned down longest ago is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 60.0
_FORGOTTEN_S: Final = 60.0


class _Doubt(msgspec.Struct):
    times: int
    until: float


class Doubts:
    """Counts by digest. Times are seconds of one clock; while one that stepped back catches up nothing counts."""

    def __init__(self, most: int) -> None:
        """Nobody is in doubt."""
        self._most = most
        self._doubts: OrderedDict[bytes, _Doubt] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are in doubt."""
        return len(self._doubts)

    def missed(self, digest: bytes, now: float) -> float:
        """A key was turned down; answers for how many seconds from now it is refused for that."""
        doubt = self._doubts.get(digest)
        if doubt is None or now >= doubt.until + _FORGOTTEN_S:
            doubt = self._doubts[digest] = _Doubt(0, now)
        elif now < doubt.until:
            return 0.0
        doubt.times += 1
        refused_s = min(_LONGEST_S, _FIRST_S * 2.0 ** (doubt.times - 2)) if doubt.times > 1 else 0.0
        doubt.until = now + refused_s
        self._doubts.move_to_end(digest)
        if len(self._doubts) > self._most:
            self._doubts.popitem(last=False)
        return refused_s

    def forget(self, digest: bytes) -> None:
        """It was answered."""
        self._doubts.pop(digest, None)

    def reshape(self, most: int) -> None:
        """Remember so many from now on."""
        self._most = most
        while len(self._doubts) > most:
            self._doubts.popitem(last=False)
