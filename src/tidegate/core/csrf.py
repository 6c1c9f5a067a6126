"""Tokens that show that a form or call comes from our own page (OWASP: CSRF prevention, signed double submit).

A token is a keyed hash over a seed that only the browser and we know: the
digest of the session, or the random cookie of somebody not signed in. Nothing
is stored, and a token is worthless with any other session.
"""

from __future__ import annotations

import hmac
from hashlib import blake2s

from tidegate.core.credentials import ServerKeys


def token(seed: bytes, keys: ServerKeys) -> str:
    """The token for `seed`: 32 hex digits."""
    return _mac(seed, keys.keys[keys.current])


def is_token(text: str, seed: bytes, keys: ServerKeys) -> bool:
    """Whether `text` is the token for `seed` under any of the server's keys."""
    given = text.encode("utf-8", "surrogatepass")
    return any(hmac.compare_digest(given, _mac(seed, key).encode()) for key in keys.keys.values())


def _mac(seed: bytes, server_key: bytes) -> str:
    # `person` keeps these apart from the MACs in credentials, which use the same keys.
    return blake2s(seed, key=server_key, digest_size=16, person=b"csrf").hexdigest()
