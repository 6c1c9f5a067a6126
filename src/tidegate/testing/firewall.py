"""A Firewall in memory, and elements to give it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

from tidegate.core.firewall.elements import Element, OffloadReason
from tidegate.ports.firewall import FirewallUnavailableError


class MemoryFirewall:
    """Keeps out what it was told to, and sets `heard`; while `is_broken` it cannot be told."""

    def __init__(self) -> None:
        """Keep nobody out."""
        self.is_broken = False
        self.told: list[tuple[tuple[Element, ...], tuple[Element, ...]]] = []
        self.tried = 0
        self.heard = asyncio.Event()
        self._kept_out: dict[bytes, Element] = {}

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Keep out what is live."""
        self.tried += 1
        if self.is_broken:
            msg = "it is broken"
            raise FirewallUnavailableError(msg)
        self.told.append((tuple(added), tuple(live)))
        self._kept_out = {element.prefix: element for element in (*live, *added)}
        self.heard.set()

    @property
    def kept_out(self) -> set[str]:
        """Every prefix that is kept out now."""
        return {str(element.network) for element in self._kept_out.values()}


def an_element(address: str, since_s: float, lasts_s: float = 600.0, *, is_network: bool = False) -> Element:
    """An element around this address."""
    packed = ip_address(address).packed
    is_ipv4 = len(packed) == 4
    size_bytes = (3 if is_network else 4) if is_ipv4 else (7 if is_network else 8)
    return Element(
        prefix=packed[:size_bytes],
        is_ipv4=is_ipv4,
        pressed_by=packed,
        reason=OffloadReason.NETWORK_KEPT_SENDING if is_network else OffloadReason.KEPT_SENDING,
        since_s=since_s,
        until_s=since_s + lasts_s,
    )
