"""The facts that the score weighs, each a number that is higher the more a session looks like a program's.

A fact is not judged where the log lacks the fields it needs, or where the session is
too short for it. Sources: Iliou et al. 2021 (Digital Threats 2(3), shares of kinds of
requests, pauses, referrers), Suchacka et al. 2021, Stevanovic et al. 2012, Doran and
Gokhale 2011; reading behaviour and templates are of this service.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.score import pauses
from tidegate.core.score.agents import AgentClass
from tidegate.core.score.entry import Entry
from tidegate.core.score.session import LogTraits, Session
from tidegate.core.score.talk import Talk
from tidegate.core.score.visit import Visit


class Feature(msgspec.Struct, frozen=True):
    """One fact: its name, the group whose evidence is capped together, what it needs and what it says to people."""

    name: str
    group: str
    needs: tuple[str, ...]
    words: str
    measure: Callable[[Session, LogTraits], float | None]


def _share(part: float, whole: float, least: int) -> float | None:
    return part / whole if whole >= least else None


def _agent(kind: AgentClass) -> Callable[[Session, LogTraits], float | None]:
    def measure(session: Session, _: LogTraits) -> float | None:
        classes = session.entry.classes
        return classes.get(kind, 0) / sum(classes.values()) if classes else None

    return measure


def _pauses(
    least: int, measure: Callable[[list[float], list[float]], float | None]
) -> Callable[[Session, LogTraits], float | None]:
    """Judge the pauses of the visit, or those between an answer and the next question, whichever are more."""

    def judge(session: Session, _: LogTraits) -> float | None:
        visit, talk = session.visit, session.talk
        given, sizes = (
            (visit.pauses, visit.sizes) if len(visit.pauses) >= len(talk.reads) else (talk.reads, talk.read_of)
        )
        given, sizes = pauses.between_views(given, sizes)
        return measure(given, sizes) if len(given) >= least else None

    return judge


def _steady(given: list[float], _: list[float]) -> float:
    return -pauses.log_spread(given)


def _no_long(given: list[float], _: list[float]) -> float:
    ordered = sorted(given)
    return -pauses.log_ratio(ordered[-1], pauses.quantile(ordered, 0.75))


def _no_quick(given: list[float], _: list[float]) -> float:
    ordered = sorted(given)
    return -pauses.log_ratio(pauses.quantile(ordered, 0.5), pauses.quantile(ordered, 0.1))


def _narrow(given: list[float], _: list[float]) -> float:
    return pauses.narrow_share(sorted(given))


def _ignores_size(given: list[float], sizes: list[float]) -> float | None:
    found = pauses.rank_correlation(given, sizes)
    return None if found is None else -found


def _visit(measure: Callable[[Visit], float | None]) -> Callable[[Session, LogTraits], float | None]:
    return lambda session, _: measure(session.visit)


def _talk(measure: Callable[[Talk], float | None]) -> Callable[[Session, LogTraits], float | None]:
    return lambda session, _: measure(session.talk)


def _entry(measure: Callable[[Entry], float | None]) -> Callable[[Session, LogTraits], float | None]:
    return lambda session, _: measure(session.entry)


def _quick_pages(visit: Visit) -> float | None:
    given, _ = pauses.between_views(visit.pauses, visit.sizes)
    if len(given) < 2:  # noqa: PLR2004 - one pause may be any
        return None
    return -math.log(max(pauses.SHORTEST_S, pauses.quantile(sorted(given), 0.5)))


def _no_sleep(visit: Visit) -> float | None:
    return visit.longest_stretch_s / 3600 if visit.requests >= 8 else None  # noqa: PLR2004 - few requests are no stretch


def _assets_missing(session: Session, traits: LogTraits) -> float | None:
    visit = session.visit
    if not traits.has_assets or visit.pages < 2:  # noqa: PLR2004 - one page may come whole from a cache
        return None
    return -math.log1p(visit.assets / visit.pages)


def _assets_again(visit: Visit) -> float | None:
    return _share(visit.assets_again, visit.assets, 12)


def _favicon_missing(session: Session, traits: LogTraits) -> float | None:
    visit = session.visit
    if not traits.has_favicons or visit.pages < 2 or not visit.assets:  # noqa: PLR2004 - as above
        return None
    return 0.0 if visit.favicons else 1.0


def _never_returns(visit: Visit) -> float | None:
    seen = sum(visit.page_paths.values())
    return _share(len(visit.page_paths), seen, 6)


def _one_page(visit: Visit) -> float | None:
    seen = sum(visit.page_paths.values())
    return _share(max(visit.page_paths.values(), default=0), seen, 10)


def _sorted_paths(visit: Visit) -> float | None:
    up = _share(visit.ascending, visit.page_steps, 8)
    return None if up is None else abs(2 * up - 1)


def _hasty(talk: Talk) -> float | None:
    if len(talk.rates) < 3:  # noqa: PLR2004 - two answers may be skimmed by anyone
        return None
    return math.log(max(0.01, pauses.quantile(sorted(talk.rates), 0.5)))


def _even_prompts(talk: Talk) -> float | None:
    return -pauses.log_spread(talk.prompt_tokens) if len(talk.prompt_tokens) >= 5 else None  # noqa: PLR2004 - a spread


def _chat_pace(talk: Talk) -> float | None:
    if talk.calls < 4:  # noqa: PLR2004 - a pace needs some steps
        return None
    return math.log(60 * (talk.calls - 1) / max(1.0, talk.last_at - talk.first_at))


def _top_template(talk: Talk) -> float | None:
    return _share(max(talk.templates.values(), default=0), talk.known_templates, 4)


def _same_body(talk: Talk) -> float | None:
    different = _share(len(talk.bodies), talk.known_bodies, 4)
    return None if different is None else 1 - different


_NET: Final = {"hosting": 2.0, "tor": 2.0, "vpn": 1.0}


def _network(entry: Entry) -> float | None:
    return max((_NET.get(kind, 0.0) for kind in entry.net_kinds), default=None)


def _youth(entry: Entry) -> float | None:
    return None if entry.age_s is None else -math.log10(max(60.0, entry.age_s) / 60)


def _fast_solve(entry: Entry) -> float | None:
    return -math.log10(max(1e-4, min(entry.solve_rates))) if entry.solve_rates else None


def _sign_up(field: str) -> Callable[[Session, LogTraits], float | None]:
    def measure(session: Session, _: LogTraits) -> float | None:
        value = getattr(session.entry.sign_up, field, None)
        return None if value is None else float(value)

    return measure


def _crowd(field: str) -> Callable[[Session, LogTraits], float | None]:
    inner = _sign_up(field)

    def measure(session: Session, traits: LogTraits) -> float | None:
        value = inner(session, traits)
        return None if value is None else math.log(max(1.0, value))

    return measure


def _quick_verify(session: Session, traits: LogTraits) -> float | None:
    value = _sign_up("latency_s")(session, traits)
    return None if value is None else -math.log10(max(0.1, value))


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("agent_tool", "protocol", ("ua",), "calls itself a programming tool", _agent(AgentClass.TOOL)),
    Feature("agent_declared", "protocol", ("ua",), "calls itself a robot", _agent(AgentClass.DECLARED)),
    Feature(
        "agent_headless", "protocol", ("ua",), "calls itself a browser without a screen", _agent(AgentClass.HEADLESS)
    ),
    Feature("agent_missing", "protocol", ("ua",), "names no user agent", _agent(AgentClass.MISSING)),
    Feature(
        "agent_changes",
        "protocol",
        ("ua",),
        "changes its user agent",
        _entry(lambda entry: float(len(entry.agents) - 1) if entry.agents else None),
    ),
    Feature(
        "robots_txt",
        "protocol",
        ("path",),
        "reads robots.txt",
        _visit(lambda visit: min(1.0, visit.robots_files)),
    ),
    Feature(
        "heads",
        "protocol",
        ("method",),
        "asks for headers alone",
        _visit(lambda visit: _share(visit.heads, visit.requests, 3)),
    ),
    Feature(
        "errors",
        "protocol",
        ("status",),
        "asks for what is not there",
        _visit(lambda visit: _share(visit.client_errors, visit.requests, 5)),
    ),
    Feature("network", "network", ("net_kind",), "comes from a data centre, a VPN or Tor", _entry(_network)),
    Feature("steady_pauses", "timing", ("route",), "pauses evenly", _pauses(4, _steady)),
    Feature("no_long_pause", "timing", ("route",), "never stays long", _pauses(8, _no_long)),
    Feature("no_quick_look", "timing", ("route",), "never leaves at once", _pauses(8, _no_quick)),
    Feature("same_pause", "timing", ("route",), "pauses for nearly the same time", _pauses(6, _narrow)),
    Feature(
        "pause_ignores_length",
        "timing",
        ("route", "bytes_out"),
        "pauses however much there is to read",
        _pauses(10, _ignores_size),
    ),
    Feature("quick_pages", "timing", ("route",), "goes fast from page to page", _visit(_quick_pages)),
    Feature("no_sleep", "timing", (), "goes on for many hours without a break", _visit(_no_sleep)),
    Feature("assets_missing", "shape", ("route",), "takes pages without what belongs to them", _assets_missing),
    Feature("assets_again", "shape", ("route", "path"), "fetches again what browsers keep", _visit(_assets_again)),
    Feature("favicon_missing", "shape", ("path",), "never asks for the site's icon", _favicon_missing),
    Feature("never_returns", "shape", ("path",), "never comes back to a page", _visit(_never_returns)),
    Feature("one_page", "shape", ("path",), "asks for one page again and again", _visit(_one_page)),
    Feature(
        "counts_up",
        "shape",
        ("path",),
        "counts up numbers in addresses",
        _visit(lambda visit: _share(visit.counted_up, visit.page_steps, 4)),
    ),
    Feature("sorted_paths", "shape", ("path",), "takes pages in the order of their names", _visit(_sorted_paths)),
    Feature(
        "bare_referrer",
        "shape",
        ("referrer",),
        "comes to each page from nowhere",
        _visit(lambda visit: _share(visit.bare_referrers, visit.known_referrers, 2)),
    ),
    Feature(
        "many_pages",
        "shape",
        ("route",),
        "sees very many pages",
        _visit(lambda visit: math.log(visit.pages) if visit.pages > 1 else None),
    ),
    Feature("hasty", "reading", ("out_tok",), "goes on before the answer can have been read", _talk(_hasty)),
    Feature(
        "instant",
        "reading",
        ("read_s",),
        "asks the next question at once",
        _talk(lambda talk: _share(talk.instant, len(talk.reads), 3)),
    ),
    Feature(
        "overlapping",
        "reading",
        ("service_s",),
        "asks while an answer is being written",
        _talk(lambda talk: _share(talk.overlapping, talk.known_overlaps, 3)),
    ),
    Feature("chat_pace", "reading", (), "asks many questions a minute", _talk(_chat_pace)),
    Feature(
        "abandons",
        "reading",
        ("abandoned",),
        "leaves answers unread",
        _talk(lambda talk: _share(talk.abandoned, talk.calls, 4) if talk.abandoned else None),
    ),
    Feature("even_prompts", "prompts", ("in_tok",), "sends prompts of one length", _talk(_even_prompts)),
    Feature("same_template", "prompts", ("tmpl",), "fills in one template", _talk(_top_template)),
    Feature(
        "shared_template",
        "prompts",
        ("tmpl",),
        "sends what many other accounts send",
        _talk(lambda talk: _share(talk.shared, talk.known_templates, 2)),
    ),
    Feature("same_body", "prompts", ("body",), "sends the same request again", _talk(_same_body)),
    Feature(
        "pegged",
        "prompts",
        ("max_tok", "out_tok"),
        "takes every token it asked for",
        _talk(lambda talk: _share(talk.pegged, talk.limited, 4)),
    ),
    Feature(
        "unstreamed",
        "prompts",
        ("stream",),
        "takes answers in one piece",
        _talk(lambda talk: _share(talk.plain, talk.known_streams, 3)),
    ),
    Feature(
        "presses_on",
        "prompts",
        ("status",),
        "goes on after being refused",
        _talk(lambda talk: _share(talk.refused, talk.calls, 4)),
    ),
    Feature(
        "fast_solve", "challenge", ("solve_s", "effort"), "solves challenges faster than browsers", _entry(_fast_solve)
    ),
    Feature(
        "failed_challenges",
        "challenge",
        ("outcome",),
        "fails challenges",
        _entry(lambda entry: math.log1p(entry.challenges_failed) if entry.challenges_failed else None),
    ),
    Feature(
        "passed_by",
        "challenge",
        ("outcome",),
        "asks again without solving",
        _entry(lambda entry: math.log1p(entry.challenges_passed_by) if entry.challenges_passed_by else None),
    ),
    Feature(
        "failed_logins",
        "account",
        ("outcome",),
        "tries passwords",
        _entry(lambda entry: math.log1p(entry.logins_failed) if entry.logins else None),
    ),
    Feature(
        "many_names",
        "account",
        ("user",),
        "tries many people's names",
        _entry(lambda entry: math.log(len(entry.users)) if entry.users else None),
    ),
    Feature("youth", "account", ("age_s",), "is a young account", _entry(_youth)),
    Feature(
        "disposable_mail", "account", ("disposable",), "signed up with a throw-away address", _sign_up("disposable")
    ),
    Feature("random_name", "account", ("name_entropy",), "has a name as if by dice", _sign_up("name_entropy")),
    Feature("name_family", "account", ("family",), "is one of many with such a name", _crowd("family_size")),
    Feature("crowded_source", "account", ("src",), "shares its address with many sign-ups", _crowd("from_source")),
    Feature("quick_verify", "account", ("latency_s",), "confirmed its address faster than mail is read", _quick_verify),
)

_COUNTED: Final = frozenset({"protocol", "shape"})
"""Groups in which what is not there would be counted as none: only where the log would have told."""


def facts(session: Session, traits: LogTraits) -> dict[str, float | None]:
    """Measure all that can be judged of a session; None stands for the rest."""
    return {
        feature.name: None
        if feature.group in _COUNTED and not session.lacking.isdisjoint(feature.needs)
        else feature.measure(session, traits)
        for feature in FEATURES
    }
