"""Names in a log that others may read: keyed fingerprints in place of addresses, sessions, accounts and keys."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable
from hashlib import blake2s
from typing import Final

_IPV4_BITS, _IPV6_BITS = 24, 48
_MOST_REMEMBERED: Final = 65_536
_NUMBERS: Final = re.compile(r"[\w.-]{1,40}=\d{1,9}(?:&[\w.-]{1,40}=\d{1,9})*\Z")


class Naming:
    """Makes fingerprints under a key; without one, names stay as they are."""

    def __init__(self, key: bytes | None) -> None:
        """Take the key of at least 16 bytes, or None for plain names."""
        self._key = key
        self.of: Callable[[str], str] = functools.lru_cache(_MOST_REMEMBERED)(self._named)
        self.network: Callable[[str], str | None] = functools.lru_cache(_MOST_REMEMBERED)(self._network)

    @property
    def is_keyed(self) -> bool:
        """Whether names become fingerprints."""
        return self._key is not None

    def _named(self, name: str) -> str:
        if self._key is None:
            return name
        return blake2s(name.encode("utf-8", "replace"), key=self._key, digest_size=8).hexdigest()

    def _network(self, address: str) -> str | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        bits = _IPV4_BITS if parsed.version == 4 else _IPV6_BITS  # noqa: PLR2004 - the protocol's number
        return self._named(str(ipaddress.ip_network((parsed, bits), strict=False)))

    def path(self, path: str, query: str) -> str:
        """The plain path, and of a query only numbers: its words may be what people typed."""
        if not query:
            return path
        return f"{path}?{query if self._key is None or _NUMBERS.match(query) else self._named(query)}"
