"""How a campaign of a family may be run: variants a, b and c to build against, and held-out ones to judge by.

**Nobody tunes on a variant whose name begins with `held-`**: no threshold, weight or rule of the service is chosen by
what it does to them. They differ in kind from the others, not in strength. Who needs another to build against adds
one here and raises FAMILIES_VERSION.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.lab.scenario import Attack, Family, ScenarioError

FAMILIES_VERSION: Final = 1
"""Rises whenever what any family does changes: figures of different versions say nothing of each other."""

HELD_OUT: Final = "held-"


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant changes of what its family does.

    `rate` is what is left of the family's rate. The campaign is on for `on_s`, then off for `off_s`, again and again
    (0: always on); it takes `ramp_part` of its time to come to its full rate. With `is_same` all prompts and names are
    one to the letter, or nearly. `is_rotating`: whoever acts changes address and program between any two acts.
    `is_mixed`: each has a mimicry of its own, from 0 to 1. `visit_part` is what is left of the acts of one visit.
    `is_recruiting`: visits begin with signing up.
    """

    rate: float = 1.0
    on_s: float = 0.0
    off_s: float = 0.0
    ramp_part: float = 0.0
    is_same: bool = False
    is_rotating: bool = False
    is_mixed: bool = False
    visit_part: float = 1.0
    is_recruiting: bool = False

    def off_left_s(self, since_s: float) -> float:
        """How long it stays off, so long after the campaign began; 0 where it is on."""
        if not self.on_s:
            return 0.0
        into_s = since_s % (self.on_s + self.off_s)
        return self.on_s + self.off_s - into_s if into_s >= self.on_s else 0.0

    def strength(self, since_s: float, whole_s: float) -> float:
        """The part of the full rate, 0 to 1, so long after a campaign that lasts `whole_s` began."""
        if self.off_left_s(since_s):
            return 0.0
        ramp_s = self.ramp_part * whole_s
        return min(1.0, since_s / ramp_s) if ramp_s else 1.0


_ALL: Final = {
    "a": Manner(),
    "b": Manner(is_same=True),
    "c": Manner(ramp_part=1 / 3),
    "held-pulse": Manner(on_s=300.0, off_s=300.0),
    "held-lowslow": Manner(rate=0.2, visit_part=0.0),
    "held-rotate": Manner(is_rotating=True),
    "held-mixed": Manner(is_mixed=True),
}
_RECRUITS: Final = {"held-recruit": Manner(is_recruiting=True)}

_MANNERS: Final[dict[Family, dict[str, Manner]]] = {
    family: _ALL | (_RECRUITS if family in {Family.PROMPT_RECON, Family.JAILBREAK, Family.EXPENSIVE_QUERIES} else {})
    for family in Family
}

VARIANTS: Final[dict[Family, tuple[str, ...]]] = {family: tuple(manners) for family, manners in _MANNERS.items()}
"""The variants of each family, in the order of the docs."""


def is_held_out(variant: str) -> bool:
    """Whether a variant is for judging alone."""
    return variant.startswith(HELD_OUT)


def manner_of(attack: Attack, number: int) -> Manner:
    """How attack `number` of a scenario is run. Raises ScenarioError where its family has no such variant."""
    manner = _MANNERS[attack.family].get(attack.variant)
    if manner is None:
        known = ", ".join(VARIANTS[attack.family])
        msg = f"attack[{number}].variant: {attack.family.value} has {known}; not {attack.variant!r}"
        raise ScenarioError(msg)
    return manner
