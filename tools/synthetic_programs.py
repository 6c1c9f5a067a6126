"""Made-up programs at a web site, for tools/synthetic_sessions.py: one script each, which comes many times.

Moderate ones are scripts, and browsers that a script drives without disguise. Advanced ones
are real browsers that fetch all that belongs to a page, come from several addresses and
pause in some way that was thought to be people's.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tools.synthetic_people import Crowd, new_crowd, person, reading
from tools.synthetic_sessions import AGENTS, Habits
from tools.synthetic_sites import Site

Script = Callable[[random.Random], Habits]
"""One visit of one script."""


def lengths(dice: random.Random) -> Callable[[random.Random], dict[str, Any]]:
    """How many pages a script takes on each visit."""
    middle = max(5, int(math.exp(dice.gauss(2.9, 0.7))))
    lasts_s = middle * dice.uniform(5, 20)
    return dice.choice((
        lambda _: {"length": middle},
        lambda one: {"length": one.randint(max(2, int(middle * 0.7)), int(middle * 1.3))},
        lambda one: {"length": one.randint(max(2, middle // 3), middle * 2)},
        lambda one: {"length": 3 + int(one.expovariate(1 / middle))},
        lambda _: {"length": 300, "lasts_s": lasts_s},
    ))  # fmt: skip


def drawn(dice: random.Random, kind: str) -> Callable[[random.Random], Callable[[float], float]]:
    """Pauses as programs draw them: numbers of the script, then the dice of one visit."""
    low = math.exp(dice.uniform(-0.5, 2.3))
    high = low * dice.uniform(1.3, 8)
    middle, shape = math.exp(dice.uniform(0.7, 3.2)), dice.uniform(0.15, 0.6)
    loads = dice.uniform(0.1, 2.0)
    known = [reading(dice, new_crowd(dice))(dice.lognormvariate(0, 0.6)) for _ in range(dice.choice((6, 20, 80)))]
    rare = dice.uniform(0.02, 0.12)
    kinds: dict[str, Callable[[random.Random], Callable[[float], float]]] = {
        "none": lambda one: lambda _: one.uniform(0.01, 0.3),
        "fixed": lambda one: lambda _: middle + one.uniform(0, 0.2),
        "uniform": lambda one: lambda _: one.uniform(low, high) + one.uniform(0, loads),
        "gauss": lambda one: lambda _: max(0.5, one.gauss(middle, middle * shape * 0.7)) + one.uniform(0, loads),
        "lognormal": lambda one: lambda _: one.lognormvariate(math.log(middle), shape),
        "wide": lambda one: lambda _: one.lognormvariate(math.log(middle), 0.5 + shape),
        "exponential": lambda one: lambda _: low * 0.3 + one.expovariate(1 / middle),
        "choices": lambda one: lambda _: one.choice((low, middle, high)) + one.uniform(0, 0.3),
        "scrolls": lambda one: lambda size: sum(one.uniform(0.4, 1.6) for _ in range(2 + int(3 * min(3.0, size)))),
        "moves": lambda one: lambda _: sum(one.uniform(0.2, low) for _ in range(one.randint(1, 5))) + loads,
        "two speeds": lambda one: lambda _: one.uniform(0.5, 2) if one.random() < 0.4 else one.uniform(low, high * 2),
        "breaks": lambda one: lambda _: one.uniform(low, high) * (one.uniform(5, 20) if one.random() < rare else 1),
        "human": lambda one: lambda _: 0.8 + one.weibullvariate(middle * 2, 0.6 + shape),
        "replayed": lambda one: lambda _: one.choice(known) * one.uniform(0.95, 1.05),
        "by length": lambda one: lambda size: 1 + middle * min(3.0, size) * one.uniform(0.7, 1.3),
    }
    return kinds[kind]


def browser(dice: random.Random, kind: str, **fixed: Any) -> Script:
    """A real browser without a person, with pauses of this kind."""
    pauses, how_long = drawn(dice, kind), lengths(dice)
    is_varied = dice.random() < 0.3
    sources = tuple(f"b{dice.getrandbits(20)}" for _ in range(dice.choice((1, 3, 10, 40, 40))))
    agents = (dice.choice(AGENTS),) if dice.random() < 0.7 else AGENTS
    changes = dice.random() < 0.2
    given: dict[str, Any] = {
        "favicon": dice.choice((0.05, 0.5, 0.95)),
        "by_menu": dice.choice((0.0, 0.0, 0.5)),
        "referrer": dice.choice((0.0, 1.0, 1.0, 1.0)),
        "back": dice.choice((0.0, 0.0, 0.1, 0.25)),
        "hub": dice.choice((0.0, 0.0, 0.1)),
        "back_seen": dice.choice((0.1, 0.8)),
        "is_caching": dice.random() < 0.8,
    } | fixed

    def come(one: random.Random) -> Habits:
        own = sources if changes else (one.choice(sources),)
        # Some take new numbers for each visit, so that no two are alike.
        pause, size = (drawn(one, kind)(one), lengths(one)(one)) if is_varied else (pauses(one), how_long(one))
        drawn_now: dict[str, Any] = {"pause": pause, "agent": one.choice(agents), "sources": own} | size | given
        return Habits(**drawn_now)

    return come


def crawler(dice: random.Random, site: Site, kind: str, **fixed: Any) -> Script:
    """A script that takes pages off a list, without what belongs to them."""
    plan = list(site.pages)
    is_shuffled = dice.random() < 0.6
    agent = dice.choice(
        ("python-requests", "curl", "scrapy", "go-http-client", "", "newsreader", "chrome", "chrome", "firefox")
    )
    given: dict[str, Any] = {
        "agent": agent,
        "assets": 0.0,
        "runs_scripts": False,
        "referrer": dice.choice((0.0, 0.0, 1.0)),
        "wrong": dice.choice((0, 0, 0.05, 0.2)),
        "robots": dice.random() < 0.15,
        "plan": plan,
    } | fixed
    come = browser(dice, kind)

    def crawl(one: random.Random) -> Habits:
        if is_shuffled:
            one.shuffle(plan)
        return replace(come(one), **given)

    return crawl


def copied(dice: random.Random, crowd: Crowd, site: Site) -> Script:
    """A person's way, pauses and all, gone again and again with a little jitter."""
    model = person(dice, crowd, length=dice.randint(8, 60))
    known = [model.pause(dice.lognormvariate(0, 0.6)) for _ in range(model.length)]
    plan = [dice.choice(site.pages[: dice.randint(5, 60)]) for _ in known]
    jitter = dice.choice((0.0, 0.03, 0.15))

    def come(one: random.Random) -> Habits:
        left = iter(known * 2)
        return replace(
            model,
            pause=lambda _: next(left, 5.0) * one.uniform(1 - jitter, 1 + jitter),
            plan=plan,
            is_returning=False,
            tabs=0.0,
            breaks=0.0,
        )

    return come


