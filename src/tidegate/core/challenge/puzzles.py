"""The puzzles that a challenge may name, and what checking an answer to each costs.

A puzzle is a number of small, independent pieces of work: a challenge of effort E
wants E of them. Their sum spreads far less than one big piece would, so a progress
bar is honest. A new puzzle is a new name: a name keeps its meaning for ever.
"""

from __future__ import annotations

from binascii import Error as NotHexError
from binascii import unhexlify
from collections.abc import Callable
from enum import StrEnum
from hashlib import blake2s
from operator import lt
from typing import Final

import msgspec

from tidegate.core.challenge.sha256 import SIZE_BYTES as SHA256_BYTES
from tidegate.core.challenge.sha256 import Searches
from tidegate.core.challenge.wagner import SIZE_BYTES as WAGNER_BYTES
from tidegate.core.challenge.wagner import Wagner


class PuzzleName(StrEnum):
    """`wagner` is for browsers, `sha256` for programs whose operator lets them choose it."""

    WAGNER = "wagner"
    SHA256 = "sha256"


class Puzzle(msgspec.Struct, frozen=True):
    """How an answer is laid out: `size_bytes` for each piece, which `is_solved` takes with seed and index.

    `is_ascending` where pieces may stand anywhere: their order then keeps one from standing twice.
    """

    size_bytes: int
    is_solved: Callable[[bytes, int, bytes], bool]
    is_ascending: bool


PUZZLES: Final[dict[PuzzleName, Puzzle]] = {
    PuzzleName.WAGNER: Puzzle(WAGNER_BYTES, Wagner().is_solved, is_ascending=True),
    PuzzleName.SHA256: Puzzle(SHA256_BYTES, Searches().is_solved, is_ascending=False),
}


def seed_of(text: str) -> bytes:
    """What the work is done on: it depends on every letter of the challenge, its effort and its MAC too."""
    return blake2s(text.encode("ascii")).digest()


def pieces_of(answer: str, puzzle: Puzzle, effort: int) -> list[bytes] | None:
    """The answer's pieces, or None for what is no answer: another size, no hex, out of order, or one piece twice."""
    size = puzzle.size_bytes
    if len(answer) != 2 * size * effort:
        return None
    try:
        raw = unhexlify(answer)
    except (NotHexError, ValueError):
        return None
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    is_in_order = not puzzle.is_ascending or all(map(lt, pieces, pieces[1:]))
    return pieces if is_in_order else None
