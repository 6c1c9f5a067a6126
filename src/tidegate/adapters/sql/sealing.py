"""Sealing bytes so that only their key opens them, and only where they belong.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. A sealed value reads

    version 1 | nonce 12 | ciphertext and tag

and is bound to its place: the same bytes moved to another row, field or owner
do not open. One key may seal 2^32 values (SP 800-38D section 8.3); a key here
belongs to one person. The length of what was sealed shows.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidegate.ports.conversations import UnreadableContentError

KEY_BYTES: Final = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_OVERHEAD_BYTES = len(_VERSION) + _NONCE_BYTES + 16


class SealingKey:
    """One key. Its bytes cannot be read back from it by accident: it has no useful repr."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """Take a key of exactly 32 bytes; raise ValueError otherwise."""
        if len(key) != KEY_BYTES:
            msg = f"a sealing key has {KEY_BYTES} bytes, not {len(key)}"
            raise ValueError(msg)
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, *place: str) -> bytes:
        """Encrypt `plain` for `place`, the names of owner, row and field."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, _bound_to(place))

    def unseal(self, sealed: bytes, *place: str) -> bytes:
        """Decrypt what was sealed for `place`. Raises UnreadableContentError, never returns garbage."""
        if len(sealed) < _OVERHEAD_BYTES or sealed[:1] != _VERSION:
            msg = f"{_named(place)}: not a sealed value of a known version"
            raise UnreadableContentError(msg)
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, _bound_to(place))
        except InvalidTag as error:
            msg = f"{_named(place)}: sealed with another key, for another place, or altered since"
            raise UnreadableContentError(msg) from error


def _bound_to(place: tuple[str, ...]) -> bytes:
    # Identifiers and field names contain no "|", so two places never read the same.
    return b"|".join((*(part.encode("ascii") for part in place), _VERSION))


def _named(place: tuple[str, ...]) -> str:
    return " ".join(part for part in place if part)
