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

from collections import defaultdict
from hashlib import blake2s
from struct import Struct
from typing import Final

BITS: Final = 17
"""On which a pair meets: a quarter of n."""

_PIECE: Final = Struct(">9I")  # the nonce, then eight places; big-endian, so that the order of bytes is that of numbers
_WORD_BYTES: Final = 10
_IN_A_HASH: Final = 3

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
        """Every solution of one nonce, as pieces. Takes this interpreter seconds: browsers bring a solver of theirs."""
        base = seed + nonce.to_bytes(4, "little")
        nodes: list[_Node] = [(_word(base, place) & self._whole, (place,)) for place in range(self._places)]
        # Each level pairs what meets on the next bits. A node is its value and the places under it.
        for mask in (self._pair, self._four, self._whole):
            nodes = _joined(nodes, mask)
        return sorted({_PIECE.pack(nonce, *places) for _, places in nodes})


def _word(base: bytes, place: int) -> int:
    group, at = divmod(place, _IN_A_HASH)
    digest = blake2s(base + group.to_bytes(4, "little")).digest()
    return int.from_bytes(digest[at * _WORD_BYTES : (at + 1) * _WORD_BYTES], "little")


_Node = tuple[int, tuple[int, ...]]


def _joined(nodes: list[_Node], mask: int) -> list[_Node]:
    """Pairs of nodes that meet under `mask` and have no place in common, the smaller first place left."""
    met: defaultdict[int, list[_Node]] = defaultdict(list)
    pairs: list[_Node] = []
    for node in nodes:
        value, places = node
        fellows = met[value & mask]
        for other, elsewhere in fellows:
            left, right = (elsewhere, places) if elsewhere[0] < places[0] else (places, elsewhere)
            if set(left).isdisjoint(right):
                pairs.append((value ^ other, left + right))
        fellows.append(node)
    return pairs
