"""Addresses that attackers sign up with: of a program's making, or as people write them.

Large waves give themselves away by disposable domains, names of one pattern, or names without any sense
(OWASP Automated Threats, OAT-019 Account Creation); who mimics well buys what passes for a person's. The words
and domains are made up, but for the disposable ones, which are on the list that the package carries.
"""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

from tidegate.lab.actors.visitors import PROVIDERS

DISPOSABLE: Final = ("mailinator.com", "yopmail.com", "guerrillamail.com", "sharklasers.com", "10minutemail.com")
_FIRST: Final = (
    *("anna", "ben", "carla", "david", "elena", "farid", "grace", "hugo", "ines", "jonas", "kaja", "liam", "maria"),
    *("noah", "olga", "paulo", "rosa", "samir", "tomas", "ursula", "victor", "wanda", "yusuf", "zoe"),
)
_LAST: Final = (
    *("adams", "baker", "costa", "dias", "evans", "fischer", "garcia", "hansen", "ito", "jensen", "kumar", "lopez"),
    *("moreau", "novak", "okafor", "petrov", "rossi", "silva", "tanaka", "vargas", "weber", "young"),
)
_WORDS: Final = ("river", "cloud", "stone", "maple", "delta", "comet", "ember", "harbor")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_RANDOM_LONG: Final = 12
_TEMPLATED: Final = 0.7  # Of a program's names; the others are random letters.


class Letter(msgspec.Struct, frozen=True):
    """An address by its facts. `family` is empty for a name that is like nobody else's."""

    local_part: str
    domain: str
    is_disposable: bool
    family: str


def address_of(dice: Random, fleet: str, *, is_human: bool, is_same: bool) -> Letter:
    """Another address. With `is_same` a program's names are all of one pattern."""
    if is_human:
        name = f"{dice.choice(_FIRST)}{dice.choice(('.', '_', ''))}{dice.choice(_LAST)}{dice.randrange(1, 2000)}"
        return Letter(name, dice.choice(PROVIDERS), is_disposable=False, family="")
    domain = dice.choice(DISPOSABLE)
    if is_same or dice.random() < _TEMPLATED:
        word = _WORDS[0] if is_same else dice.choice(_WORDS)
        return Letter(f"{word}{dice.randrange(10**6):06}", domain, is_disposable=True, family=f"{fleet}-{word}")
    name = "".join(dice.choice(_LETTERS) for _ in range(_RANDOM_LONG))
    return Letter(name, domain, is_disposable=True, family=f"{fleet}-random")
