"""Figures as people read them, and the sentences that stand above all tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.lab.judge.figures import IncidentFigures, Recovery
from tidegate.lab.judge.findings import Findings

NONE: Final = "\N{EN DASH}"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_GOOD_FROM: Final = 0.95
_FAIR_FROM: Final = 0.8
_LITTLE: Final = 0.05
_MUCH: Final = 0.25
_DECIMALS_BELOW: Final = 10
_LEAST_S: Final = 0.005

GROUP_NAMES: Final = {
    "established": "Established people",
    "new": "New people",
    "anonymous": "Anonymous people",
    "attacker": "Attackers",
}


class Tone(StrEnum):
    """How a figure is meant; never the only sign of it, for not everybody sees colours."""

    PLAIN = "plain"
    GOOD = "good"
    WARNING = "warning"
    DANGER = "danger"


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """A figure to read from afar."""

    value: str
    label: str
    tone: Tone = Tone.PLAIN


def percent(part: float | None) -> str:
    """Say a part; never 100 % of what is not all, nor 0 % of what is not nothing."""
    if part is None:
        return NONE
    said = f"{part * 100:.1f}"
    if said == "100.0" and part < 1:
        return "> 99.9 %"
    if said == "0.0" and part > 0:
        return "< 0.1 %"
    return f"{said.removesuffix('.0')} %"


def seconds(value: float | None) -> str:
    """Say how long: three digits that count below a minute, then minutes, then hours; never 0 s of what took time."""
    if value is None:
        return NONE
    if value < _MINUTE_S:
        if 0 < value < _LEAST_S:
            return "< 0.01 s"
        said = f"{value:.2f}" if value < _DECIMALS_BELOW else f"{value:.1f}"
        return f"{said.rstrip('0').removesuffix('.')} s" if value else "0 s"
    whole = round(value)
    if whole < _HOUR_S:
        return f"{whole // 60} min {whole % 60:02d} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(value / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes % 60 else f"{minutes // 60} h"


def count(value: float) -> str:
    """Say a number, its thousands apart."""
    return f"{value:,.0f}"


def named(word: str) -> str:
    """Say a word of a fixed list as one of a sentence."""
    return word.replace("_", " ")


def recovered(one: IncidentFigures) -> str:
    """Say how long after its end all was as before, or why that cannot be said."""
    return named(one.recovery) if one.recover_s is None else seconds(one.recover_s)


def headlines(findings: Findings) -> list[Headline]:
    """Give the few figures by which a rehearsal is remembered."""
    people = findings.people
    found = [
        Headline(
            value=percent(people[group].goodput),
            label=f"of {count(people[group].needs)} questions of {name.lower()} were good",
            tone=_tone(people[group].goodput),
        )
        for group, name in GROUP_NAMES.items()
        if group in people and people[group].needs
    ]
    if findings.attackers:
        taken = sum(one.cost_share or 0.0 for one in findings.attackers.values())
        tone = Tone.GOOD if taken <= _LITTLE else Tone.WARNING if taken <= _MUCH else Tone.DANGER
        tries = count(sum(one.tries for one in findings.attackers.values()))
        found.append(
            Headline(value=percent(taken), label=f"of all work was for attackers, who tried {tries} times", tone=tone)
        )
    alarms = findings.alarms.false_alarms
    label = "false alarm" if alarms == 1 else "false alarms"
    found.append(Headline(value=count(alarms), label=label, tone=Tone.DANGER if alarms else Tone.GOOD))
    return found


def sentences(findings: Findings) -> list[str]:
    """Say what happened, in the order in which an operator would tell it."""
    told = [
        f"{name}: {percent(one.goodput)} of {count(one.needs)} questions good, first token after "
        f"{seconds(one.first_s.p50)} in the median and {seconds(one.first_s.p95)} at the 95th percentile."
        for group, name in GROUP_NAMES.items()
        if (one := findings.people.get(group)) is not None and one.needs
    ]
    told += [_of_incident(one) for one in findings.incidents]
    refused = sum(one.false_refusals for one in findings.people.values())
    tries = sum(one.tries for one in findings.people.values())
    if tries:
        told.append(f"Of {count(tries)} tries of legitimate people {count(refused)} were refused.")
    sign_ups = sum(one.sign_ups for one in findings.people.values())
    if sign_ups:
        made = sum(one.sign_ups_made for one in findings.people.values())
        delayed = sum(one.sign_ups_delayed for one in findings.people.values())
        told.append(f"Of {count(sign_ups)} sign-ups {count(made)} became accounts, {count(delayed)} of them late.")
    if findings.promises.tested:
        told.append(
            f"Of {count(findings.promises.tested)} waits that were told first, "
            f"{percent(findings.promises.kept_share)} took no longer."
        )
    won = sum(one.accounts_won for one in findings.attackers.values())
    stolen = sum(one.passwords_found for one in findings.attackers.values())
    if findings.attackers:
        told.append(f"Attackers made {count(won)} accounts for themselves and got into {count(stolen)} of others.")
    return told


def _of_incident(one: IncidentFigures) -> str:
    name = "crowd" if one.kind == "crowd" else f"{one.kind} “{named(one.name)}”"
    noticed = (
        f"noticed after {seconds(one.detect_s)} ({named(one.detected_by)})"
        if one.detect_s is not None
        else "nothing rose because of it"
    )
    if one.mitigate_s is None:
        borne = "established people's goodput did not come back while it was watched"
    elif one.mitigate_s:
        borne = f"established people's goodput was back after {seconds(one.mitigate_s)}"
    else:
        borne = "established people's goodput never fell"
    if one.recover_s is not None:
        over = (
            f"all as before {seconds(one.recover_s)} after its end" if one.recover_s else "all as before when it ended"
        )
    elif one.recovery is Recovery.NOT_OBSERVED:
        over = "whether all was as before was not observed"
    else:
        over = "not all as before while it was watched"
    return f"The {name} from {seconds(one.from_s)} to {seconds(one.until_s)}: {noticed}; {borne}; {over}."


def _tone(goodput: float | None) -> Tone:
    if goodput is None:
        return Tone.PLAIN
    return Tone.GOOD if goodput >= _GOOD_FROM else Tone.WARNING if goodput >= _FAIR_FROM else Tone.DANGER
