"""Where people's addresses lie: homes, phones behind shared addresses, offices, VPN exits, machines that are rented.

All of it is arithmetic on a number that somebody's identity is drawn from, so that no address is
remembered. People of all groups live in the same networks: whoever attacks from a phone shares its
address with people who do not. The address space is cut into blocks of /24 networks:

    11.0.0.0   - 69.255.255.255    homes       PEOPLE_A_HOME_NET people of this service in a /24
    70.0.0.0   - 84.255.255.255    phones      PEOPLE_A_PHONE_ADDRESS behind one address (CGNAT)
    85.0.0.0   - 92.255.255.255    offices     PEOPLE_AN_OFFICE behind one address, a /24 each
    93.0.0.0   - 95.255.255.255    VPN exits   PEOPLE_A_VPN_EXIT behind one address
    96.0.0.0   - 99.255.255.255    hosting     programs, PROGRAMS_A_RACK_NET in a /24

The densities count people of this service only: behind an address of a phone network there are
hundreds who never heard of it (Cloudflare 2025: more than 100 devices; Richter et al., IMC 2016,
section 6). They are assumed. A country belongs to a /24, as it does in the databases.
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from typing import Final, NamedTuple

import msgspec

from tidegate.lab.acts import NetKind

PEOPLE_A_HOME_NET: Final = 3
PEOPLE_A_PHONE_ADDRESS: Final = 16
PEOPLE_AN_OFFICE: Final = 12
PEOPLE_A_VPN_EXIT: Final = 30
PROGRAMS_A_RACK_NET: Final = 6

_OF_65536: Final = 1 << 16
_HOSTS: Final = 254
_STRIDE: Final = 7_368_787
"""A prime that divides no block's size: neighbours in number lie far apart, and none is met twice."""


class Block(msgspec.Struct, frozen=True, gc=False):
    """So many /24 networks in a row: `first` and all that follow have numbers, an address's upper 24 bits.

    `people` share an address (`is_shared`: also a /24 has `addresses` such) or, where each has their own, a /24.
    """

    first: int
    nets: int
    kind: NetKind
    people: int
    addresses: int = 1
    is_shared: bool = False

    def net(self, number: int) -> int:
        """The /24 with that number, all different for different numbers below `nets`."""
        return self.first + number * _STRIDE % self.nets

    def address(self, drawn: int, of: int, shift: int = 0) -> int:
        """Where somebody is, of `of` people who live in this block. `drawn` are 32 random bits."""
        if not self.is_shared:
            net = self.net(shift + (drawn >> 8) % _at_least_one(of, self.people))
            return net << 8 | 1 + (drawn & 0xFF) % _HOSTS
        shared = (drawn >> 8) % _at_least_one(of, self.people)
        return self.net(shift + shared // self.addresses) << 8 | 1 + shared % self.addresses


def _at_least_one(of: int, people: int) -> int:
    return max(1, -(-of // people))


def _block(first: int, last: int, kind: NetKind, people: int, addresses: int = 0) -> Block:
    return Block(first << 16, (last - first + 1) << 16, kind, people, max(1, addresses), addresses > 0)


HOMES: Final = _block(11, 69, NetKind.RESIDENTIAL, PEOPLE_A_HOME_NET)
PHONES: Final = _block(70, 84, NetKind.MOBILE, PEOPLE_A_PHONE_ADDRESS, 16)
OFFICES: Final = _block(85, 92, NetKind.RESIDENTIAL, PEOPLE_AN_OFFICE, 1)
VPNS: Final = _block(93, 95, NetKind.VPN, PEOPLE_A_VPN_EXIT, 32)
RACKS: Final = _block(96, 99, NetKind.HOSTING, PROGRAMS_A_RACK_NET)


class Country(NamedTuple):
    """An ISO code, the part of people who are there, and the language that most of them have."""

    code: str
    part: float
    lang: str


COUNTRIES: Final = (
    Country("US", 0.22, "en"),
    Country("IN", 0.15, "en"),
    Country("BR", 0.07, "pt"),
    Country("CN", 0.07, "zh"),
    Country("DE", 0.06, "de"),
    Country("ID", 0.06, "id"),
    Country("GB", 0.05, "en"),
    Country("FR", 0.05, "fr"),
    Country("JP", 0.05, "ja"),
    Country("MX", 0.04, "es"),
    Country("ES", 0.03, "es"),
    Country("IT", 0.03, "it"),
    Country("KR", 0.03, "ko"),
    Country("PL", 0.03, "pl"),
    Country("TR", 0.03, "tr"),
    Country("NL", 0.03, "nl"),
)
"""Assumed: the order is about that of people on the internet who use such a service, the parts are round."""

_UP_TO: Final = tuple(accumulate(country.part for country in COUNTRIES))
_LANGS: Final = {country.code: country.lang for country in COUNTRIES}


def country_of(net: int) -> Country:
    """Where a /24 lies."""
    mixed = (net * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF) >> 32
    return COUNTRIES[min(bisect(_UP_TO, mixed / 2**32), len(COUNTRIES) - 1)]


class Mix(NamedTuple):
    """Which part of some people is where; the rest is at home."""

    phones: float
    offices: float
    vpns: float
    racks: float


PEOPLE: Final = Mix(0.30, 0.08, 0.03, 0.0)
"""Assumed. About half of all page views come from phones, of which more than half are on the Wi-Fi of a home."""

PROGRAMS: Final = Mix(0.0, 0.30, 0.02, 0.60)
"""Assumed: programs run on rented machines, or on somebody's desk."""


def block_of(drawn: int, mix: Mix) -> tuple[Block, float]:
    """The block of somebody, and the part of all who are there. `drawn` are 16 random bits."""
    left = drawn / _OF_65536
    for block, part in ((PHONES, mix.phones), (OFFICES, mix.offices), (VPNS, mix.vpns), (RACKS, mix.racks)):
        if left < part:
            return block, part
        left -= part
    return HOMES, 1.0 - sum(mix)
