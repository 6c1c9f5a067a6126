"""How each fact of a session is measured; features.py says which there are, and what they are called.

A measure is None where the session is too short for it. Each is higher the more a session
looks like a program's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from tidegate.core.score import pauses
from tidegate.core.score.agents import AgentClass
from tidegate.core.score.entry import Entry
from tidegate.core.score.session import LogTraits, Session
from tidegate.core.score.talk import Talk
from tidegate.core.score.visit import Visit

Measure = Callable[[Session, LogTraits], float | None]

_DOUBT: Final = 2.0


def share(part: float, whole: float, least: int) -> float | None:
    """Give the part of the whole, once there is that much of it."""
    return part / whole if whole >= least else None


def agent_share(kind: AgentClass) -> Measure:
    """Measure in how much of a session the user agent admits to be this."""

    def measure(session: Session, _: LogTraits) -> float | None:
        classes = session.entry.classes
        return classes.get(kind, 0) / sum(classes.values()) if classes else None

    return measure


def of_pauses(least: int, measure: Callable[[list[float], list[float]], float | None]) -> Measure:
    """Judge the pauses of the visit, or those between an answer and the next question, whichever are more."""

    def judge(session: Session, _: LogTraits) -> float | None:
        visit, talk = session.visit, session.talk
        given, sizes = (
            (visit.pauses, visit.sizes) if len(visit.pauses) >= len(talk.reads) else (talk.reads, talk.read_of)
        )
        given, sizes = pauses.between_views(given, sizes)
        return measure(given, sizes) if len(given) >= least else None

    return judge


def _doubted(value: float, usual: float, count: int) -> float:
    """Pull a figure from few pauses towards what says nothing: from more of them the same figure says more."""
    return usual + (value - usual) * count / (count + _DOUBT)


def steady(given: list[float], _: list[float]) -> float:
    """How even pauses are: the spread of their logarithms, turned around."""
    return _doubted(-pauses.log_spread(given), -0.9, len(given))


def no_long(given: list[float], _: list[float]) -> float:
    """How little longer the longest pause is than most (logarithm, turned around)."""
    ordered = sorted(given)
    return _doubted(-pauses.log_ratio(ordered[-1], pauses.quantile(ordered, 0.75)), -1.0, len(given))


def never_away(given: list[float], _: list[float]) -> float:
    """How short even the longest pause is (logarithm of seconds, turned around)."""
    return -math.log(max(1.0, *given))


def no_quick(given: list[float], _: list[float]) -> float:
    """How little shorter the quick looks are than the middle pause (logarithm, turned around)."""
    ordered = sorted(given)
    return _doubted(-pauses.log_ratio(pauses.quantile(ordered, 0.5), pauses.quantile(ordered, 0.1)), -0.9, len(given))


def narrow(given: list[float], _: list[float]) -> float:
    """Which share of pauses is nearly the same."""
    return pauses.narrow_share(sorted(given))


def ignores_size(given: list[float], sizes: list[float]) -> float | None:
    """How little pauses follow the length of what was read; None where one of them does not vary."""
    found = pauses.rank_correlation(given, sizes)
    return None if found is None else -found


def of_visit(measure: Callable[[Visit], float | None]) -> Measure:
    """Measure what was done of a site."""
    return lambda session, _: measure(session.visit)


def of_talk(measure: Callable[[Talk], float | None]) -> Measure:
    """Measure what was asked of a model."""
    return lambda session, _: measure(session.talk)


def of_entry(measure: Callable[[Entry], float | None]) -> Measure:
    """Measure how a session came in."""
    return lambda session, _: measure(session.entry)


def quick_pages(visit: Visit) -> float | None:
    """How short the middle pause is (logarithm of seconds, turned around)."""
    given, _ = pauses.between_views(visit.pauses, visit.sizes)
    if len(given) < 2:  # noqa: PLR2004 - one pause may be any
        return None
    return -math.log(max(pauses.SHORTEST_S, pauses.quantile(sorted(given), 0.5)))


def no_sleep(visit: Visit) -> float | None:
    """Hours from the first request to the last, without three hours of quiet between."""
    return visit.longest_stretch_s / 3600 if visit.requests >= 8 else None  # noqa: PLR2004 - few requests are no stretch


def assets_missing(session: Session, traits: LogTraits) -> float | None:
    """How little of what belongs to pages was fetched; None in a log that has nothing of the kind."""
    visit = session.visit
    if not traits.has_assets or visit.pages < 2:  # noqa: PLR2004 - one page may come whole from a cache
        return None
    return -math.log1p(visit.assets / visit.pages)


def assets_again(visit: Visit) -> float | None:
    """Which share of what belongs to pages was sent whole once more."""
    return share(visit.assets_again, visit.assets, 12)


def kept_nothing(session: Session, traits: LogTraits) -> float | None:
    """Whether nothing was answered with "not modified", in a log that has such answers."""
    visit = session.visit
    if not traits.has_unchanged or visit.pages < 3:  # noqa: PLR2004 - nothing can be known yet
        return None
    return 0.0 if visit.unchanged else 1.0


def favicon_missing(session: Session, traits: LogTraits) -> float | None:
    """Whether the site's icon was never asked for, in a log where somebody did."""
    visit = session.visit
    if not traits.has_favicons or visit.pages < 2 or not visit.assets:  # noqa: PLR2004 - as above
        return None
    return 0.0 if visit.favicons else 1.0


