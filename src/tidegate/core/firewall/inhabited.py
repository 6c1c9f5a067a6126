"""Where people live: addresses and networks from which a valid session or key came within a day.

Nothing that stands here is ever handed to a firewall, so forgetting would be the
fault that matters. Two Bloom filters (Bloom, 1970) cannot forget: what was noted
is found until its filter is emptied, a day after the last that could be in it.
They err in one direction only, by calling an address inhabited that is not, and
the fuller they are the more often they do: with 200,000 addresses and networks
a day two questions in a thousand, with a million one in four, with many more
nearly all. Then nothing is handed over any more, and nobody is shut out.

Only credentials that this service made write here, so no flood of strangers
fills it. Places in the filters are keyed: nobody can reckon which addresses
share them, and what is kept of them on a disk names no address.

Who was seen before the watching began is not known. Nothing may be handed over
until `unwatched_until_s`, which is a day after it began; a memory that was kept
over a restart of less than a day shortens that.
"""

from __future__ import annotations

from hashlib import blake2s
from struct import Struct

import msgspec

from tidegate.core.admission.addresses import keys_of

DAY_S = 86400.0
RETURN_S = 900.0
"""After a stop that came unannounced: whoever was noted in its last moments only is back by then, and noted anew."""

_BITS = 1 << 22
_BYTES = _BITS >> 3
_PLACES = Struct("<4I")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The memory as it is kept over a restart. `is_whole`: nothing was noted after it was taken."""

    began_s: float
    saved_s: float
    unwatched_until_s: float
    recent: bytes
    earlier: bytes
    is_whole: bool = False


class Inhabited:
    """Notes and finds addresses. Synchronous; `now` is Unix seconds, best of a clock that only goes forward."""

    def __init__(self, key: bytes, now: float, *, is_nobody_known: bool = False) -> None:
        """Start empty. `is_nobody_known`: there is no account yet, so nobody can have been seen before."""
        self._key = key
        self._began_s = now
        self._recent = bytearray(_BYTES)
        self._earlier = bytearray(_BYTES)
        self.unwatched_until_s = now if is_nobody_known else now + DAY_S
        self.has_changed = False

    def note(self, address: bytes, now: float) -> None:
        """A valid session or key came from this address: it and its network are inhabited for a day at least."""
        self._turn(now)
        for key in keys_of(address)[:2]:
            for place in self._places(key):
                at, bit = place >> 3, 1 << (place & 7)
                if not self._recent[at] & bit:
                    self._recent[at] |= bit
                    self.has_changed = True

    def holds(self, address: bytes, now: float) -> bool:
        """Whether that address (IPv6: its /64) may be inhabited. False is certain."""
        return self._holds(keys_of(address)[0], now)

    def holds_network(self, address: bytes, now: float) -> bool:
        """The same of its network: its /24, or /56."""
        return self._holds(keys_of(address)[1], now)

    def kept(self, now: float, *, is_whole: bool = False) -> Kept:
        """What is to be kept over a restart."""
        self._turn(now)
        self.has_changed = False
        return Kept(
            began_s=self._began_s,
            saved_s=now,
            unwatched_until_s=self.unwatched_until_s,
            recent=bytes(self._recent),
            earlier=bytes(self._earlier),
            is_whole=is_whole,
        )

    def recall(self, kept: Kept, now: float) -> None:
        """Go on from what was kept, just after the start.

        What was kept at a time that is still to come says that a clock was set: it is taken, and watching begins anew.
        So it does after a stop of a day: whoever was here before that is forgotten, and nobody was seen since.
        """
        if len(kept.recent) != _BYTES or len(kept.earlier) != _BYTES:
            return
        self._recent, self._earlier = bytearray(kept.recent), bytearray(kept.earlier)
        if not kept.began_s <= kept.saved_s <= now:
            return
        self._began_s = kept.began_s
        self._turn(now)
        if now - kept.saved_s >= DAY_S:
            return
        self.unwatched_until_s = (
            kept.unwatched_until_s if kept.is_whole else max(kept.unwatched_until_s, now + RETURN_S)
        )

    def _holds(self, key: bytes, now: float) -> bool:
        self._turn(now)
        places = self._places(key)
        return any(
            all(bits[place >> 3] & 1 << (place & 7) for place in places) for bits in (self._recent, self._earlier)
        )

    def _places(self, key: bytes) -> list[int]:
        digest = blake2s(key, key=self._key, digest_size=_PLACES.size, person=b"lives").digest()
        return [place % _BITS for place in _PLACES.unpack(digest)]

    def _turn(self, now: float) -> None:
        """Empty the filter whose youngest is a day old, and have the other take its place."""
        while now - self._began_s >= DAY_S:
            is_long_ago = now - self._began_s >= 2 * DAY_S
            self._earlier = bytearray(_BYTES) if is_long_ago else self._recent
            self._recent = bytearray(_BYTES)
            self._began_s = now if is_long_ago else self._began_s + DAY_S
            self.has_changed = True
