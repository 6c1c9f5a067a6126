"""A ticket of the waiting room: all that a place rests on, signed, and kept by whoever waits.

    base64url, 48 characters, of
    version 1 | flags 1 | arrived at 5 | window 4 | grade 1 | id 8 | MAC 16

The MAC is keyed BLAKE2s (RFC 7693) over the rest. So handing tickets out takes no
memory, and after a restart everybody takes their old place.

Order: by the window that a ticket stands in, which is that of its arrival or a later one;
then by its grade, so that the first ticket of every network comes before anybody's second,
and who stands there because of too many comes after all who arrived in it; then a draw. The
draw is a keyed hash of the id. It is fixed when the ticket is issued, and only this service
knows it: nobody can fetch a hundred tickets and prove the best of them only.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from enum import StrEnum
from hashlib import blake2s
from typing import Final

import msgspec

ID_BYTES: Final = 8
TEXT_LENGTH: Final = 48

_VERSION = 1
_MAC_BYTES = 16
_PROVED = 1
_PAYLOAD_BYTES = 20
_TICKET = b"tgticket"
_DRAW = b"tgdraw"


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket carries: the window in which it stands, and its grade there, as `Networks` tells them."""

    id: bytes
    arrived_at: int
    window: int
    grade: int = 0
    is_proved: bool = False


class Why(StrEnum):
    """Why a ticket is worth nothing."""

    MALFORMED = "malformed"
    FORGED = "forged"
    EXPIRED = "expired"
    USED = "used"


class Unknown(msgspec.Struct, frozen=True):
    """No ticket that counts; a new one must be taken."""

    why: Why


_MALFORMED = Unknown(Why.MALFORMED)
_FORGED = Unknown(Why.FORGED)


class Tickets:
    """Writes and reads tickets under one key."""

    def __init__(self, key: bytes) -> None:
        """`key` is 32 secret bytes; with another one all tickets are forged."""
        self._signing = blake2s(key=key, digest_size=_MAC_BYTES, person=_TICKET)
        self._drawing = blake2s(key=key, digest_size=ID_BYTES, person=_DRAW)

    def write(self, ticket: Ticket) -> str:
        """The text of a ticket."""
        payload = b"".join(
            (
                bytes((_VERSION, _PROVED if ticket.is_proved else 0)),
                ticket.arrived_at.to_bytes(5, "big"),
                ticket.window.to_bytes(4, "big"),
                bytes((ticket.grade,)),
                ticket.id,
            )
        )
        return base64.urlsafe_b64encode(payload + self._mac(payload)).decode("ascii")

    def read(self, text: str) -> Ticket | Unknown:
        """Tell a ticket of this service from anything else, the cheapest question first."""
        # One ticket, one spelling: the decoder takes the letters of plain base64 as well, and two texts of one pass
        # would be two passes to whoever counts by the text.
        if len(text) != TEXT_LENGTH or not text.isascii() or "+" in text or "/" in text:
            return _MALFORMED
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
        except binascii.Error:
            return _MALFORMED
        # Padding makes a text of the right length shorter than it should be.
        if len(raw) != _PAYLOAD_BYTES + _MAC_BYTES or raw[0] != _VERSION:
            return _MALFORMED
        payload = raw[:_PAYLOAD_BYTES]
        if not hmac.compare_digest(raw[_PAYLOAD_BYTES:], self._mac(payload)):
            return _FORGED
        return Ticket(
            id=payload[12:],
            arrived_at=int.from_bytes(payload[2:7], "big"),
            window=int.from_bytes(payload[7:11], "big"),
            grade=payload[11],
            is_proved=bool(payload[1] & _PROVED),
        )

    def place(self, ticket: Ticket) -> int:
        """What tickets are ordered by, the first in turn lowest; no two have the same."""
        drawn = self._drawing.copy()
        drawn.update(ticket.id)
        return (ticket.window << 8 | ticket.grade) << 64 | int.from_bytes(drawn.digest(), "big")

    def _mac(self, payload: bytes) -> bytes:
        signed = self._signing.copy()
        signed.update(payload)
        return signed.digest()


def window_of(place: int) -> int:
    """The window of a place in the order."""
    return place >> 72


def grade_of(place: int) -> int:
    """The grade of a place in the order."""
    return place >> 64 & 0xFF


def window_start(window: int) -> int:
    """Below every place of this window, and above those of earlier ones."""
    return window << 72
