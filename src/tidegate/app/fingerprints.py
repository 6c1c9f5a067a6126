"""Keyed fingerprints: what stands in the log for an account, a key or an address."""

from __future__ import annotations

import functools
from collections.abc import Callable
from hashlib import blake2s
from typing import Final

from tidegate.core.identifiers import Fingerprint

_MOST_REMEMBERED: Final = 8192


def fingerprinter(key: bytes) -> Callable[[str], Fingerprint]:
    """Make fingerprints under `key`: equal inputs look equal, and nobody without the key can try guesses."""

    @functools.lru_cache(_MOST_REMEMBERED)
    def fingerprint(text: str) -> Fingerprint:
        return Fingerprint(blake2s(text.encode(), key=key, digest_size=8).hexdigest())

    return fingerprint
