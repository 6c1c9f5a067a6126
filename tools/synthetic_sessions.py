"""Made-up sessions at web sites, from which the bot score's weights are fitted: how any client goes about a site.

There is no labelled log that may be shipped, so weights come from families of behaviour
written down here: people's in tools/synthetic_people.py, programs' in
tools/synthetic_programs.py, sites and logs in tools/synthetic_sites.py. Everything is drawn
from one seed. A log has one site, its own crowd of people, and a few programs, each of them
one script that comes many times.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tidegate.core.score.observed import Observed
from tools.synthetic_sites import Site, Writing

AGENTS = ("chrome", "firefox", "safari", "edge", "chrome", "chrome", "samsung")


@dataclass
class Habits:
    """How one client goes about a site."""

    pause: Callable[[float], float]
    """Seconds on a page, told how much longer than usual it is."""
    length: int
    lasts_s: float = math.inf
    agent: str = "chrome"
    sources: tuple[str, ...] = ()
    assets: float = 1.0
    """Share of what belongs to a page that is fetched."""
    is_caching: bool = True
    is_returning: bool = False
    runs_scripts: bool = True
    favicon: float = 0.7
    back: float = 0.0
    """How often an earlier page is where it goes on from."""
    back_seen: float = 0.5
    """How often the server is asked for that earlier page again."""
    hub: float = 0.0
    by_menu: float = 0.0
    """How much popular pages are preferred."""
    taste: int = 0
    """Above nought: which few of a page's links interest at all."""
    jumps: float = 0.0
    """How often a page is come to from a search, a bookmark or a typed address."""
    referrer: float = 1.0
    """Share of pages that are told where they were reached from."""
    tabs: float = 0.0
    reload: float = 0.0
    wrong: float = 0.0
    heads: float = 0.0
    plan: list[str] | None = None
    start: str = ""
    robots: bool = False
    breaks: float = 0.0


