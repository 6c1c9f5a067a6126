"""Made-up sessions of people and of programs, from which the bot score's weights are fitted.

There is no labelled log that may be shipped, so weights come from families of behaviour
written down here: each is a handful of habits with a spread of its own, and some families
are held out of the fit to see whether the weights carry over. People's dwell times follow
Liu, White and Dumais (SIGIR 2010), revisits Tauscher and Greenberg (1997) and Obendorf et
al. (CHI 2007): about four page views in ten are returns, a good part of them by the back
button and never seen by the server. Everything is drawn from one seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tidegate.core.score.observed import Observed

AGENTS = ("chrome", "firefox", "safari", "edge", "chrome", "chrome", "samsung")


@dataclass
class Log:
    """A log of one site: what it writes down, and what pages there are."""

    dice: random.Random
    whole_seconds: bool = True
    fields: frozenset[str] = frozenset({"ua", "referrer", "assets", "bytes", "favicon"})
    pages: list[str] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    echo: str = ""
    """What looks like a page and is asked for by each page's script."""

    def __post_init__(self) -> None:
        """Build the site."""
        dice = self.dice
        count = int(dice.choice((12, 25, 40, 60, 60, 100, 200, 400)) * dice.uniform(0.8, 1.3))
        form = dice.choice(
            ("/wiki/{word}", "/index.php/{word}", "/blog/{n}", "/item?id={n}", "/docs/{word}/", "/{word}.html")
        )
        self.pages = ["/"] + [
            form.format(word=f"{dice.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{dice.getrandbits(32):x}", n=1000 + place)
            for place in range(count)
        ]
        middle = dice.uniform(8, 11)
        self.sizes = {page: math.exp(dice.gauss(middle, 0.8)) for page in self.pages}
        menu = [dice.choice(self.pages) for _ in range(dice.randint(0, 8))]
        for page in self.pages:
            near = [dice.choice(self.pages) for _ in range(dice.randint(2, 12))]
            popular = [self.pages[min(count, int(dice.paretovariate(0.6)))] for _ in range(3)]
            self.links[page] = [link for link in (*menu, *near, *popular) if link != page] or ["/"]
            self.images[page] = [
                f"/img/{dice.getrandbits(40):x}.jpg" for _ in range(min(30, int(dice.paretovariate(1.0)) - 1))
            ]
        self.shared = [f"/static/{n}.{dice.choice(('css', 'js', 'js', 'png'))}" for n in range(dice.randint(2, 18))]


@dataclass
class Habits:
    """How one client goes about a site."""

    pause: Callable[[float], float]
    """Seconds on a page, told how much longer than usual it is."""
    length: int
    agent: str = "chrome"
    assets: float = 1.0
    """Share of what belongs to a page that is fetched."""
    is_caching: bool = True
    is_returning: bool = False
    favicon: float = 0.7
    back: float = 0.0
    back_seen: float = 0.5
    by_menu: float = 0.0
    """How much popular pages are preferred."""
    referrer: float = 1.0
    """Share of pages that are reached by a click."""
    tabs: float = 0.0
    reload: float = 0.0
    wrong: float = 0.0
    heads: float = 0.0
    plan: list[str] | None = None
    robots: bool = False
    breaks: float = 0.0


