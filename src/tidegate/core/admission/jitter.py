"""When to come back: never before it can help, and not all at once."""

from __future__ import annotations

from zlib import crc32

_SPREAD = 0.5
_LEAST_SPREAD_S = 1.0


def jittered_s(wait_s: float, key: bytes, now: float) -> float:
    """Lengthen a wait by up to half of it, by up to a second at least.

    Who is refused together would otherwise return together and be refused again.
    The same key and time give the same answer, so a replayed decision says what
    was said; other keys, or the same one a millisecond later, are spread evenly.
    """
    drawn = crc32(key, int(now * 1000.0) & 0xFFFFFFFF) / 0x1_0000_0000
    spread_s = wait_s * _SPREAD
    if spread_s < _LEAST_SPREAD_S:
        return wait_s + _LEAST_SPREAD_S * drawn
    return wait_s + spread_s * drawn
