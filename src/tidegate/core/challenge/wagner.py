"""The generalised birthday problem: memory and time to solve, eight hashes to check.

Wagner, "A Generalized Birthday Problem" (CRYPTO 2002); as a proof of work in
Biryukov and Khovratovich, "Equihash" (NDSS 2016), with k = 3 and n = 68. Of a list
of 2^18 words of 68 bits, made by BLAKE2s of seed, nonce and place, a solution names
eight places whose words are zero together (XOR): in pairs on the lowest 17 bits, in
fours on the lowest 34, all eight on 68. The tree has one order: the smaller place
stands left at every fork. A nonce has about two solutions, and a solver may use each.

To solve, the list is sorted three times: that is bound by memory, where a page is
not as far behind a native program as it is in hashing. Figures: docs/challenge.md.
"""

from __future__ import annotations

from hashlib import blake2s
from struct import Struct
from typing import Final

BITS: Final = 17
"""On which a pair meets: a quarter of n."""

_PIECE: Final = Struct(">9I")  # the nonce, then eight places; big-endian, so that the order of bytes is that of numbers
_WORD_BYTES: Final = 10
_IN_A_HASH: Final = 3
_PLACE_BITS: Final = 24
_PLACE_MASK: Final = (1 << _PLACE_BITS) - 1
_STARTS: Final = tuple(_WORD_BYTES * place for place in range(_IN_A_HASH))

SIZE_BYTES: Final = _PIECE.size


class Wagner:
    """The problem for one number of `bits`, 16 to 19. Smaller ones, for tests, have solutions just as well."""

    def __init__(self, bits: int = BITS) -> None:
        """Nothing is computed before it is asked for."""
        self._places = 2 << bits
        self._pair = (1 << bits) - 1
        self._four = (1 << 2 * bits) - 1
        self._whole = (1 << 4 * bits) - 1

    def is_solved(self, seed: bytes, index: int, piece: bytes) -> bool:
        """Whether one piece names a solution. Garbage is refused after two hashes, if not for its order."""
        del index  # A piece may stand anywhere: pieces are told apart by their order.
        nonce, a, b, c, d, e, f, g, h = _PIECE.unpack(piece)
        if not (a < b and c < d and e < f and g < h and a < c and e < g and a < e):
            return False
        if max(b, d, f, h) >= self._places or len({a, b, c, d, e, f, g, h}) != 8:  # noqa: PLR2004 - 2^k
            return False
        base = seed + nonce.to_bytes(4, "little")
        ab = _word(base, a) ^ _word(base, b)
        if ab & self._pair:
            return False
        cd = _word(base, c) ^ _word(base, d)
        if (ab ^ cd) & self._four:
            return False
        ef = _word(base, e) ^ _word(base, f)
        if ef & self._pair:
            return False
        # What is asked of the other pairs and of the right four follows from this and from what was asked before.
        return not (ab ^ cd ^ ef ^ _word(base, g) ^ _word(base, h)) & self._whole

    def solutions(self, seed: bytes, nonce: int) -> list[bytes]:
        """Every solution of one nonce, as pieces. Takes this interpreter long: browsers bring a solver of theirs."""
        words = self._words(seed + nonce.to_bytes(4, "little"))
        # Each level pairs what meets on the next bits: its values, and the two of the level below that each is of.
        pairs, pairs_of = _joined(words, self._pair)
        fours, fours_of = _joined(pairs, self._four)
        _, eights_of = _joined(fours, self._whole)

        def places(four: int) -> tuple[int, ...]:
            left, right = (_parted(pairs_of[pair]) for pair in _parted(fours_of[four]))
            return left + right if left < right else right + left

        found = set()
        for eight in eights_of:
            left, right = (places(four) for four in _parted(eight))
            if len({*left, *right}) == 8:  # noqa: PLR2004 - 2^k
                found.add(_PIECE.pack(nonce, *(left + right if left < right else right + left)))
        return sorted(found)

    def _words(self, base: bytes) -> list[int]:
        """All words, each hash made once."""
        words: list[int] = []
        for group in range(-(-self._places // _IN_A_HASH)):
            digest = blake2s(base + group.to_bytes(4, "little")).digest()
            words += (int.from_bytes(digest[at : at + _WORD_BYTES], "little") & self._whole for at in _STARTS)
        return words[: self._places]


def _word(base: bytes, place: int) -> int:
    group, at = divmod(place, _IN_A_HASH)
    digest = blake2s(base + group.to_bytes(4, "little")).digest()
    return int.from_bytes(digest[at * _WORD_BYTES : (at + 1) * _WORD_BYTES], "little")


def _joined(values: list[int], mask: int) -> tuple[list[int], list[int]]:
    """What every two that meet under `mask` come to, and where the two stand, as one number.

    Numbers only, no lists of lists: half a million small objects would cost more than all else here.
    """
    latest: dict[int, int] = {}
    before: list[int] = []  # Of each, the one before it that meets it; -1 none.
    joined: list[int] = []
    joined_of: list[int] = []
    for at, value in enumerate(values):
        key = value & mask
        other = latest.get(key, -1)
        latest[key] = at
        before.append(other)
        while other >= 0:
            joined.append(value ^ values[other])
            joined_of.append(other << _PLACE_BITS | at)
            other = before[other]
    return joined, joined_of


def _parted(two: int) -> tuple[int, int]:
    return two >> _PLACE_BITS, two & _PLACE_MASK
