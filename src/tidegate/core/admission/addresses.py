"""Addresses as the gate counts them: packed bytes, their networks by slicing, lists by bisection.

One customer holds one IPv4 address, or a whole IPv6 /64 and often a /56 or /48
(RFC 6177): a bucket for each single IPv6 address would be none. An IPv4 address
written as IPv6 (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2) is that IPv4 address.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import TypeVar

_Network = TypeVar("_Network", IPv4Network, IPv6Network)

_MAPPED = bytes(10) + b"\xff\xff"
_IPV4 = 4
_IPV6_BYTES = 16
_MAPPED_BITS = 96


def keys_of(address: bytes) -> tuple[bytes, ...]:
    """Say what an address is counted as, the narrowest first.

    IPv4: itself and its /24. IPv6: its /64, /56 and /48. Keys of different width
    or family never collide within one width's map: their lengths differ.
    """
    if len(address) != _IPV6_BYTES:
        return address, address[:3]
    if address.startswith(_MAPPED):
        return address[12:], address[12:15]
    return address[:8], address[:7], address[:6]


class Networks:
    """A list of addresses and networks, compiled: asking takes one bisection, however many there are.

    An IPv6 network holds no IPv4 address, also not ::/0.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Read "192.0.2.7", "192.0.2.0/24", "2001:db8::/32". ValueError says which one cannot be read and why."""
        narrow: list[IPv4Network] = []
        wide: list[IPv6Network] = []
        for text in texts:
            network = _unmapped(ip_network(text))
            if isinstance(network, IPv4Network):
                narrow.append(network)
            else:
                wide.append(network)
        self._narrow = _ranges(narrow)
        self._wide = _ranges(wide)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._narrow[0] or self._wide[0])

    def __contains__(self, address: bytes) -> bool:
        """Whether a packed address is in one of them."""
        firsts, lasts = self._narrow
        if len(address) == _IPV6_BYTES:
            if address.startswith(_MAPPED):
                address = address[12:]
            else:
                firsts, lasts = self._wide
        at = bisect_right(firsts, address)
        return at > 0 and address <= lasts[at - 1]

    def touches(self, network: IPv4Network | IPv6Network) -> bool:
        """Whether any address of `network` is in one of them."""
        firsts, lasts = self._narrow if network.version == _IPV4 else self._wide
        at = bisect_right(firsts, network.broadcast_address.packed)
        return at > 0 and network.network_address.packed <= lasts[at - 1]


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    packed = network.network_address.packed
    if network.prefixlen < _MAPPED_BITS or not packed.startswith(_MAPPED):
        return network
    return IPv4Network((packed[12:], network.prefixlen - _MAPPED_BITS))


def _ranges(networks: list[_Network]) -> tuple[list[bytes], list[bytes]]:
    """First and last addresses of networks, sorted and without overlap, as bisection needs them."""
    apart = list(collapse_addresses(networks))
    return (
        [network.network_address.packed for network in apart],
        [network.broadcast_address.packed for network in apart],
    )
