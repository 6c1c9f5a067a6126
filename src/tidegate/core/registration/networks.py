"""Where the next ticket of a network stands, in a fixed size.

Each window has so many places for every network, its first before everybody's second.
Who takes more of them takes those of later windows, behind who comes in these: the order
is that of start-time fair queueing (Goyal, Vin and Cheng 1996), by network. Else whoever
takes ten thousand tickets from four networks in one window would stand before everybody
who comes after it, for hours.

A sketch of two rows as in Cormode and Muthukrishnan 2005 holds how far each network has
come, keyed so that nobody can choose whom they collide with. It is never behind; it is
ahead only for a network that shares both of its cells with others that took too many: one
in 4,000 beside 1,000 of those, one in 50 beside 10,000.
"""

from __future__ import annotations

from array import array
from hashlib import blake2s
from typing import Final

_CELLS: Final = 1 << 16
LATEST: Final = 255
"""Windows behind the newest at most: a ticket of five-minute windows does not live much longer."""
WORST: Final = 255


class Networks:
    """Places that networks took: 1 MiB, however many they are."""

    def __init__(self, key: bytes) -> None:
        """None has taken any."""
        self._hash = blake2s(key=key, digest_size=4, person=b"tgnets")
        self._rows = array("Q", bytes(8 * _CELLS)), array("Q", bytes(8 * _CELLS))

    def stand(self, network: bytes, window: int, free: int) -> tuple[int, int]:
        """Count one more of this network: the window in which it stands, and its grade there, 0 to `WORST`.

        Each window has `free` places for it. The grade is how many of its network's places lie between it and the
        first of this window.
        """
        hashed = self._hash.copy()
        hashed.update(network)
        cells = hashed.digest()
        places = [int.from_bytes(cell, "big") for cell in (cells[:2], cells[2:])]
        taken = min(row[at] for row, at in zip(self._rows, places, strict=True))
        # Nobody saves up places of windows that are over, nor takes one that no ticket could live to see.
        mine = min(max(taken, window * free), (window + LATEST) * free + free - 1)
        for row, at in zip(self._rows, places, strict=True):
            row[at] = max(row[at], mine + 1)
        return mine // free, min(mine - window * free, WORST)
