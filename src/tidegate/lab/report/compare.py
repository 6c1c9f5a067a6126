"""Two rehearsals of one scenario, side by side: what differs, for whom, and which is better."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from tidegate.lab.judge.findings import Findings
from tidegate.lab.report.words import NONE, count, named, percent, seconds


class IncomparableError(ValueError):
    """Two findings are of different scenarios: their figures answer different questions."""


class Verdict(StrEnum):
    """Which of two is better, of the second."""

    BETTER = "better"
    WORSE = "worse"
    OTHER = "different"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that is not the same. `verdict` is of `another`; numbers as the findings have them."""

    whose: str
    what: str
    one: float | None
    another: float | None
    one_said: str
    another_said: str
    change_said: str
    verdict: Verdict


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    whose: str
    what: str
    value: float | None
    say: Callable[[float | None], str]
    better: int
    """1 where more is better, -1 where less is, 0 where neither."""


_MORE: Final = 1
_LESS: Final = -1
_POINTS_BELOW: Final = 0.0005


def compare(one: Findings, another: Findings, *, anyway: bool = False) -> list[Difference]:
    """Give what differs, in the order of the report.

    Raises IncomparableError for two scenarios, and for attackers of two versions, unless `anyway`.
    """
    if one.scenario_digest != another.scenario_digest and not anyway:
        msg = (
            f"these are of different scenarios, {one.scenario!r} and {another.scenario!r}"
            if one.scenario != another.scenario
            else f"{one.scenario!r} was changed between these two"
        )
        raise IncomparableError(msg)
    families = one.staging.families, another.staging.families
    if families[0] != families[1] and not anyway:
        msg = f"their attackers are of different versions, {families[0]} and {families[1]}"
        raise IncomparableError(msg)
    rows = {(row.whose, row.what): row for row in _rows(one)}
    others = {(row.whose, row.what): row for row in _rows(another)}
    found = []
    for key in [*rows, *(key for key in others if key not in rows)]:
        mine, theirs = rows.get(key), others.get(key)
        known = mine or theirs
        assert known is not None
        values = (mine.value if mine else None, theirs.value if theirs else None)
        if values[0] != values[1]:
            found.append(_difference(known, *values))
    return found


def _difference(row: _Row, one: float | None, another: float | None) -> Difference:
    verdict, change = Verdict.OTHER, ""
    if one is not None and another is not None:
        moved = (another - one) * row.better
        verdict = Verdict.BETTER if moved > 0 else Verdict.WORSE if moved < 0 else Verdict.OTHER
        change = _change(row, one, another)
    return Difference(
        whose=row.whose,
        what=row.what,
        one=one,
        another=another,
        one_said=row.say(one),
        another_said=row.say(another),
        change_said=change,
        verdict=verdict,
    )


def _change(row: _Row, one: float, another: float) -> str:
    by = another - one
    sign = "+" if by > 0 else "-"
    if row.say is percent:
        return f"{sign}{abs(by) * 100:.1f} points" if abs(by) >= _POINTS_BELOW else f"{sign}< 0.1 points"
    return f"{sign}{row.say(abs(by))}"


def _number(value: float | None) -> str:
    return NONE if value is None else count(value)


def _rows(findings: Findings) -> Iterator[_Row]:
    for group, one in findings.people.items():
        for what, value, say, better in (
            ("goodput", one.goodput, percent, _MORE),
            ("questions", one.needs, _number, 0),
            ("complete", one.completed, _number, _MORE),
            ("refused", one.refused, _number, _LESS),
            ("given up", one.abandoned, _number, _LESS),
            ("first token p50", one.first_s.p50, seconds, _LESS),
            ("first token p95", one.first_s.p95, seconds, _LESS),
            ("first token p99", one.first_s.p99, seconds, _LESS),
            ("gap p95", one.gap_s.p95, seconds, _LESS),
            ("false refusals", one.false_refusals, _number, _LESS),
            ("challenges", one.challenged, _number, _LESS),
            ("needless challenges", one.needless, _number, _LESS),
            ("signed in", one.sign_ins_ok, _number, _MORE),
            ("sign-in p95", one.sign_in_s.p95, seconds, _LESS),
            ("accounts made", one.sign_ups_made, _number, _MORE),
            ("sign-ups lost", one.sign_ups_lost, _number, _LESS),
            ("sign-ups delayed", one.sign_ups_delayed, _number, _LESS),
        ):
            yield _Row(whose=group, what=what, value=value, say=say, better=better)
    for name, attack in findings.attackers.items():
        for what, value, say, better in (
            ("part of all work", attack.cost_share, percent, _LESS),
            ("admitted", attack.admitted, _number, _LESS),
            ("output tokens", attack.output_tokens, _number, _LESS),
            ("accounts won", attack.accounts_won, _number, _LESS),
            ("passwords found", attack.passwords_found, _number, _LESS),
        ):
            yield _Row(whose=f"attack: {named(name)}", what=what, value=value, say=say, better=better)
    for number, incident in enumerate(findings.incidents, 1):
        for what, value in (
            ("detected after", incident.detect_s),
            ("mitigated after", incident.mitigate_s),
            ("recovered after", incident.recover_s),
        ):
            whose = f"{incident.kind} {number}: {named(incident.name)}"
            yield _Row(whose=whose, what=what, value=value, say=seconds, better=_LESS)
    for what, value, say, better in (
        ("false alarms", findings.alarms.false_alarms, _number, _LESS),
        ("waits kept", findings.promises.kept_share, percent, _MORE),
        ("mode changes", len(findings.moves) + findings.moves_left_out, _number, 0),
    ):
        yield _Row(whose="service", what=what, value=value, say=say, better=better)
