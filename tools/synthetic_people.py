"""Made-up people at a web site, for tools/synthetic_sessions.py.

Dwell times follow Liu, White and Dumais (SIGIR 2010: mostly quick looks, a long tail,
Weibull with a shape below one) and, as others found, lognormals with a spread from 0.7 to
1.5; revisits Tauscher and Greenberg (1997) and Obendorf et al. (CHI 2007): about four page
views in ten are returns, a good part of them by the back button and never seen by the
server. A log's people share its task and its tempo, and differ from one another.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tools.synthetic_sessions import AGENTS, Habits
from tools.synthetic_sites import Site


@dataclass(frozen=True)
class Crowd:
    """What the people of one log have in common."""

    tempo: float
    """Logarithm of how much slower than usual they are."""
    length: float
    """Mean logarithm of how many pages they see."""
    steady: float
    """What their pauses' spread is multiplied with: who has a task is steadier."""
    returning: float
    campus: tuple[str, ...]
    """Addresses that many of them share; empty where each has one of their own."""


def new_crowd(dice: random.Random) -> Crowd:
    """People of one log."""
    shared = tuple(f"campus{place}" for place in range(dice.randint(1, 4))) if dice.random() < 0.2 else ()
    return Crowd(
        tempo=dice.gauss(0, 0.4),
        length=dice.uniform(1.5, 3.0),
        steady=dice.choice((1.0, 1.0, 0.85)),
        returning=dice.choice((0.0, 0.1, 0.35, 0.6)),
        campus=shared,
    )


def reading(
    dice: random.Random, crowd: Crowd, scale_s: float = 0.0, spread: float = 0.0, quick: float | None = None
) -> Callable[[float], float]:
    """A person's dwell: mostly quick looks, a long tail, longer where there is more, and moods that last a while."""
    middle = (scale_s or math.exp(dice.gauss(2.7, 0.6))) * math.exp(crowd.tempo)
    sigma = (spread or dice.uniform(0.7, 1.4)) * crowd.steady
    shape = dice.uniform(0.55, 1.1) / crowd.steady
    is_weibull, by_size = dice.random() < 0.4, dice.uniform(0.0, 0.5)
    at_once = dice.uniform(0.0, 0.3) if quick is None else quick
    swings, mood = dice.choice((0.0, 0.2, 0.4)), [0.0]
    idle = dice.uniform(0.0, 0.04)

    def pause(size: float) -> float:
        mood[0] = 0.8 * mood[0] + swings * dice.gauss(0, 1)
        if dice.random() < at_once:
            return dice.uniform(0.8, 4.0)
        if dice.random() < idle:
            return dice.uniform(60, 1200)
        drawn = dice.weibullvariate(middle * 1.4, shape) if is_weibull else dice.lognormvariate(math.log(middle), sigma)
        return 0.6 + drawn * float(size**by_size) * math.exp(mood[0])

    return pause


def person(dice: random.Random, crowd: Crowd, **more: Any) -> Habits:
    """A person of no special habits."""
    base = Habits(
        pause=more.pop("pause", None) or reading(dice, crowd),
        length=max(1, int(math.exp(dice.gauss(crowd.length, 0.9)))),
        agent=dice.choice(AGENTS),
        sources=(dice.choice(crowd.campus),) if crowd.campus else (),
        back=dice.uniform(0.1, 0.5),
        back_seen=dice.uniform(0.1, 0.8),
        hub=dice.choice((0.0, 0.05, 0.2)),
        by_menu=dice.uniform(0.1, 0.8),
        taste=dice.choice((0, dice.getrandbits(30))),
        jumps=dice.choice((0.0, 0.03, 0.1)),
        referrer=dice.uniform(0.9, 1.0),
        tabs=dice.choice((0.0, 0.0, dice.uniform(0, 0.4))),
        reload=dice.uniform(0, 0.05),
        wrong=dice.choice((0, 0, 0, 0.01, 0.03)),
        is_returning=dice.random() < crowd.returning,
        favicon=dice.uniform(0.4, 0.95),
        breaks=dice.uniform(0, 0.04),
    )
    if base.is_returning:
        base.favicon *= 0.3
    return replace(base, **more)


Maker = Callable[[random.Random, Crowd, Site], Habits]

PEOPLE: dict[str, Maker] = {
    "reader": lambda dice, crowd, _: person(dice, crowd, tabs=0.0),
    "skimmer": lambda dice, crowd, _: person(dice, crowd, pause=reading(dice, crowd, dice.uniform(3, 9), quick=0.4)),
    "looker": lambda dice, crowd, _: person(dice, crowd, length=dice.randint(1, 4)),
    "returning": lambda dice, crowd, _: person(dice, crowd, is_returning=True, favicon=0.05),
    "tab opener": lambda dice, crowd, _: person(dice, crowd, tabs=dice.uniform(0.3, 0.6), back=0.4),
    "idle tabs": lambda dice, crowd, _: person(dice, crowd, breaks=dice.uniform(0.1, 0.3), tabs=0.15),
    "thorough": lambda dice, crowd, _: person(
        dice, crowd, length=dice.randint(30, 140), breaks=dice.uniform(0.01, 0.06)
    ),
    "phone": lambda dice, crowd, _: person(
        dice, crowd, length=dice.randint(2, 12), breaks=0.1, agent=dice.choice(("safari", "chrome", "samsung")),
        sources=tuple(f"m{dice.getrandbits(20)}" for _ in range(dice.choice((1, 1, 2)))),
    ),
    "seeker": lambda dice, crowd, _: person(
        dice, crowd, back=dice.uniform(0.4, 0.6), back_seen=0.9, hub=0.3, jumps=0.15,
        pause=reading(dice, crowd, 9, quick=0.3),
    ),
    "private": lambda dice, crowd, _: person(
        dice, crowd, referrer=0.0, favicon=0.2, assets=dice.uniform(0.2, 0.9), runs_scripts=False
    ),
    "clicker": lambda dice, crowd, _: person(
        dice, crowd, pause=reading(dice, crowd, dice.uniform(1.2, 3), quick=0.5), length=dice.randint(4, 30)
    ),
    "slow": lambda dice, crowd, _: person(
        dice, crowd, pause=reading(dice, crowd, dice.uniform(50, 120), 0.9, 0.05), length=dice.randint(4, 25)
    ),
    "tasked": lambda dice, crowd, _: person(
        dice, crowd, pause=reading(dice, crowd, spread=dice.uniform(0.6, 0.9), quick=0.05), hub=0.25
    ),
}  # fmt: skip
