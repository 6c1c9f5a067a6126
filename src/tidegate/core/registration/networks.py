"""How many tickets each network took in the present window, in a fixed size.

A count-min sketch (Cormode and Muthukrishnan 2005) of two rows, keyed so that nobody
can choose whom they collide with. It never counts too few; it counts too many only for
a network that shares both of its cells: one in 4,000 beside 1,000 others, one in 50
beside 10,000. That costs a place within the window and nothing else.
"""

from __future__ import annotations

from array import array
from hashlib import blake2s
from typing import Final

_CELLS: Final = 1 << 16
_MOST: Final = 0xFFFFFFFF


class Networks:
    """Counts for one window at a time: 512 KiB, however many networks."""

    def __init__(self, key: bytes) -> None:
        """None has taken any."""
        self._hash = blake2s(key=key, digest_size=4, person=b"tgnets")
        self._window = -1
        self._rows = _empty()

    def grade(self, network: bytes, window: int, free: int) -> int:
        """Count one more of this network, and answer its grade.

        The first `free` have grade 0, and each grade holds twice as many as all before it together.
        """
        if window != self._window:
            self._window, self._rows = window, _empty()
        hashed = self._hash.copy()
        hashed.update(network)
        cells = hashed.digest()
        number = _MOST
        for row, cell in zip(self._rows, (cells[:2], cells[2:]), strict=True):
            at = int.from_bytes(cell, "big")
            row[at] = min(row[at] + 1, _MOST)
            number = min(number, row[at])
        return ((number - 1) // free + 1).bit_length() - 1


def _empty() -> tuple[array[int], array[int]]:
    return array("I", bytes(4 * _CELLS)), array("I", bytes(4 * _CELLS))