def visit(log: Log, name: str, habits: Habits) -> list[Observed]:
    """The requests of one session."""
    dice, events = log.dice, list[Observed]()
    now = 1_780_000_000 + dice.uniform(0, 86_400)
    cached = set(log.shared) if habits.is_returning else set[str]()
    trail: list[str] = []
    page = "/" if dice.random() < 0.6 else dice.choice(log.pages)
    typical = sorted(log.sizes.values())[len(log.pages) // 2]

    def add(path: str, route: str, size: float, **more: Any) -> None:
        at = math.floor(now) if log.whole_seconds else now
        known: dict[str, Any] = {"ua": habits.agent, "referrer": more.get("referrer"), "bytes_out": size}
        kept: dict[str, Any] = {key: value for key, value in known.items() if key.removesuffix("_out") in log.fields}
        events.append(
            Observed(
                t=at,
                kind="request",
                sess=name,
                src="s" + name,
                route=route,
                path=path,
                method=more.get("method", "GET"),
                status=more.get("status", 200),
                **kept,
            )
        )

    if habits.robots:
        add("/robots.txt", "other", 100)
    for step in range(habits.length):
        if habits.plan is not None:
            page = habits.plan[step % len(habits.plan)]
        referrer = (
            "same"
            if trail and dice.random() < habits.referrer
            else "none"
            if trail
            else dice.choice(("none", "search"))
        )
        missing = dice.random() < habits.wrong
        add(
            page if not missing else page + "x",
            "page",
            500 if missing else log.sizes[page],
            referrer=referrer,
            status=404 if missing else 200,
            method="HEAD" if dice.random() < habits.heads else "GET",
        )
        if "assets" in log.fields and not missing:
            for part, is_known in _parts(log, habits, page, cached, is_first=step == 0):
                now += dice.expovariate(25)
                add(
                    part,
                    "asset",
                    0 if is_known else dice.lognormvariate(9, 1),
                    referrer="same",
                    status=304 if is_known else 200,
                )
        if log.echo and habits.assets and not missing:
            now += dice.uniform(0.05, 0.9)
            add(log.echo, "page", 200, referrer="same")
        trail.append(page)
        if dice.random() < habits.tabs:
            now += dice.uniform(0.8, 3)
        else:
            now += habits.pause(log.sizes[page] / typical)
        if dice.random() < habits.breaks:
            now += dice.uniform(300, 2400)
        page = _next(log, habits, trail)
    return events


def _parts(log: Log, habits: Habits, page: str, cached: set[str], *, is_first: bool) -> Iterator[tuple[str, bool]]:
    """What is asked for of what belongs to a page, and whether the answer is that nothing changed."""
    dice = log.dice
    parts = [part for part in (*log.shared, *log.images[page]) if dice.random() < habits.assets]
    if is_first and habits.assets and "favicon" in log.fields and dice.random() < habits.favicon:
        parts.append("/favicon.ico")
    for part in parts:
        if part in cached and habits.is_caching and dice.random() < 0.97:
            continue
        yield part, part in cached and dice.random() < 0.5
        cached.add(part)


def _next(log: Log, habits: Habits, trail: list[str]) -> str:
    dice = log.dice
    if dice.random() < habits.reload:
        return trail[-1]
    if len(trail) > 1 and dice.random() < habits.back:
        before = trail[-2] if dice.random() < 0.7 else dice.choice(trail)
        if dice.random() < habits.back_seen:
            return before
        return dice.choice(log.links[before])
    links = log.links[trail[-1]]
    if dice.random() < habits.by_menu:
        return links[min(len(links) - 1, int(dice.expovariate(0.5)))]
    return dice.choice(links)


def reading(
    dice: random.Random, scale_s: float, shape: float, by_size: float, quick: float
) -> Callable[[float], float]:
    """A person's dwell: mostly quick looks, a long tail, longer where there is more."""

    def pause(size: float) -> float:
        if dice.random() < quick:
            return dice.uniform(1.0, 4.0)
        return 0.8 + dice.weibullvariate(scale_s, shape) * float(size**by_size)

    return pause


def person(dice: random.Random, **more: Any) -> Habits:
    """A person of no special habits."""
    base = Habits(
        pause=reading(
            dice,
            math.exp(dice.gauss(3.2, 0.6)),
            dice.uniform(0.55, 1.0),
            dice.uniform(0.0, 0.5),
            dice.uniform(0.05, 0.35),
        ),
        length=max(1, int(math.exp(dice.gauss(2.3, 1.0)))),
        agent=dice.choice(AGENTS),
        back=dice.uniform(0.15, 0.5),
        back_seen=dice.uniform(0.2, 0.8),
        by_menu=dice.uniform(0.2, 0.8),
        referrer=dice.uniform(0.85, 1.0),
        tabs=dice.choice((0.0, 0.0, dice.uniform(0, 0.4))),
        reload=dice.uniform(0, 0.06),
        wrong=dice.choice((0, 0, 0.01, 0.03)),
        is_returning=dice.random() < 0.35,
        favicon=dice.uniform(0.4, 0.95),
        breaks=dice.uniform(0, 0.04),
    )
    if base.is_returning:
        base.favicon *= 0.3
    return replace(base, **more)


def machine(dice: random.Random, pause: Callable[[float], float], **more: Any) -> Habits:
    """A program with these pauses, otherwise what a real browser without a person does."""
    base = Habits(
        pause=pause,
        length=max(4, int(math.exp(dice.gauss(3.0, 0.9)))),
        agent=dice.choice(AGENTS),
        favicon=dice.choice((0.05, 0.3, 0.8)),
        by_menu=dice.choice((0.0, 0.0, 0.5)),
        referrer=dice.choice((0.0, 0.5, 1.0, 1.0)),
        back=dice.choice((0.0, 0.0, 0.1, 0.25)),
        is_caching=dice.random() < 0.75,
    )
    return replace(base, **more)


def drawn(dice: random.Random, kind: str) -> Callable[[float], float]:
    """Pauses as programs draw them."""
    low = math.exp(dice.uniform(-0.5, 2.3))
    high = low * dice.uniform(1.3, 6)
    middle, shape = math.exp(dice.uniform(0.7, 3.2)), dice.uniform(0.15, 0.6)
    return {
        "none": lambda _: dice.uniform(0.01, 0.3),
        "fixed": lambda _: middle + dice.uniform(0, 0.2),
        "uniform": lambda _: dice.uniform(low, high),
        "gauss": lambda _: max(0.5, dice.gauss(middle, middle * shape * 0.7)),
        "lognormal": lambda _: dice.lognormvariate(math.log(middle), shape),
        "exponential": lambda _: low * 0.3 + dice.expovariate(1 / middle),
        "choices": lambda _: dice.choice((low, middle, high)) + dice.uniform(0, 0.3),
        "scrolls": lambda size: sum(dice.uniform(0.4, 1.6) for _ in range(2 + int(3 * min(3.0, size)))),
        "human": lambda _: 0.8 + dice.weibullvariate(middle * 2, dice.uniform(0.75, 1.0)),
    }[kind]


def _tool(dice: random.Random) -> str:
    return dice.choice(
        ("python-requests", "curl", "scrapy", "go-http-client", "", "chrome", "chrome", "firefox", "safari")
    )


def _crawler(dice: random.Random, log: Log, pause: str, **more: Any) -> Habits:
    plan = list(log.pages)
    if dice.random() < 0.6:
        dice.shuffle(plan)
    given: dict[str, Any] = {
        "agent": _tool(dice),
        "assets": 0.0,
        "plan": plan,
        "referrer": dice.choice((0.0, 0.0, 1.0)),
        "wrong": dice.choice((0, 0, 0.05, 0.2)),
        "robots": dice.random() < 0.15,
    }
    return machine(dice, drawn(dice, pause), **(given | more))


def _replayed(dice: random.Random) -> Habits:
    habits = person(dice, length=dice.randint(8, 60))
    known = [habits.pause(dice.lognormvariate(0, 0.6)) for _ in range(6)]
    return replace(
        habits,
        pause=lambda _: dice.choice(known) * dice.uniform(0.97, 1.03),
        back=0.1,
        is_returning=False,
        favicon=0.1,
        referrer=dice.choice((0.0, 1.0)),
    )


Family = Callable[[random.Random, Log], Habits]

PEOPLE: dict[str, Family] = {
    "reader": lambda dice, _: person(dice, tabs=0.0),
    "skimmer": lambda dice, _: person(dice, pause=reading(dice, dice.uniform(4, 12), 0.9, 0.1, 0.4)),
    "returning": lambda dice, _: person(dice, is_returning=True, favicon=0.05),
    "tab opener": lambda dice, _: person(dice, tabs=dice.uniform(0.3, 0.6), back=0.4),
    "thorough": lambda dice, _: person(dice, length=dice.randint(30, 160), breaks=dice.uniform(0.02, 0.08)),
    "phone": lambda dice, _: person(
        dice, length=dice.randint(2, 12), breaks=0.1, agent=dice.choice(("safari", "chrome", "samsung"))
    ),
    "seeker": lambda dice, _: person(
        dice, back=dice.uniform(0.4, 0.6), back_seen=0.9, pause=reading(dice, 12, 0.7, 0.3, 0.3)
    ),
    "private": lambda dice, _: person(dice, referrer=0.0, favicon=0.2, assets=dice.uniform(0.3, 0.9)),
    "slow": lambda dice, _: person(
        dice, pause=reading(dice, dice.uniform(60, 150), 0.9, 0.4, 0.05), length=dice.randint(4, 25)
    ),
}
MODERATE: dict[str, Family] = {
    "scraper": lambda dice, log: _crawler(dice, log, "none"),
    "polite scraper": lambda dice, log: _crawler(dice, log, "fixed"),
    "jittered scraper": lambda dice, log: _crawler(dice, log, "uniform"),
    "walker": lambda dice, log: _crawler(dice, log, dice.choice(("none", "uniform")), plan=None),
    "link checker": lambda dice, log: _crawler(dice, log, "none", heads=dice.uniform(0.4, 1.0)),
    "poller": lambda dice, log: _crawler(dice, log, "fixed", plan=[dice.choice(log.pages)]),
    "mirror": lambda dice, log: _crawler(dice, log, "none", assets=1.0, is_caching=True, favicon=0.3),
    "counter": lambda dice, log: _crawler(dice, log, dice.choice(("fixed", "lognormal")), plan=log.pages),
    "headless": lambda dice, _: machine(
        dice, drawn(dice, dice.choice(("fixed", "none"))), agent=dice.choice(("headless-chrome", "chrome"))
    ),
}
ADVANCED: dict[str, Family] = {
    "uniform": lambda dice, _: machine(dice, drawn(dice, "uniform")),
    "gauss": lambda dice, _: machine(dice, drawn(dice, "gauss")),
    "lognormal": lambda dice, _: machine(dice, drawn(dice, "lognormal")),
    "lister": lambda dice, log: machine(
        dice, drawn(dice, dice.choice(("uniform", "gauss"))), plan=dice.sample(log.pages, len(log.pages)), referrer=0.0
    ),
    "exponential": lambda dice, _: machine(dice, drawn(dice, "exponential")),
    "choices": lambda dice, _: machine(dice, drawn(dice, "choices")),
    "scroller": lambda dice, _: machine(dice, drawn(dice, "scrolls")),
    "human pauses": lambda dice, _: machine(dice, drawn(dice, "human"), back=dice.choice((0.0, 0.1))),
    "replayed": lambda dice, _: _replayed(dice),
}
HELD_OUT = frozenset(
    {
        "seeker",
        "private",
        "slow",
        "mirror",
        "counter",
        "walker",
        "exponential",
        "choices",
        "scroller",
        "human pauses",
        "replayed",
    }
)


def new_log(dice: random.Random) -> Log:
    """A site whose log has most, not all, of what one can write down."""
    likely = {"ua": 0.6, "referrer": 0.6, "assets": 0.9, "bytes": 0.85, "favicon": 0.9}
    fields = frozenset(name for name, chance in likely.items() if dice.random() < chance)
    echo = "/pulse" if dice.random() < 0.2 else ""
    return Log(dice, whole_seconds=dice.random() < 0.75, fields=fields, echo=echo)


def web_logs(dice: random.Random, logs: int, per_family: int) -> Iterator[tuple[str, str, str, list[Observed]]]:
    """Give (log, family, truth, events) of every family on several sites."""
    for number in range(logs):
        log = new_log(dice)
        for truth, families in (("human", PEOPLE), ("moderate", MODERATE), ("advanced", ADVANCED)):
            for family, make in families.items():
                # People are as many as programs in all: nine families against eighteen.
                for _ in range(per_family * (2 if truth == "human" else 1)):
                    name = f"{dice.getrandbits(48):012x}"
                    yield str(number), family, truth, visit(log, name, make(dice, log))
