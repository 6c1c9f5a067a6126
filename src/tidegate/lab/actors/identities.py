"""Who people are: identity number i of N, drawn from the number alone.

Nothing is remembered of anybody, so a million of them cost nothing until they come; and equal
numbers are equal people. The lower numbers come seldom, the higher often: how often follows a
lognormal distribution (ACTIVITY), cut into `size` equal parts. With it, drawing who comes next is
one normal deviate: whoever has come was drawn from the same distribution, biased by how often they
come, which for a lognormal one is the same, moved by its sigma squared.
"""

from __future__ import annotations

import math
from bisect import bisect
from functools import partial
from hashlib import blake2b
from itertools import accumulate
from random import Random
from statistics import NormalDist
from typing import Final, NamedTuple

from tidegate.lab.actors.addresses import PEOPLE, PROGRAMS, Country, Mix, block_of, country_of
from tidegate.lab.actors.dice import salt
from tidegate.lab.acts import Group, NetKind, Who

ACTIVITY: Final = 1.0
"""Sigma of how often people come: 1 is a Gini coefficient of 0.52. Assumed. Tenants of an API differ far more."""

_SPEAKS_OTHERWISE: Final = 0.12
"""The part of people who have English set where it is not the country's language. Assumed."""

_NORMAL: Final = NormalDist()
_ROOT_2: Final = math.sqrt(2.0)
_OF_65536: Final = 1 << 16


class _Table(NamedTuple):
    """Names and up to which of 65,536 each goes."""

    names: tuple[str, ...]
    up_to: tuple[int, ...]

    def pick(self, drawn: int) -> str:
        return self.names[min(bisect(self.up_to, drawn), len(self.names) - 1)]


def _table(parts: dict[str, float]) -> _Table:
    return _Table(tuple(parts), tuple(int(up_to * _OF_65536) for up_to in accumulate(parts.values())))


DESKS: Final = _table({"chrome": 0.65, "edge": 0.13, "safari": 0.10, "firefox": 0.07, "opera": 0.05})
POCKETS: Final = _table({"chrome": 0.64, "safari": 0.27, "samsung": 0.05, "firefox": 0.02, "opera": 0.02})
TOOLS: Final = _table(
    {
        "python-openai": 0.50,
        "openai-js": 0.15,
        "anthropic": 0.05,
        "python-httpx": 0.10,
        "python-requests": 0.05,
        "axios": 0.05,
        "curl": 0.05,
        "go-http-client": 0.05,
    }
)
"""What programs call themselves. All three are assumed; the browsers' parts are near what StatCounter counts.

Attackers' programs (attackers/seats.py) are among them: a name alone tells nobody.
"""


class Region(NamedTuple):
    """Where a population lives, if not everywhere: one country, and networks of its own from `shift` on."""

    country: Country
    mix: Mix
    shift: int


class Population:
    """`size` people of one group. Equal arguments make equal people, whatever else is in the scenario."""

    def __init__(
        self,
        size: int,
        group: Group,
        seed: int,
        *,
        name: str = "",
        programs: float = 0.0,
        family: str = "",
        region: Region | None = None,
    ) -> None:
        """`name` begins theirs. `programs` is the part of them that are programs; `family` an oddity's or empty.

        Raises ValueError for less than one.
        """
        if size < 1:
            msg = f"size: expected at least 1, not {size}"
            raise ValueError(msg)
        self.size = size
        self.name = name or group.value
        self._group = group
        self._has_account = group is not Group.ANONYMOUS
        self._programs = int(programs * _OF_65536)
        self._counts = size * (1.0 - programs), size * programs
        self._family = family
        self._region = region
        self._draw = partial(blake2b, key=salt(seed, "population", self.name), digest_size=16)

    def who(self, number: int) -> Who:
        """Identity `number`. Raises IndexError where there is none."""
        if not 0 <= number < self.size:
            msg = f"there are {self.size} {self.name}: none is number {number}"
            raise IndexError(msg)
        drawn = int.from_bytes(self._draw(number.to_bytes(8)).digest())
        is_program = drawn & 0xFFFF < self._programs
        region = self._region
        mix = PROGRAMS if is_program else PEOPLE if region is None else region.mix
        block, part = block_of(drawn >> 16 & 0xFFFF, mix)
        living = int(self._counts[is_program] * part)
        address = block.address(drawn >> 32 & 0xFFFF_FFFF, living, 0 if region is None else region.shift)
        country = country_of(address >> 8) if region is None else region.country
        agents = TOOLS if is_program else POCKETS if block.kind is NetKind.MOBILE else DESKS
        return Who(
            name=name_of(self.name, number),
            group=self._group,
            address=address,
            has_account=self._has_account,
            family=self._family,
            country=country.code,
            lang="en" if drawn >> 96 & 0xFFFF < _SPEAKS_OTHERWISE * _OF_65536 else country.lang,
            net_kind=block.kind,
            agent=agents.pick(drawn >> 64 & 0xFFFF),
            is_program=is_program,
        )

    def next(self, dice: Random) -> int:
        """The number of who comes next: each as often as `part` says."""
        place = 0.5 * math.erfc(-(dice.gauss(0.0, 1.0) + ACTIVITY) / _ROOT_2)
        return min(int(place * self.size), self.size - 1)

    def part(self, number: int) -> float:
        """The part of all sessions that is this one's; over everybody it comes to 1."""
        return _mass((number + 1) / self.size) - _mass(number / self.size)


def name_of(population: str, number: int) -> str:
    """What identity `number` is called: a group's names are known without drawing anybody."""
    return f"{population}-{number}"


def _mass(place: float) -> float:
    """The part of sessions of those up to that place, the Lorenz curve of a lognormal distribution."""
    if not 0.0 < place < 1.0:
        return place
    return _NORMAL.cdf(_NORMAL.inv_cdf(place) - ACTIVITY)