def never_returns(visit: Visit) -> float | None:
    """Which share of pages seen were new."""
    seen = sum(visit.page_paths.values())
    return share(len(visit.page_paths), seen, 6)


def one_page(visit: Visit) -> float | None:
    """Which share of pages seen was one and the same."""
    seen = sum(visit.page_paths.values())
    return share(max(visit.page_paths.values(), default=0), seen, 10)


def sorted_paths(visit: Visit) -> float | None:
    """How much pages came in the order of their names, up or down."""
    up = share(visit.ascending, visit.page_steps, 8)
    return None if up is None else abs(2 * up - 1)


def hasty(talk: Talk) -> float | None:
    """How many tokens a second the answers were read at (logarithm of the middle)."""
    if len(talk.rates) < 3:  # noqa: PLR2004 - two answers may be skimmed by anyone
        return None
    return math.log(max(0.01, pauses.quantile(sorted(talk.rates), 0.5)))


def even_prompts(talk: Talk) -> float | None:
    """How even the prompts' lengths are: as with pauses."""
    return -pauses.log_spread(talk.prompt_tokens) if len(talk.prompt_tokens) >= 5 else None  # noqa: PLR2004 - a spread


def chat_pace(talk: Talk) -> float | None:
    """Questions a minute (logarithm)."""
    if talk.calls < 4:  # noqa: PLR2004 - a pace needs some steps
        return None
    return math.log(60 * (talk.calls - 1) / max(1.0, talk.last_at - talk.first_at))


def top_template(talk: Talk) -> float | None:
    """Which share of prompts was of one template."""
    return share(max(talk.templates.values(), default=0), talk.known_templates, 4)


def same_body(talk: Talk) -> float | None:
    """Which share of requests had been sent before."""
    different = share(len(talk.bodies), talk.known_bodies, 4)
    return None if different is None else 1 - different


_NET: Final = {"hosting": 2.0, "tor": 2.0, "vpn": 1.0}


def network_kind(entry: Entry) -> float | None:
    """Where it came from: 2 for data centres and Tor, 1 for a VPN, 0 for others."""
    return max((_NET.get(kind, 0.0) for kind in entry.net_kinds), default=None)


def youth(entry: Entry) -> float | None:
    """How young the account is (logarithm of minutes, turned around)."""
    return None if entry.age_s is None else -math.log10(max(60.0, entry.age_s) / 60)


def fast_solve(entry: Entry) -> float | None:
    """How little time a piece of work took (logarithm of seconds, turned around)."""
    return -math.log10(max(1e-4, min(entry.solve_rates))) if entry.solve_rates else None


def of_sign_up(field: str) -> Measure:
    """Measure what is known of how the account was made."""

    def measure(session: Session, _: LogTraits) -> float | None:
        value = getattr(session.entry.sign_up, field, None)
        return None if value is None else float(value)

    return measure


def of_crowd_signed_up(field: str) -> Measure:
    """Measure how many signed up alike (logarithm)."""
    inner = of_sign_up(field)

    def measure(session: Session, traits: LogTraits) -> float | None:
        value = inner(session, traits)
        return None if value is None else math.log(max(1.0, value))

    return measure


def quick_verify(session: Session, traits: LogTraits) -> float | None:
    """How soon an address was confirmed (logarithm of seconds, turned around)."""
    value = of_sign_up("latency_s")(session, traits)
    return None if value is None else -math.log10(max(0.1, value))
