"""Many small searches for a hash that begins with zeros (hashcash), for programs on a command line.

Any language solves it with its standard library. It is not for browsers: graphics
cards and SHA instructions do it hundreds of times faster than a page does, so an
operator decides where it may be chosen at all. One piece is eight searches of 2^16
hashes on average: about the price of one `wagner` piece to a program in C.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import Final

SEARCHES: Final = 8
ZEROS: Final = 2
"""Bytes of zeros that a hash begins with."""

_NUMBER_BYTES: Final = 8
SIZE_BYTES: Final = SEARCHES * _NUMBER_BYTES
"""A number for each search, big-endian. Which piece it is follows from where it stands: none can stand twice."""


class Searches:
    """The searches for hashes that begin with so many `zeros`. One zero, for tests, is found at once."""

    def __init__(self, zeros: int = ZEROS) -> None:
        """Nothing is computed before it is asked for."""
        self._zeros = bytes(zeros)

    def is_solved(self, seed: bytes, index: int, piece: bytes) -> bool:
        """Whether SHA-256 of seed, index, search and the number found for it is small enough, for every search."""
        base = seed + index.to_bytes(4, "big")
        for search in range(SEARCHES):
            number = piece[search * _NUMBER_BYTES : (search + 1) * _NUMBER_BYTES]
            if not sha256(base + bytes((search,)) + number).digest().startswith(self._zeros):
                return False
        return True

    def solution(self, seed: bytes, index: int) -> bytes:
        """Solve one piece: half a second in this interpreter."""
        base = seed + index.to_bytes(4, "big")
        return b"".join(self._found(base + bytes((search,))) for search in range(SEARCHES))

    def _found(self, base: bytes) -> bytes:
        numbers = (tried.to_bytes(_NUMBER_BYTES, "big") for tried in count())
        return next(number for number in numbers if sha256(base + number).digest().startswith(self._zeros))
