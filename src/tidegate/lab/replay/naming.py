"""Gives those whom a record names by fingerprints names that the core can decide by.

The gate counts an address by itself and by its networks, which it cuts out of the address. So each source gets an
address of its own in which the same networks share the same beginning: an IPv4 /24 has room for 256 of them, an IPv6
/48 for 256 of /56 and each of those for 256 of /64, just as in the world. Nobody can tell a real address from it.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Facts
from tidegate.core.decisions.lines import Judged, Listed
from tidegate.core.identifiers import UserId

MOST_SOURCES: Final = 2_000_000
"""Addresses and networks of one record, together."""

_WITHIN: Final = 256
_IPV4_KEYS: Final = 2
_IPV6_KEYS: Final = 3
_IPV4_NETWORK: Final = b""
_IPV6_NETWORK: Final = b"\x20\x01\x0d"
"""What all made-up addresses of a family begin with: three bytes more name the widest network."""


class Recalled(Networks):
    """A list of the operator's, as far as a record tells who was on it."""

    def __init__(self) -> None:
        """Nobody is known to be on it."""
        super().__init__()
        self.held: set[bytes] = set()

    def __bool__(self) -> bool:
        """Always asked: who is on it turns up as the record goes on."""
        return True

    def __contains__(self, address: bytes) -> bool:
        """Whether an address was found on it when it was decided about last."""
        return address in self.held


class Names:
    """Names of one record's sources and accounts. Raises ValueError for what no network could hold."""

    def __init__(self) -> None:
        """Nobody has come."""
        self.allow, self.deny = Recalled(), Recalled()
        self._keys: dict[tuple[bytes, tuple[str, ...]], bytes] = {}
        self._within: dict[bytes, int] = {}

    def facts(self, line: Judged) -> Facts:
        """What the gate was told. Who was on a list then is on it from now on, and who was not is not."""
        address = self.address(line.source)
        if address is not None:
            for listed, networks in ((Listed.ALLOW, self.allow), (Listed.DENY, self.deny)):
                if line.listed is listed:
                    networks.held.add(address)
                else:
                    networks.held.discard(address)
        return Facts(
            address=address,
            lane=line.lane,
            bearing=line.bearing,
            principal=None if line.who is None else principal(line.who),
            digest=None if line.digest is None else bytes.fromhex(line.digest),
            requires_credential=line.needs_credential,
            size_bytes=line.size_bytes,
        )

    def address(self, source: tuple[str, ...]) -> bytes | None:
        """The address that stands for a source, packed."""
        if not source:
            return None
        if len(source) not in {_IPV4_KEYS, _IPV6_KEYS}:
            msg = f"source: expected an address and 1 or 2 networks, not {len(source)} fingerprints"
            raise ValueError(msg)
        is_v4 = len(source) == _IPV4_KEYS
        key = self._key(source, _IPV4_NETWORK if is_v4 else _IPV6_NETWORK)
        return key if is_v4 else key.ljust(16, b"\0")

    def _key(self, source: tuple[str, ...], widest: bytes) -> bytes:
        """What a source is counted as: what its network is counted as, and one byte more."""
        found = self._keys.get((widest, source))
        if found is not None:
            return found
        if len(self._keys) >= MOST_SOURCES:
            msg = f"source: more than {MOST_SOURCES} of them; replay a part of the record"
            raise ValueError(msg)
        if len(source) == 1:
            number = self._within[widest] = self._within.get(widest, 0) + 1
            key = widest + number.to_bytes(3, "big")
        else:
            network = self._key(source[1:], widest)
            number = self._within.get(network, 0)
            if number >= _WITHIN:
                msg = f"source: more than {_WITHIN} addresses in one network"
                raise ValueError(msg)
            self._within[network] = number + 1
            key = network + bytes((number,))
        self._keys[widest, source] = key
        return key


def principal(who: str) -> UserId:
    """The account that a fingerprint stands for."""
    return UserId(f"usr_{who}")
