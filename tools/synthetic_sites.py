"""Made-up web sites and what their servers write down, for tools/synthetic_sessions.py.

Five kinds of site, each with another graph of links, other pictures and other scripts, and
logs that lack one thing or another: whole seconds, no user agents, no pictures, no routes.
What differs between sites must not tell people from programs, so all of it is drawn anew
for each log.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

KINDS = ("wiki", "shop", "docs", "news", "forum")
_FORMS = {
    "wiki": ("/wiki/{word}", "/index.php/{word}", "/{word}.html", "/{section}/{word}.html"),
    "shop": ("/item/{n}", "/item?id={n}", "/{section}/{word}", "/p/{word}.html"),
    "docs": ("/docs/{section}/{word}/", "/{section}/{word}.html", "/latest/{section}/{word}"),
    "news": ("/2026/{m}/{word}/", "/blog/{n}", "/{section}/{word}"),
    "forum": ("/t/{n}", "/viewtopic.php?t={n}", "/r/{section}/{word}"),
}


@dataclass
class Site:
    """A site: its pages, where they lead, what belongs to them, and how its scripts and caches behave."""

    dice: random.Random
    kind: str
    pages: list[str] = field(default_factory=list)
    hubs: list[str] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    images: dict[str, list[str]] = field(default_factory=dict)
    shared: list[str] = field(default_factory=list)
    caching: str = "kept"
    """What belongs to pages is `kept` by browsers, `asked` for again each time, or sent `anew`."""
    pages_asked: float = 0.0
    """How often a page that was seen before is answered with "not modified"."""
    echo: str = ""
    """What pages' scripts ask for: with each page, or in beats while it is open."""
    echo_method: str = "GET"
    beat_s: float = 0.0
    prefetch: float = 0.0
    forwards: float = 0.0

    def __post_init__(self) -> None:
        """Build the site."""
        dice = self.dice
        count = int(dice.choice((10, 15, 25, 40, 60, 60, 100, 110, 200, 400)) * dice.uniform(0.8, 1.3))
        form = dice.choice(_FORMS[self.kind])
        names = [f"{dice.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{dice.getrandbits(32):x}" for _ in range(9)]
        sections = names[: max(2, min(9, count // 8))]
        self.hubs = ["/"] + [f"/{section}/" for section in sections]
        inner: dict[str, list[str]] = {section: [] for section in sections}
        for place in range(count):
            section = dice.choice(sections)
            word = f"{dice.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{dice.getrandbits(28):x}"
            inner[section].append(
                form.format(word=word, section=section, n=1000 + place, m=f"{dice.randint(1, 12):02}")
            )
        self.pages = self.hubs + [page for pages in inner.values() for page in pages]
        self._link(sections, inner)
        middle, spread = dice.uniform(8, 11), dice.uniform(0.3, 1.0)
        self.sizes = {page: math.exp(dice.gauss(middle, spread)) for page in self.pages}
        many = dice.choice((0.8, 1.0, 1.0, 1.6))
        for page in self.pages:
            count = min(30, int(dice.paretovariate(many)) - 1)
            self.images[page] = [f"/img/{dice.getrandbits(40):x}.jpg" for _ in range(count)]
        kinds = ("css", "js", "js", "png", "svg", "woff2")
        self.shared = [f"/static/{n}.{dice.choice(kinds)}" for n in range(dice.randint(1, 22))]

    def _link(self, sections: list[str], inner: dict[str, list[str]]) -> None:
        dice = self.dice
        menu = dice.sample(self.hubs, min(len(self.hubs), dice.randint(1, 6)))
        across = {"wiki": 5, "shop": 1, "docs": 1, "news": 3, "forum": 0}[self.kind]
        for section in sections:
            pages, hub = inner[section], f"/{section}/"
            self.links[hub] = [*menu, *pages[:40]]
            for place, page in enumerate(pages):
                near = dice.sample(pages, min(len(pages), dice.randint(1, 8)))
                after = [pages[(place + 1) % len(pages)]] * (3 if self.kind == "docs" else 1)
                far = [dice.choice(self.pages) for _ in range(across)]
                popular = [self.pages[min(len(self.pages) - 1, int(dice.paretovariate(0.6)))] for _ in range(2)]
                self.links[page] = [*menu, hub, *near, *after, *far, *popular]
        self.links["/"] = [*self.hubs, *(dice.choice(self.pages) for _ in range(dice.randint(2, 12)))]
        for page in self.pages:
            self.links[page] = [link for link in self.links[page] if link != page] or ["/"]


@dataclass(frozen=True)
class Writing:
    """What a log writes down."""

    whole_seconds: bool
    fields: frozenset[str]
    one_source: bool
    """Whether a proxy in front makes all addresses the same."""


def new_site(dice: random.Random, kind: str) -> Site:
    """A site of this kind."""
    beats = dice.random() < 0.2
    echo = "/pulse" if beats or dice.random() < 0.3 else ""
    return Site(
        dice,
        kind,
        caching=dice.choice(("kept", "kept", "kept", "asked", "asked", "anew")),
        pages_asked=dice.choice((0.0, 0.0, 0.5, 0.9)),
        echo=echo,
        echo_method=dice.choice(("GET", "POST", "POST")),
        beat_s=dice.choice((5.0, 10.0, 15.0, 30.0)) if beats else 0.0,
        prefetch=dice.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.3)),
        forwards=dice.choice((0.0, 0.0, 0.05, 0.2)),
    )


def new_writing(dice: random.Random) -> Writing:
    """A log that has most, not all, of what one can write down."""
    likely = {
        "ua": 0.6,
        "referrer": 0.65,
        "assets": 0.9,
        "bytes": 0.85,
        "favicon": 0.85,
        "route": 0.9,
        "src": 0.7,
        "status": 0.95,
    }
    fields = {name for name, chance in likely.items() if dice.random() < chance}
    if "referrer" in fields and dice.random() < 0.6:
        fields.add("referrer_path")
    return Writing(dice.random() < 0.75, frozenset(fields), dice.random() < 0.15)
