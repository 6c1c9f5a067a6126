"""The facts that the score weighs, each a number that is higher the more a session looks like a program's.

A fact is not judged where the log lacks the fields it needs, or where the session is
too short for it. Sources: Iliou et al. 2021 (Digital Threats 2(3), shares of kinds of
requests, pauses, referrers), Suchacka et al. 2021, Stevanovic et al. 2012, Doran and
Gokhale 2011; reading behaviour and templates are of this service.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from tidegate.core.score import measures
from tidegate.core.score.agents import AgentClass
from tidegate.core.score.measures import Measure
from tidegate.core.score.session import LogTraits, Session


class Feature(msgspec.Struct, frozen=True):
    """One fact: its name, the group whose evidence is capped together, what it needs and what it says to people."""

    name: str
    group: str
    needs: tuple[str, ...]
    words: str
    measure: Measure | None
    """None: what is told of a session by the others of its log (crowd.py)."""


FEATURES: Final[tuple[Feature, ...]] = (
    Feature(
        "agent_tool", "protocol", ("ua",), "calls itself a programming tool", measures.agent_share(AgentClass.TOOL)
    ),
    Feature("agent_declared", "protocol", ("ua",), "calls itself a robot", measures.agent_share(AgentClass.DECLARED)),
    Feature(
        "agent_headless",
        "protocol",
        ("ua",),
        "calls itself a browser without a screen",
        measures.agent_share(AgentClass.HEADLESS),
    ),
    Feature("agent_missing", "protocol", ("ua",), "names no user agent", measures.agent_share(AgentClass.MISSING)),
    Feature("agent_other", "protocol", ("ua",), "names what is no browser", measures.agent_share(AgentClass.OTHER)),
    Feature(
        "address_changes",
        "protocol",
        ("src",),
        "comes from one address after the other",
        measures.of_entry(lambda entry: math.log(len(entry.sources)) if entry.sources else None),
    ),
    Feature(
        "agent_changes",
        "protocol",
        ("ua",),
        "changes its user agent",
        measures.of_entry(lambda entry: float(len(entry.agents) - 1) if entry.agents else None),
    ),
    Feature(
        "robots_txt",
        "protocol",
        ("path",),
        "reads robots.txt",
        measures.of_visit(lambda visit: min(1.0, visit.robots_files)),
    ),
    Feature(
        "heads",
        "protocol",
        ("method",),
        "asks for headers alone",
        measures.of_visit(lambda visit: measures.share(visit.heads, visit.requests, 3)),
    ),
    Feature(
        "errors",
        "protocol",
        ("status",),
        "asks for what is not there",
        measures.of_visit(lambda visit: measures.share(visit.client_errors, visit.requests, 5)),
    ),
    Feature(
        "network",
        "network",
        ("net_kind",),
        "comes from a data centre, a VPN or Tor",
        measures.of_entry(measures.network_kind),
    ),
    Feature("steady_pauses", "timing", ("route",), "pauses evenly", measures.of_pauses(3, measures.steady)),
    Feature("no_long_pause", "timing", ("route",), "never stays long", measures.of_pauses(5, measures.no_long)),
    Feature("never_away", "timing", ("route",), "never pauses for minutes", measures.of_pauses(4, measures.never_away)),
    Feature("no_quick_look", "timing", ("route",), "never leaves at once", measures.of_pauses(5, measures.no_quick)),
    Feature(
        "same_pause", "timing", ("route",), "pauses for nearly the same time", measures.of_pauses(5, measures.narrow)
    ),
    Feature(
        "pause_ignores_length",
        "timing",
        ("route", "bytes_out"),
        "pauses however much there is to read",
        measures.of_pauses(10, measures.ignores_size),
    ),
    Feature(
        "quick_pages", "timing", ("route",), "goes fast from page to page", measures.of_visit(measures.quick_pages)
    ),
    Feature("no_sleep", "timing", (), "goes on for many hours without a break", measures.of_visit(measures.no_sleep)),
    Feature("assets_missing", "shape", ("route",), "takes pages without what belongs to them", measures.assets_missing),
    Feature(
        "assets_again",
        "shape",
        ("route", "path"),
        "fetches again what browsers keep",
        measures.of_visit(measures.assets_again),
    ),
    Feature("favicon_missing", "shape", ("path",), "never asks for the site's icon", measures.favicon_missing),
    Feature(
        "never_returns", "shape", ("path",), "never comes back to a page", measures.of_visit(measures.never_returns)
    ),
    Feature("one_page", "shape", ("path",), "asks for one page again and again", measures.of_visit(measures.one_page)),
    Feature(
        "counts_up",
        "shape",
        ("path",),
        "counts up numbers in addresses",
        measures.of_visit(lambda visit: measures.share(visit.counted_up, visit.page_steps, 4)),
    ),
    Feature(
        "sorted_paths",
        "shape",
        ("path",),
        "takes pages in the order of their names",
        measures.of_visit(measures.sorted_paths),
    ),
    Feature(
        "bare_referrer",
        "shape",
        ("referrer",),
        "comes to each page from nowhere",
        measures.of_visit(lambda visit: measures.share(visit.bare_referrers, visit.known_referrers, 2)),
    ),
    Feature(
        "straight_on",
        "shape",
        ("referrer_path",),
        "goes on from the last page, never from an earlier one",
        measures.of_visit(lambda visit: measures.share(visit.straight_ways, visit.known_ways, 4)),
    ),
    Feature("kept_nothing", "shape", ("status",), "never asks whether something has changed", measures.kept_nothing),
    Feature("twins", "crowd", ("route",), "is like many others in length and pace", None),
    Feature("shared_ways", "crowd", ("path",), "goes ways that others went", None),
    Feature("crowded_visits", "crowd", ("src",), "shares its address with many sessions", None),
    Feature(
        "many_pages",
        "shape",
        ("route",),
        "sees very many pages",
        measures.of_visit(lambda visit: math.log(visit.pages) if visit.pages > 1 else None),
    ),
    Feature(
        "hasty",
        "reading",
        ("out_tok",),
        "goes on before the answer can have been read",
        measures.of_talk(measures.hasty),
    ),
    Feature(
        "instant",
        "reading",
        ("read_s",),
        "asks the next question at once",
        measures.of_talk(lambda talk: measures.share(talk.instant, len(talk.reads), 3)),
    ),
    Feature(
        "overlapping",
        "reading",
        ("service_s",),
        "asks while an answer is being written",
        measures.of_talk(lambda talk: measures.share(talk.overlapping, talk.known_overlaps, 3)),
    ),
    Feature("chat_pace", "reading", (), "asks many questions a minute", measures.of_talk(measures.chat_pace)),
    Feature(
        "abandons",
        "reading",
        ("abandoned",),
        "leaves answers unread",
        measures.of_talk(lambda talk: measures.share(talk.abandoned, talk.calls, 4) if talk.abandoned else None),
    ),
    Feature(
        "even_prompts", "prompts", ("in_tok",), "sends prompts of one length", measures.of_talk(measures.even_prompts)
    ),
    Feature("same_template", "prompts", ("tmpl",), "fills in one template", measures.of_talk(measures.top_template)),
    Feature(
        "shared_template",
        "prompts",
        ("tmpl",),
        "sends what many other accounts send",
        measures.of_talk(lambda talk: measures.share(talk.shared, talk.known_templates, 2)),
    ),
    Feature("same_body", "prompts", ("body",), "sends the same request again", measures.of_talk(measures.same_body)),
    Feature(
        "pegged",
        "prompts",
        ("max_tok", "out_tok"),
        "takes every token it asked for",
        measures.of_talk(lambda talk: measures.share(talk.pegged, talk.limited, 4)),
    ),
    Feature(
        "unstreamed",
        "prompts",
        ("stream",),
        "takes answers in one piece",
        measures.of_talk(lambda talk: measures.share(talk.plain, talk.known_streams, 3)),
    ),
    Feature(
        "presses_on",
        "prompts",
        ("status",),
        "goes on after being refused",
        measures.of_talk(lambda talk: measures.share(talk.refused, talk.calls, 4)),
    ),
    Feature(
        "fast_solve",
        "challenge",
        ("solve_s", "effort"),
        "solves challenges faster than browsers",
        measures.of_entry(measures.fast_solve),
    ),
    Feature(
        "failed_challenges",
        "challenge",
        ("outcome",),
        "fails challenges",
        measures.of_entry(lambda entry: math.log1p(entry.challenges_failed) if entry.challenges_failed else None),
    ),
    Feature(
        "passed_by",
        "challenge",
        ("outcome",),
        "asks again without solving",
        measures.of_entry(lambda entry: math.log1p(entry.challenges_passed_by) if entry.challenges_passed_by else None),
    ),
    Feature(
        "failed_logins",
        "account",
        ("outcome",),
        "tries passwords",
        measures.of_entry(lambda entry: math.log1p(entry.logins_failed) if entry.logins else None),
    ),
    Feature(
        "many_names",
        "account",
        ("user",),
        "tries many people's names",
        measures.of_entry(lambda entry: math.log(len(entry.users)) if entry.users else None),
    ),
    Feature("youth", "account", ("age_s",), "is a young account", measures.of_entry(measures.youth)),
    Feature(
        "disposable_mail",
        "account",
        ("disposable",),
        "signed up with a throw-away address",
        measures.of_sign_up("disposable"),
    ),
    Feature(
        "random_name", "account", ("name_entropy",), "has a name as if by dice", measures.of_sign_up("name_entropy")
    ),
    Feature(
        "name_family",
        "account",
        ("family",),
        "is one of many with such a name",
        measures.of_crowd_signed_up("family_size"),
    ),
    Feature(
        "crowded_source",
        "account",
        ("src",),
        "shares its address with many sign-ups",
        measures.of_crowd_signed_up("from_source"),
    ),
    Feature(
        "quick_verify",
        "account",
        ("latency_s",),
        "confirmed its address faster than mail is read",
        measures.quick_verify,
    ),
)

_COUNTED: Final = frozenset({"protocol", "shape"})
"""Groups in which what is not there would be counted as none: only where the log would have told."""


def facts(session: Session, traits: LogTraits) -> dict[str, float | None]:
    """Measure all that can be judged of a session by itself; None stands for the rest."""
    return {
        feature.name: None
        if feature.measure is None or (feature.group in _COUNTED and not session.lacking.isdisjoint(feature.needs))
        else feature.measure(session, traits)
        for feature in FEATURES
    }
