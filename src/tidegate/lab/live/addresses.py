"""Addresses of the live world: everybody's own, moved onto 127.0.0.0/8.

Who shares an address still does, and who shares a /24 too: networks are dealt first come first served, the
last byte stays. 127.0.x.x is left alone: the service itself and its operator live there.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = 1 << 8  # 127.1.0.0/24
_NETWORKS: Final = (255 << 8) - _FIRST - 1  # The last /16 holds the broadcast address.
MOST_NETWORKS: Final = _NETWORKS
"""So many /24s are told apart; those that come later share with an earlier one, and are counted."""


class Addresses:
    """Deals loopback addresses."""

    def __init__(self, most_networks: int = MOST_NETWORKS) -> None:
        """Nobody has one yet."""
        self._most = min(most_networks, MOST_NETWORKS)
        self._dealt: dict[int, int] = {}
        self.crowded = 0

    def of(self, address: int) -> str:
        """The loopback address for an IPv4 address, both the same for ever."""
        network = address >> 8
        number = self._dealt.get(network)
        if number is None:
            if len(self._dealt) < self._most:
                number = self._dealt[network] = len(self._dealt)
            else:
                self.crowded += 1
                number = network % self._most
        place = _FIRST + number
        return f"127.{place >> 8}.{place & 255}.{address & 255}"
