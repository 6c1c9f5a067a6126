"""What a link in a letter proves: that somebody reads the mail of an address, and not for how much else.

A link's token is base64url (RFC 4648 section 5, without padding) of

    version 1 | server key number 1 | written at 4 | good until 4 | binding 8 | subject 1-320 | MAC 16

with keyed BLAKE2s (RFC 7693) over all before it; `person` holds the purpose, so
that a link for one thing never works for another. Nothing is stored. The
subject is an account, or for a sign-up the address itself.

The binding is eight bytes of a keyed hash over what must still be the same when
the link is used: of a reset, the stored password hash, so that the first use
ends it, and so does any other change of the password. It says nothing about
what it was made of.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, urlsafe_b64encode
from enum import StrEnum
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.credentials import ServerKeys

_VERSION: Final = 1
_MAC_BYTES: Final = 16
_BINDING_BYTES: Final = 8
_HEAD_BYTES: Final = 2 + 4 + 4 + _BINDING_BYTES
_MOST_SUBJECT_BYTES: Final = 320
MOST_CHARACTERS: Final = ((_HEAD_BYTES + _MOST_SUBJECT_BYTES + _MAC_BYTES) * 8 + 5) // 6
"""Of a token. A longer text is none, and is not looked at."""

_LATEST_S: Final = 0xFFFFFFFF


class Purpose(StrEnum):
    """What a link is for. One is never accepted for another. At most eight letters: `person` holds no more."""

    CONFIRM = "confirm"
    RESET = "reset"
    SIGN_IN = "sign-in"
    END_SESSIONS = "endsess"


LASTS_S: Final = {
    Purpose.CONFIRM: 24 * 3600.0,
    Purpose.RESET: 3600.0,
    Purpose.SIGN_IN: 15 * 60.0,
    Purpose.END_SESSIONS: 7 * 86400.0,
}
"""How long a link is good for."""


class Broken(StrEnum):
    """Why a text is no link that works."""

    FORGED = "forged"
    EXPIRED = "expired"
    USED = "used"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link that was written here and is not too old. Whether `binding` still holds is the caller's to ask."""

    subject: bytes
    binding: bytes
    written_at_s: float
    good_until_s: float


def write(
    purpose: Purpose, subject: bytes, binding: bytes, keys: ServerKeys, now: float, lasts_s: float | None = None
) -> str:
    """The token of a link, good for `lasts_s` or else as long as is usual.

    Raises ValueError for a subject that is empty or too long, or a binding of another size.
    """
    if not 0 < len(subject) <= _MOST_SUBJECT_BYTES or len(binding) != _BINDING_BYTES:
        msg = f"a link needs a subject of at most {_MOST_SUBJECT_BYTES} bytes and a binding of {_BINDING_BYTES}"
        raise ValueError(msg)
    times = (int(now), min(int(now + (lasts_s or LASTS_S[purpose])), _LATEST_S))
    head = bytes((_VERSION, keys.current)) + b"".join(moment.to_bytes(4, "big") for moment in times)
    body = head + binding + subject
    return urlsafe_b64encode(body + _mac(purpose, body, keys.keys[keys.current])).decode("ascii").rstrip("=")


def read(purpose: Purpose, text: str, keys: ServerKeys, now: float) -> Link | Broken:
    """Tell a link of this service from anything else, without a store."""
    raw = _decoded(text)
    if raw is None or len(raw) <= _HEAD_BYTES + _MAC_BYTES or raw[0] != _VERSION:
        return Broken.FORGED
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    server_key = keys.keys.get(body[1])
    if server_key is None or not hmac.compare_digest(mac, _mac(purpose, body, server_key)):
        return Broken.FORGED
    written_at, good_until = (int.from_bytes(body[at : at + 4], "big") for at in (2, 6))
    if now >= good_until:
        return Broken.EXPIRED
    return Link(
        subject=body[_HEAD_BYTES:],
        binding=body[10:_HEAD_BYTES],
        written_at_s=float(written_at),
        good_until_s=float(good_until),
    )


def binding_of(state: str, keys: ServerKeys) -> bytes:
    """What a link is bound to, that is good only while `state` is the same."""
    # Under the key of the lowest number, which is the last to go: a rotation must not void letters on their way.
    key = keys.keys[min(keys.keys)]
    return blake2s(
        state.encode("utf-8", "surrogatepass"), key=key, digest_size=_BINDING_BYTES, person=b"bound"
    ).digest()


def is_bound(link: Link, state: str, keys: ServerKeys) -> bool:
    """Whether what the link was bound to is still the same."""
    return hmac.compare_digest(link.binding, binding_of(state, keys))


def _decoded(text: str) -> bytes | None:
    if not 0 < len(text) <= MOST_CHARACTERS or not text.isascii():
        return None
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    # One token, one spelling: unused bits at the end must be nothing.
    return raw if urlsafe_b64encode(raw).decode("ascii").rstrip("=") == text else None


def _mac(purpose: Purpose, body: bytes, server_key: bytes) -> bytes:
    return blake2s(body, key=server_key, digest_size=_MAC_BYTES, person=purpose.value.encode()).digest()