@dataclass
class _Client:
    """One session while it is made up."""

    site: Site
    writing: Writing
    name: str
    habits: Habits
    dice: random.Random
    now: float
    events: list[Observed] = field(default_factory=list)
    cached: set[str] = field(default_factory=set)
    trail: list[str] = field(default_factory=list)

    def add(self, path: str, route: str, size: float, at: float | None = None, **more: Any) -> None:
        """Write one request down, as far as the log does."""
        fields, habits = self.writing.fields, self.habits
        if route == "asset" and "assets" not in fields:
            return
        source = "proxy" if self.writing.one_source else self.dice.choice(habits.sources or ("s" + self.name,))
        known: dict[str, Any] = {
            "ua": habits.agent,
            "bytes_out": round(size),
            "src": source,
            "status": 200,
            "route": route,
            "referrer": None,
            "referrer_path": None,
        } | more
        kept = {key: value for key, value in known.items() if key.removesuffix("_out") in {*fields, "method"}}
        t = self.now if at is None else at
        self.events.append(
            Observed(
                t=math.floor(t) if self.writing.whole_seconds else t,
                kind="request",
                sess=self.name,
                path=path,
                **({"method": "GET"} | kept),
            )
        )

    def open(self, page: str, came_from: str | None, *, is_first: bool) -> None:
        """Ask for a page and for what belongs to it."""
        site, dice, habits = self.site, self.dice, self.habits
        if came_from is None or dice.random() >= habits.referrer:
            came_from, known = None, dice.choice(("none", "search")) if is_first or habits.jumps else "none"
        else:
            known = "same"
        said: dict[str, Any] = {"referrer": known, "referrer_path": came_from}
        if dice.random() < site.forwards:
            self.add(page + "?go", "page", 0, status=302, **said)
        if dice.random() < habits.wrong:
            self.add(page + "x", "page", 500, status=404, **said)
            return
        same = page in self.cached and habits.is_caching and dice.random() < site.pages_asked
        method = "HEAD" if dice.random() < habits.heads else "GET"
        self.add(page, "page", 0 if same else site.sizes[page], status=304 if same else 200, method=method, **said)
        self.cached.add(page)
        for part, is_known in self._parts(page, is_first=is_first):
            self.now += dice.expovariate(25)
            size = 0 if is_known else dice.lognormvariate(9, 1)
            status = 304 if is_known else 200
            self.add(part, "asset", size, referrer="same", referrer_path=page, status=status)
        if habits.runs_scripts and site.prefetch and dice.random() < site.prefetch:
            self.now += dice.uniform(0.2, 1.0)
            ahead = dice.choice(site.links[page])
            self.add(ahead, "page", site.sizes[ahead], referrer="same", referrer_path=page)

    def _parts(self, page: str, *, is_first: bool) -> Iterator[tuple[str, bool]]:
        """What is asked for of what belongs to a page, and whether the answer is that nothing changed."""
        site, dice, habits = self.site, self.dice, self.habits
        parts = [part for part in (*site.shared, *site.images[page]) if dice.random() < habits.assets]
        if is_first and habits.assets and "favicon" in self.writing.fields and dice.random() < habits.favicon:
            parts.append("/favicon.ico")
        for part in parts:
            is_known = part in self.cached and habits.is_caching
            if is_known and site.caching == "kept" and dice.random() < 0.95:
                continue
            yield part, is_known and site.caching != "anew" and dice.random() < 0.9
            self.cached.add(part)

    def stay(self, page: str, pause_s: float) -> None:
        """Let time pass on a page; its scripts do not stop."""
        site = self.site
        if site.echo and self.habits.runs_scripts:
            said = {"method": site.echo_method, "referrer": "same", "referrer_path": page}
            route = "page" if site.kind != "docs" else "other"
            at = self.now + self.dice.uniform(0.05, 0.9)
            for _ in range(12 if site.beat_s else 1):
                if at > self.now + pause_s:
                    break
                self.add(site.echo, route, 200, at=at, **said)
                at += site.beat_s
        self.now += pause_s

    def next_page(self) -> tuple[str, str | None]:
        """Where it goes from here: the page, and the one whose link was followed."""
        site, dice, habits, trail = self.site, self.dice, self.habits, self.trail
        here = trail[-1]
        if dice.random() < habits.reload:
            return here, None
        if dice.random() < habits.jumps:
            return dice.choice(site.pages), None
        if len(trail) > 1 and dice.random() < habits.back:
            here = trail[-2] if dice.random() < 0.7 else dice.choice(trail)
            if dice.random() < habits.back_seen:
                return here, trail[-3] if len(trail) > 2 else None
        elif dice.random() < habits.hub:
            return dice.choice(site.hubs), here
        links = site.links[here]
        if habits.taste:
            # The same few of many links, as whoever has an interest would choose.
            links = sorted(links, key=lambda link: zlib.crc32(f"{link}{habits.taste}".encode()))[
                : max(2, len(links) // 3)
            ]
        if dice.random() < habits.by_menu:
            return links[min(len(links) - 1, int(dice.expovariate(0.5)))], here
        return dice.choice(links), here


def visit(site: Site, writing: Writing, name: str, habits: Habits, dice: random.Random) -> list[Observed]:
    """The requests of one session, ascending in time."""
    client = _Client(site, writing, name, habits, dice, 1_780_000_000 + dice.uniform(0, 86_400))
    if habits.is_returning:
        client.cached = set(site.shared) | set(dice.sample(site.pages, len(site.pages) // 4))
    typical = sorted(site.sizes.values())[len(site.pages) // 2]
    page = habits.start or ("/" if dice.random() < 0.6 else dice.choice(site.pages))
    came_from: str | None = None
    began = client.now
    if habits.robots:
        client.add("/robots.txt", "other", 100)
    for step in range(habits.length):
        if habits.plan is not None:
            came_from, page = client.trail[-1] if client.trail else None, habits.plan[step % len(habits.plan)]
        client.open(page, came_from, is_first=step == 0)
        client.trail.append(page)
        is_tab = dice.random() < habits.tabs
        client.stay(page, dice.uniform(0.8, 3) if is_tab else habits.pause(site.sizes[page] / typical))
        if dice.random() < habits.breaks:
            client.now += dice.uniform(120, 2400)
        if client.now - began > habits.lasts_s:
            break
        if is_tab:
            # The next one is opened from the same page.
            page, came_from = dice.choice(site.links[page]), page
        else:
            page, came_from = client.next_page()
    return sorted(client.events, key=lambda event: event.t)
