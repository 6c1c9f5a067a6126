"""Where bots come from: an IPv4 address for number i of N, without keeping any.

- A data centre's: few /24s, densely used, in 100.0.0.0 to 149.255.255.255. Nobody else comes from there.
- A residential proxy: one in a /24, over many /24s, in 150.0.0.0 to 199.255.255.255.
- A residential proxy next door: the same, in 11.0.0.0 to 69.255.255.255, where people's homes are. It may
  stand in a /24 with people, and have the address of one of them, as a proxy on somebody's device has.

Each campaign begins elsewhere in each range, by its salt.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.lab.actors.addresses import HOMES
from tidegate.lab.actors.attackers.chance import mixed

_NETS_IN_8: Final = 1 << 16
_HOSTS: Final = 254
_DENSE: Final = 200  # Bots in a /24 of a data centre.
_FEW: Final = 4
_STRIDE: Final = 2_654_435_761  # Prime, and so coprime to the size of each range: no two of a round share a /24.


class _Range(msgspec.Struct, frozen=True):
    first_8: int
    count_8: int

    def address(self, net: int, host: int) -> int:
        net %= self.count_8 * _NETS_IN_8
        return (self.first_8 << 24) + (net << 8) + 1 + host % _HOSTS


_HOMES: Final = _Range(HOMES.first >> 16, HOMES.nets >> 16)
HOSTING: Final = _Range(100, 50)
ABROAD: Final = _Range(150, 50)


class Nets(msgspec.Struct, frozen=True):
    """The addresses of one campaign's `bots`."""

    salt: int
    bots: int

    def hosted(self, bot: int) -> int:
        """In a data centre: as few /24s as 200 bots in each leave, and no fewer than four."""
        nets = max(_FEW, -(-self.bots // _DENSE))
        return HOSTING.address(self.salt + bot % nets, bot // nets)

    def residential(self, bot: int, *, is_next_door: bool) -> int:
        """On somebody's line: in a /24 of its own until a range has no more of them, then a second one in each."""
        where = _HOMES if is_next_door else ABROAD
        net = self.salt + bot * _STRIDE
        return where.address(net, mixed(self.salt, bot))
