"""Solves challenges, for command lines and for tests. Browsers have a solver of their own in web/challenge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, count, islice

import msgspec

from tidegate.core.challenge.challenges import ID_BYTES
from tidegate.core.challenge.puzzles import PuzzleName, seed_of
from tidegate.core.challenge.sha256 import Searches
from tidegate.core.challenge.wagner import Wagner

EFFORT_MOST = 1024
"""Beyond this a text is no challenge of Tidegate's, whatever it says."""


_HEX = re.compile(f"[0-9a-f]{{{2 * ID_BYTES}}}")
_DAMAGED = "this challenge is damaged: copy all of it, seven parts with dots between them, on one line"


class NoChallengeError(ValueError):
    """The text is not a challenge. The message says what is wrong with it."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenge says of itself."""

    puzzle: PuzzleName
    effort: int
    expires_at: float


def solve(text: str, told: Callable[[int, int], None] = lambda _done, _effort: None) -> str:
    """Work out the answer. `told` hears after each piece how many of how many are done. Raises NoChallengeError."""
    asked = parts_of(text)
    seed = seed_of(text)
    pieces = []
    for piece in islice(_pieces(asked.puzzle, seed), asked.effort):
        pieces.append(piece)
        told(len(pieces), asked.effort)
    return b"".join(pieces).hex()


def parts_of(text: str) -> Parts:
    """Read what a challenge asks for, which anybody may. Raises NoChallengeError."""
    fields = text.split(".")
    if len(fields) != 7 or not text.isascii() or not all(map(str.isdigit, fields[2:5])):  # noqa: PLR2004 - see challenges.py
        msg = "this is no challenge: one reads puzzle.scope.effort.issued.lifetime.id.mac"
        raise NoChallengeError(_DAMAGED if fields[0] in set(PuzzleName) and len(fields) > 1 else msg)
    if fields[0] not in set(PuzzleName):
        msg = f"this program knows no puzzle {fields[0][:20]!r}: it may be older than the service"
        raise NoChallengeError(msg)
    effort, issued_ms, lifetime_s = (int(field[:20]) for field in fields[2:5])
    if not 1 <= effort <= EFFORT_MOST:
        msg = f"an effort of {effort} is asked, and none above {EFFORT_MOST} is Tidegate's"
        raise NoChallengeError(msg)
    # Of the right form, and still not whole: an answer to it would count nowhere.
    if not all(_HEX.fullmatch(field) for field in fields[5:]):
        raise NoChallengeError(_DAMAGED)
    return Parts(puzzle=PuzzleName(fields[0]), effort=effort, expires_at=issued_ms / 1000 + lifetime_s)


def _pieces(puzzle: PuzzleName, seed: bytes) -> Iterator[bytes]:
    if puzzle is PuzzleName.SHA256:
        return (Searches().solution(seed, index) for index in count())
    return chain.from_iterable(Wagner().solutions(seed, nonce) for nonce in count())
