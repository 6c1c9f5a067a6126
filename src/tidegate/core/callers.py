"""Who a caller of the gate is: a name made of the API key that it shows, or one that the gate itself gave it.

A key of the upstream's is a secret that is kept nowhere. A keyed hash of it
(BLAKE2s, RFC 7693) names the same caller every time, and nobody without this
instance's secret can tell which key it was, nor try guesses. A key of the gate's
own (credentials.py) says itself whose it is, and counts for as long as it is kept
that it was issued.
"""

from __future__ import annotations

import re
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.identifiers import UserId

_PRINCIPAL_BYTES: Final = 8
_PURPOSE: Final = b"caller"
"""Keeps these apart from the fingerprints in the log, which may be made under the same secret."""
_SCHEME: Final = re.compile(r"\Abearer(?:\s+|\Z)", re.IGNORECASE)


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the gate's own that counts. `digest` (32 bytes) is what is kept of it; `name` is the operator's."""

    digest: bytes
    principal: UserId
    name: str
    issued_at_s: float


def principal_of(key_text: str, secret: bytes) -> UserId:
    """Name the caller who shows this key, under `secret` (32 bytes).

    Blanks around the key and the word `Bearer` before it do not count. An empty key has a name as any other:
    whoever asks refuses it before.
    """
    key = _SCHEME.sub("", key_text.strip(), count=1)
    hashed = blake2s(key.encode("utf-8", "surrogatepass"), key=secret, digest_size=_PRINCIPAL_BYTES, person=_PURPOSE)
    return UserId.of(hashed.digest())