def walker(dice: random.Random, crowd: Crowd, **fixed: Any) -> Script:
    """A browser that walks and goes back as people do, and pauses nearly so."""
    pauses = drawn(dice, dice.choice(("wide", "human", "breaks", "two speeds")))
    how_long = lengths(dice)
    own = {"back": dice.uniform(0.1, 0.4), "back_seen": dice.uniform(0.2, 0.8), "by_menu": dice.choice((0.0, 0.5))}
    return lambda one: replace(
        person(one, crowd), pause=pauses(one), is_returning=False, tabs=0.0, taste=0, jumps=0.0, breaks=0.0,
        **(how_long(one) | own | fixed),
    )  # fmt: skip


Family = Callable[[random.Random, Crowd, Site], Script]

MODERATE: dict[str, Family] = {
    "scraper": lambda dice, _, site: crawler(dice, site, "none"),
    "polite scraper": lambda dice, _, site: crawler(dice, site, "fixed"),
    "jittered scraper": lambda dice, _, site: crawler(dice, site, "uniform"),
    "walking script": lambda dice, _, site: crawler(dice, site, dice.choice(("none", "uniform")), plan=None),
    "link checker": lambda dice, _, site: crawler(dice, site, "none", heads=dice.uniform(0.4, 1.0)),
    "poller": lambda dice, _, site: crawler(dice, site, "fixed", plan=[dice.choice(site.pages)]),
    "mirror": lambda dice, _, site: crawler(dice, site, "none", assets=1.0, favicon=0.3),
    "counter": lambda dice, _, site: crawler(dice, site, dice.choice(("fixed", "lognormal")), plan=site.pages),
    "fixed browser": lambda dice, _, __: browser(dice, "fixed"),
    "fast browser": lambda dice, _, __: browser(dice, "none"),
    "headless": lambda dice, _, __: browser(
        dice, dice.choice(("fixed", "uniform")), favicon=0.0, agent="headless-chrome"
    ),
    "own name": lambda dice, _, __: browser(
        dice, dice.choice(("fixed", "uniform", "gauss")), agent=dice.choice(("testrunner", "mycrawler", ""))
    ),
    "listed browser": lambda dice, _, site: browser(
        dice, dice.choice(("fixed", "uniform")), plan=dice.sample(site.pages, len(site.pages)), referrer=0.0
    ),
}  # fmt: skip
ADVANCED: dict[str, Family] = {
    **{
        name: lambda dice, _, __, kind=kind: browser(dice, kind)  # type: ignore[misc]  # mypy: defaults in lambdas
        for name, kind in (
            ("uniform", "uniform"), ("gauss", "gauss"), ("lognormal", "lognormal"), ("exponential", "exponential"),
            ("choices", "choices"), ("scroller", "scrolls"), ("mover", "moves"), ("two speeds", "two speeds"),
            ("breaks", "breaks"), ("human pauses", "human"), ("wide lognormal", "wide"), ("replayed", "replayed"),
            ("by length", "by length"),
        )
    },
    "lister": lambda dice, _, site: browser(
        dice, dice.choice(("uniform", "gauss")), plan=dice.sample(site.pages, len(site.pages)), referrer=0.0
    ),
    "walker": lambda dice, crowd, _: walker(dice, crowd),
    "copied": copied,
}  # fmt: skip
