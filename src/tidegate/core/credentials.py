"""The form of an API key, session or invitation: what it carries, and how a forgery is told.

A credential reads `tg_<kind>_<body><check>`:

    body   72 base-36 digits of 46 bytes:
           version 1 | server key number 1 | principal 8 | issued at 4 | random 16 | MAC 16
    check  7 base-36 digits, CRC-32 of everything before it

The check lets a secret scanner tell a real key from look-alikes without asking
anybody. The MAC (keyed BLAKE2s, RFC 7693, over kind and body) lets the gate
refuse a forgery without asking a database: only what this service issued gets
further. The cheapest question comes first, so a flood of junk costs a CRC.

Stores keep `digest`, never the text. A credential that is genuine may still be
revoked or expired: that is the store's to say.
"""

from __future__ import annotations

import functools
import hmac
from enum import StrEnum
from hashlib import blake2s, sha256
from typing import Final
from zlib import crc32

import msgspec

from tidegate.core.identifiers import UserId

VERSION: Final = 1
RANDOM_BYTES: Final = 16
SERVER_KEY_BYTES: Final = 32

_MAC_BYTES = 16
_PAYLOAD_BYTES = 1 + 1 + 8 + 4 + RANDOM_BYTES
_BODY_DIGITS = 72  # ceil(46 * 8 / log2(36))
_CHECK_DIGITS = 7  # ceil(32 / log2(36))
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BODY_AT = len("tg_live_")
_SIZE = _BODY_AT + _BODY_DIGITS + _CHECK_DIGITS
_MOST_BITS = (_PAYLOAD_BYTES + _MAC_BYTES) * 8

SCANNER_PATTERN: Final = rf"tg_(live|sess|invt)_[0-9a-z]{{{_BODY_DIGITS + _CHECK_DIGITS}}}"
"""What a secret scanner looks for; the last seven digits are the CRC-32 of the rest."""


class Kind(StrEnum):
    """What a credential is for. One kind is never accepted as the other."""

    API_KEY = "live"
    SESSION = "sess"
    INVITE = "invt"


class ServerKeys(msgspec.Struct, frozen=True):
    """The MAC keys: `current` signs, every key in `keys` (number 0-255 -> 32 bytes) verifies."""

    current: int
    keys: dict[int, bytes]


class Genuine(msgspec.Struct, frozen=True):
    """This service issued it. `digest` (32 bytes) is what a store knows it by."""

    principal: UserId
    issued_at: int
    digest: bytes


class Forged(msgspec.Struct, frozen=True):
    """This service did not issue it. `why` is for the operator, not for the caller."""

    why: str


_BEGINNINGS = {kind: f"tg_{kind}_" for kind in Kind}
_MALFORMED = Forged("malformed")
_WRONG_CHECKSUM = Forged("checksum")
_UNKNOWN_KEY = Forged("unknown_key")
_WRONG_MAC = Forged("mac")


def issue(kind: Kind, principal: UserId, keys: ServerKeys, *, now: float, entropy: bytes) -> str:
    """Write a new credential for `principal` from 16 fresh random bytes.

    `principal` must have been made of exactly 8 bytes. Raises ValueError
    otherwise, or when `entropy` is not 16 bytes.
    """
    if len(principal.entropy) != 8 or len(entropy) != RANDOM_BYTES:  # noqa: PLR2004 - the layout above
        msg = "a credential needs an 8-byte principal and 16 random bytes"
        raise ValueError(msg)
    payload = b"".join(
        (
            bytes((VERSION, keys.current)),
            principal.entropy,
            int(now).to_bytes(4, "big"),
            entropy,
        )
    )
    mac = _mac(kind, payload, keys.keys[keys.current])
    body = _base36(int.from_bytes(payload + mac, "big"), _BODY_DIGITS)
    text = f"tg_{kind}_{body}"
    return text + _check(text)


def read(text: str, kind: Kind, keys: ServerKeys) -> Genuine | Forged:
    """Tell a credential of this service from anything else, without a store."""
    # A flood shows forgeries only: each question is asked in the way that costs least, and no answer is made anew.
    if len(text) != _SIZE or not text.startswith(_BEGINNINGS[kind]) or not _is_base36(text[_BODY_AT:]):
        return _MALFORMED
    if int(text[-_CHECK_DIGITS:], 36) != crc32(text[:-_CHECK_DIGITS].encode("ascii")):
        return _WRONG_CHECKSUM
    number = int(text[_BODY_AT:-_CHECK_DIGITS], 36)
    if number >> _MOST_BITS:
        return _MALFORMED
    raw = number.to_bytes(_PAYLOAD_BYTES + _MAC_BYTES, "big")
    payload, mac = raw[:_PAYLOAD_BYTES], raw[_PAYLOAD_BYTES:]
    server_key = keys.keys.get(payload[1])
    if payload[0] != VERSION or server_key is None:
        return _UNKNOWN_KEY
    if not hmac.compare_digest(mac, _mac(kind, payload, server_key)):
        return _WRONG_MAC
    return Genuine(
        principal=UserId.of(payload[2:10]),
        issued_at=int.from_bytes(payload[10:14], "big"),
        digest=digest(text),
    )


def digest(text: str) -> bytes:
    """What a store keeps instead of the credential: SHA-256.

    A plain hash is enough: the text carries 128 random bits and a MAC, so
    there is nothing to guess.
    """
    return sha256(text.encode("ascii")).digest()


def label(text: str) -> str:
    """The part that may be shown again: enough to recognise a key, useless to an attacker."""
    return f"{text[:8]}...{text[-4:]}"


def _mac(kind: Kind, payload: bytes, server_key: bytes) -> bytes:
    keyed = _keyed(kind, server_key).copy()
    keyed.update(payload)
    return keyed.digest()


@functools.lru_cache(maxsize=16)
def _keyed(kind: Kind, server_key: bytes) -> blake2s:
    """A hash that has taken the key in already: half of the work, and the same for every credential."""
    # `person` separates the kinds: a session pasted as an API key fails here.
    return blake2s(key=server_key, digest_size=_MAC_BYTES, person=kind.encode())


def _is_base36(text: str) -> bool:
    # Beside letters and digits int() takes signs, spaces, underscores, capitals and the digits of other scripts.
    return text.isascii() and text.isalnum() and text == text.lower()


def _check(stem: str) -> str:
    return _base36(crc32(stem.encode("ascii")), _CHECK_DIGITS)


def _base36(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
