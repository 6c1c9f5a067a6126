"""The tables of a report as values, for the terminal and for the page: both say the same."""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.lab.judge.binned import share
from tidegate.lab.judge.definitions import intro
from tidegate.lab.judge.figures import IncidentFigures, LoadFigures, PeopleFigures
from tidegate.lab.judge.findings import Findings
from tidegate.lab.report.words import GROUP_NAMES, NONE, count, named, percent, recovered, seconds

_SHOWN_REASONS: Final = 12
_SHOWN_MOVES: Final = 60
_COURSE_ROWS: Final = 24


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One table. The first column names its row; those whose number is in `words` hold words."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = ()


def sheets(findings: Findings) -> list[Sheet]:
    """Give the tables that have anything to say."""
    found = [
        _questions(findings),
        _times(findings),
        _door(findings),
        _sign_ups(findings),
        _refusals(findings),
        _attackers(findings),
        _repelled(findings),
        _oddities(findings),
        _incidents(findings),
        _service(findings),
        _moves(findings),
    ]
    return [sheet for sheet in found if sheet.rows]


def course(findings: Findings) -> Sheet:
    """Give the course of things as a table: at most two dozen rows, each the mean of its intervals."""
    load = findings.load
    steps = len(load.mode)
    joined = max(1, -(-steps // _COURSE_ROWS))

    def mean(values: list[float] | list[float | None], place: int) -> float | None:
        known = [value for value in values[place : place + joined] if value is not None]
        return sum(known) / len(known) if known else None

    def number(values: list[float] | list[float | None], place: int) -> str:
        value = mean(values, place)
        return NONE if value is None else f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}"  # noqa: PLR2004 - two digits

    rows = [
        (
            seconds(place * load.step_s),
            *(number(_summed(values), place) for values in (load.offered, load.admitted, load.good)),
            *(percent(_joined(load, group, place, joined)) for group in load.goodput),
            number(load.running, place),
            number(load.waiting, place),
            named(load.mode[place]),
        )
        for place in range(0, steps, joined)
    ]
    return Sheet(
        title="Course",
        about=f"Means over {seconds(joined * load.step_s)} from the moment named. Tokens a second are everybody's.",
        columns=(
            *("From", "Offered tok/s", "Admitted tok/s", "Good tok/s"),
            *(f"Goodput {group}" for group in load.goodput),
            *("Running", "Waiting", "Mode"),
        ),
        rows=tuple(rows),
        words=(9,),
    )


def incident_cells(one: IncidentFigures) -> tuple[str, ...]:
    """Say one incident in a row: its name, then its figures in the order in which they are defined."""
    return (
        one.kind if one.kind == one.name else f"{one.kind}: {named(one.name)}",
        *(seconds(value) for value in (one.from_s, one.until_s, one.detect_s)),
        named(one.detected_by) or NONE,
        *(percent(value) for value in (one.level, one.lowest)),
        seconds(one.mitigate_s),
        recovered(one),
    )


def _joined(load: LoadFigures, group: str, place: int, joined: int) -> float | None:
    """Goodput over some intervals together, each as heavy as the questions in it."""
    asked = load.needs[group][place : place + joined]
    good = [
        (part or 0.0) * needs for part, needs in zip(load.goodput[group][place : place + joined], asked, strict=True)
    ]
    return share(sum(good), sum(asked))


def _summed(by_group: dict[str, list[float]]) -> list[float]:
    return [sum(values) for values in zip(*by_group.values(), strict=True)]


def _people(findings: Findings) -> list[tuple[str, PeopleFigures]]:
    return [
        (name.removesuffix(" people"), findings.people[group])
        for group, name in GROUP_NAMES.items()
        if group in findings.people
    ]


def _questions(findings: Findings) -> Sheet:
    return Sheet(
        title="Questions",
        about="What legitimate people got who asked the model something. What was cut off at the end is not among it.",
        columns=("", "Asked", "Good", "Complete", "Refused", "Left", "Cut off"),
        rows=tuple(
            (
                name,
                count(one.needs),
                percent(one.goodput),
                *(count(value) for value in (one.completed, one.refused, one.abandoned, one.undecided)),
            )
            for name, one in _people(findings)
            if one.needs
        ),
    )


def _times(findings: Findings) -> Sheet:
    return Sheet(
        title="How fast",
        about="From asking to the first token, and between the tokens of an answer.",
        columns=("", "First p50", "p95", "p99", "Gap p50", "p95", "p99"),
        rows=tuple(
            (
                name,
                *(_short(value) for value in (one.first_s.p50, one.first_s.p95, one.first_s.p99)),
                *(_short(value) for value in (one.gap_s.p50, one.gap_s.p95, one.gap_s.p99)),
            )
            for name, one in _people(findings)
            if one.first_s.count
        ),
    )


def _door(findings: Findings) -> Sheet:
    return Sheet(
        title="At the door",
        about="What legitimate people met on the way, try by try.",
        columns=("", "Tries", "False refusals", "Challenges", "Needless", "Pages shown", "Signed in", "Sign-in p95"),
        rows=tuple(
            (
                name,
                *(count(value) for value in (one.tries, one.false_refusals, one.challenged, one.needless)),
                _of(one.pages_ok, one.pages),
                _of(one.sign_ins_ok, one.sign_ins),
                _short(one.sign_in_s.p95),
            )
            for name, one in _people(findings)
            if one.tries
        ),
    )


def _sign_ups(findings: Findings) -> Sheet:
    return Sheet(
        title="Sign-ups",
        about="Whether people who wanted an account got one.",
        columns=("", "Wanted", "Made", "Lost", "Delayed", "Cut off", "Delay p50", "p95", "p99"),
        rows=tuple(
            (
                name,
                *(count(value) for value in (one.sign_ups, one.sign_ups_made, one.sign_ups_lost)),
                *(count(value) for value in (one.sign_ups_delayed, one.sign_ups_undecided)),
                *(
                    _short(value)
                    for value in (one.sign_up_delay_s.p50, one.sign_up_delay_s.p95, one.sign_up_delay_s.p99)
                ),
            )
            for name, one in _people(findings)
            if one.sign_ups
        ),
    )


def _refusals(findings: Findings) -> Sheet:
    return Sheet(
        title="Why people were refused",
        about="False refusals by the service's word for the reason.",
        columns=("", "False refusals", "Reasons"),
        rows=tuple(
            (name, count(one.false_refusals), _reasons(one.refused_by))
            for name, one in _people(findings)
            if one.refused_by
        ),
        words=(2,),
    )


def _attackers(findings: Findings) -> Sheet:
    return Sheet(
        title="Attackers",
        about="What each family of attackers got, and what it took from others.",
        columns=("", "Tries", "Admitted", "Work", "Tokens in", "out", "Accounts", "Passwords"),
        rows=tuple(
            (
                named(name),
                count(one.tries),
                count(one.admitted),
                percent(one.cost_share),
                *(
                    count(value)
                    for value in (one.prompt_tokens, one.output_tokens, one.accounts_won, one.passwords_found)
                ),
            )
            for name, one in findings.attackers.items()
        ),
    )


def _repelled(findings: Findings) -> Sheet:
    return Sheet(
        title="Why attackers were refused",
        about="Their refused tries by the service's word for the reason.",
        columns=("", "Refused", "Reasons"),
        rows=tuple(
            (named(name), count(one.refused), _reasons(one.refused_by))
            for name, one in findings.attackers.items()
            if one.refused_by
        ),
        words=(2,),
    )


def _oddities(findings: Findings) -> Sheet:
    return Sheet(
        title="Odd, and harmless",
        about=intro("oddities"),
        columns=("", "Questions", "Good", "Tries", "False refusals", "Challenges"),
        rows=tuple(
            (
                named(name),
                count(one.needs),
                percent(one.goodput),
                *(count(value) for value in (one.tries, one.false_refusals, one.challenged)),
            )
            for name, one in findings.oddities.items()
        ),
    )


def _incidents(findings: Findings) -> Sheet:
    return Sheet(
        title="Incidents",
        about="How soon each was noticed, borne and over.",
        columns=("", "From", "Until", "Detected", "by", "Goodput before", "lowest", "Mitigated", "Recovered"),
        rows=tuple(incident_cells(one) for one in findings.incidents),
        words=(4,),
    )


def _service(findings: Findings) -> Sheet:
    promises, alarms = findings.promises, findings.alarms
    rows = [
        (
            "False alarms",
            count(alarms.false_alarms),
            _reasons(alarms.false_by) or "nothing was called an attack that was none",
        ),
        ("Alarms in attacks", count(alarms.true), f"and {count(alarms.late)} shortly after one"),
        ("Closed in calm", count(alarms.raised_in_calm), "times that registration closed further without an attack"),
        (
            "Waits kept",
            percent(promises.kept_share),
            f"of {count(promises.tested)} had; {count(promises.told)} were told",
        ),
        (
            "Had / told",
            NONE if promises.ratio.p50 is None else f"{promises.ratio.p50:.2f}",
            "in the median; 1 is exact",
        ),
    ]
    return Sheet(
        title="The service's word",
        about="Alarms, and waits that were told.",
        columns=("", "", ""),
        rows=tuple(rows),
        words=(2,),
    )


def _moves(findings: Findings) -> Sheet:
    rows = [
        (seconds(one.at_s), named(one.was), named(one.to), one.by, one.detail or NONE)
        for one in findings.moves[:_SHOWN_MOVES]
    ]
    more = len(findings.moves) + findings.moves_left_out - len(rows)
    return Sheet(
        title="Registration's modes",
        about=f"{count(more)} more changes are not shown." if more else "Every change.",
        columns=("At", "From", "To", "By", "Because"),
        rows=tuple(rows),
        words=(1, 2, 3, 4),
    )


def _short(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f} s" if 0 < value < 1 else seconds(value)


def _of(part: int, whole: int) -> str:
    return NONE if not whole else percent(part / whole)


def _reasons(by: dict[str, int]) -> str:
    said = [f"{named(word)} {count(times)}" for word, times in list(by.items())[:_SHOWN_REASONS]]
    return ", ".join([*said, *(["..."] if len(by) > _SHOWN_REASONS else [])])
