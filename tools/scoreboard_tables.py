# long because: each question that an operator asks has its table here, and they are read together
"""The tables of docs/scoreboard.md, one for each question that an operator asks, made of findings alone.

Columns have the titles that docs/reference/figures.md gives to their figures, and below each table stands what they
mean: both come from the figures themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from tidegate.lab.acts import Group
from tidegate.lab.gates import GateKind
from tidegate.lab.judge.course import rank
from tidegate.lab.judge.definitions import definitions
from tidegate.lab.judge.figures import AttackFigures, OddityFigures, PeopleFigures
from tidegate.lab.judge.findings import Findings
from tidegate.lab.report.words import NONE, count, named, percent, recovered, seconds

Board = Mapping[str, Mapping[GateKind, Findings]]
"""What was found, by the scenario's name and what stood before the engine."""

OURS: Final = GateKind.TIDEGATE
GATES: Final = tuple(GateKind)
_TITLES: Final = {(one.table, one.field): one.title for one in definitions()}
_SAYS: Final = {(one.table, one.field): one.says for one in definitions()}
_SHOWN_MOVES: Final = 6
_Row = tuple[str, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its answers. The first `words` columns hold words; `figures` are explained below it."""

    question: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[_Row, ...]
    figures: tuple[tuple[str, str], ...] = ()
    words: int = 1


def tables(board: Board) -> list[Table]:
    """Give all tables that have a row, in the order in which they are asked for."""
    found = [
        _goodput(board, Group.ESTABLISHED, "Do those who were there before get good answers?"),
        _goodput(board, Group.NEW, "And newcomers?"),
        _first(board),
        _attackers(board),
        _winnings(board),
        _sign_ups(board),
        _burdens(board),
        _oddities(board),
        _promises(board),
        _incidents(board),
        _modes(board),
        _alarms(board),
    ]
    return [table for table in found if table.rows]


def calm(board: Board) -> list[str]:
    """Give the scenarios in which nobody attacks, whatever it looks like."""
    return [
        name
        for name, by_gate in board.items()
        if OURS in by_gate and not any(mark.kind == "attack" for mark in by_gate[OURS].marks)
    ]


def false_alarms(board: Board) -> dict[str, int]:
    """Give how often somebody was called an attacker where nobody was one, of the scenarios in which that happened."""
    told = {name: board[name][OURS].alarms.false_alarms for name in calm(board)}
    return {name: alarms for name, alarms in told.items() if alarms}


def written(table: Table) -> str:
    """Write it as Markdown, what its figures mean below it."""
    lines = [f"## {table.question}", "", *([table.about, ""] if table.about else [])]
    lines += [
        _line(table.columns),
        _line("---" if place < table.words else "---:" for place in range(len(table.columns))),
    ]
    lines += [_line(row) for row in table.rows]
    if table.figures:
        lines += ["", *(f"- {_TITLES[one]} (`{one[0]}.{one[1]}`): {_SAYS[one]}" for one in table.figures)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _by_gate(title: str) -> _Row:
    return tuple(f"{title}: {gate}" for gate in GATES)


def _each(by_gate: Mapping[GateKind, Findings], said: Callable[[Findings], str]) -> _Row:
    return tuple(said(by_gate[gate]) if gate in by_gate else NONE for gate in GATES)


def _ours(board: Board) -> Iterator[tuple[str, Findings]]:
    for name, by_gate in board.items():
        if OURS in by_gate:
            yield name, by_gate[OURS]


def _summed(findings: Findings, field: str) -> int:
    """One figure of all legitimate people together."""
    return sum(int(getattr(figures, field)) for figures in findings.people.values())


def _goodput(board: Board, group: Group, question: str) -> Table:
    return Table(
        question=question,
        about="",
        columns=("Scenario", _TITLES["people", "needs"], *_by_gate(_TITLES["people", "goodput"])),
        rows=tuple(
            (
                name,
                count(by_gate[OURS].people[group].needs) if OURS in by_gate else NONE,
                *_each(by_gate, lambda one: percent(one.people[group].goodput)),
            )
            for name, by_gate in board.items()
        ),
        figures=(("people", "needs"), ("people", "goodput"), ("people", "good")),
    )


def _first(board: Board) -> Table:
    title = f"{_TITLES['people', 'first_s']}, p95"
    return Table(
        question="How long do they wait for the first word?",
        about="The 95th percentile, of questions that got an answer at all: read it together with goodput.",
        columns=("Scenario", *_by_gate(f"{title}, established"), *_by_gate(f"{title}, new")),
        rows=tuple(
            (
                name,
                *_each(by_gate, lambda one: seconds(one.people[Group.ESTABLISHED].first_s.p95)),
                *_each(by_gate, lambda one: seconds(one.people[Group.NEW].first_s.p95)),
            )
            for name, by_gate in board.items()
        ),
        figures=(("people", "first_s"),),
    )


def _families(board: Board) -> Iterator[tuple[str, str]]:
    """Each scenario with each of its families."""
    for name, by_gate in board.items():
        for family in sorted({family for findings in by_gate.values() for family in findings.attackers}):
            yield name, family


def _each_family(by_gate: Mapping[GateKind, Findings], family: str, said: Callable[[AttackFigures], str]) -> _Row:
    return _each(by_gate, lambda one: said(one.attackers[family]) if family in one.attackers else NONE)


def _each_odd(by_gate: Mapping[GateKind, Findings], odd: str, said: Callable[[OddityFigures], str]) -> _Row:
    return _each(by_gate, lambda one: said(one.oddities[odd]) if odd in one.oddities else NONE)


def _lowest_elsewhere(by_gate: Mapping[GateKind, Findings], place: int) -> _Row:
    return _each(by_gate, lambda one: percent(one.incidents[place].lowest))[1:]


def _attackers(board: Board) -> Table:
    return Table(
        question="How much of the work is for attackers?",
        about="",
        columns=(
            *("Scenario", "Family"),
            *_by_gate(_TITLES["attackers", "tries"]),
            *_by_gate(_TITLES["attackers", "cost_share"]),
        ),
        rows=tuple(
            (
                name,
                named(family),
                *_each_family(board[name], family, lambda one: count(one.tries)),
                *_each_family(board[name], family, lambda one: percent(one.cost_share)),
            )
            for name, family in _families(board)
        ),
        figures=(("attackers", "tries"), ("attackers", "cost_share")),
        words=2,
    )


def _winnings(board: Board) -> Table:
    fields = ("accounts_won", "passwords_found")
    rows = []
    for name, family in _families(board):
        won = _each_family(board[name], family, lambda one: count(one.accounts_won))
        got_in = _each_family(board[name], family, lambda one: count(one.passwords_found))
        if any(said not in {"0", NONE} for said in (*won, *got_in)):
            rows.append((name, named(family), *won, *got_in))
    return Table(
        question="What else do attackers get?",
        about="Families that got nothing anywhere are left out. Without a gate whoever signs up has an account.",
        columns=("Scenario", "Family", *(title for field in fields for title in _by_gate(_TITLES["attackers", field]))),
        rows=tuple(rows),
        figures=tuple(("attackers", field) for field in fields),
        words=2,
    )


def _sign_ups(board: Board) -> Table:
    fields = ("sign_ups", "sign_ups_made", "sign_ups_lost", "sign_ups_delayed")
    return Table(
        question="Do people get their accounts?",
        about="Under Tidegate, all legitimate people together, and what is lost without it.",
        columns=(
            "Scenario",
            *(_TITLES["people", field] for field in fields),
            f"{_TITLES['people', 'sign_up_delay_s']}, p95",
            *(f"{_TITLES['people', 'sign_ups_lost']}: {gate}" for gate in GATES if gate is not OURS),
        ),
        rows=tuple(
            (
                name,
                *(count(_summed(ours, field)) for field in fields),
                seconds(_longest(ours)),
                *_each(board[name], lambda one: count(_summed(one, "sign_ups_lost")))[1:],
            )
            for name, ours in _ours(board)
            if _summed(ours, "sign_ups")
        ),
        figures=tuple(("people", field) for field in (*fields, "sign_up_delay_s")),
    )


def _longest(findings: Findings) -> float | None:
    """The delay's 95th percentile of the group that had the longest: nearly all who sign up are of one."""
    known = [one.sign_up_delay_s.p95 for one in findings.people.values() if one.sign_up_delay_s.p95 is not None]
    return max(known, default=None)


def _burdens(board: Board) -> Table:
    fields = ("tries", "challenged", "needless")
    return Table(
        question="What does protection cost those whom it is for?",
        about="All legitimate people together. A place that is taken is a refusal under every gate.",
        columns=(
            "Scenario",
            *(_TITLES["people", field] for field in fields),
            *_by_gate(_TITLES["people", "false_refusals"]),
            f"{_TITLES['people', 'refused_by']}: {OURS}",
        ),
        rows=tuple(
            (
                name,
                *(count(_summed(ours, field)) for field in fields),
                *_each(board[name], lambda one: count(_summed(one, "false_refusals"))),
                _reasons(ours.people.values()),
            )
            for name, ours in _ours(board)
        ),
        figures=tuple(("people", field) for field in (*fields, "false_refusals", "refused_by")),
    )


def _reasons(people: Iterable[PeopleFigures]) -> str:
    """The three most frequent reasons, equals by name."""
    by: dict[str, int] = {}
    for figures in people:
        for reason, times in figures.refused_by.items():
            by[reason] = by.get(reason, 0) + times
    first = sorted(by.items(), key=lambda one: (-one[1], one[0]))[:3]
    return ", ".join(f"{named(reason)} {count(times)}" for reason, times in first) or NONE


def _oddities(board: Board) -> Table:
    fields = ("needs", "tries", "challenged")
    return Table(
        question="Are those who look odd, and are harmless, left alone?",
        about="",
        columns=(
            *("Scenario", "Oddity"),
            *(_TITLES["oddities", field] for field in fields),
            *_by_gate(_TITLES["oddities", "goodput"]),
            *_by_gate(_TITLES["oddities", "false_refusals"]),
        ),
        rows=tuple(
            (
                *(name, named(odd)),
                *(count(getattr(figures, field)) for field in fields),
                *_each_odd(board[name], odd, lambda one: percent(one.goodput)),
                *_each_odd(board[name], odd, lambda one: count(one.false_refusals)),
            )
            for name, ours in _ours(board)
            for odd, figures in ours.oddities.items()
        ),
        figures=tuple(("oddities", field) for field in (*fields, "goodput", "false_refusals")),
        words=2,
    )


def _promises(board: Board) -> Table:
    fields = ("told", "tested", "kept_share", "ratio")
    return Table(
        question="Are promised waits kept?",
        about="Under Tidegate: the others tell nobody how long to wait.",
        columns=(
            "Scenario",
            *(_TITLES["promises", field] for field in fields[:3]),
            *(f"{_TITLES['promises', 'ratio']}, {part}" for part in ("p50", "p95")),
        ),
        rows=tuple(
            (
                name,
                count(one.told),
                count(one.tested),
                percent(one.kept_share),
                *(NONE if value is None else f"{value:.2f}" for value in (one.ratio.p50, one.ratio.p95)),
            )
            for name, ours in _ours(board)
            if (one := ours.promises).told
        ),
        figures=tuple(("promises", field) for field in fields),
    )


def _incidents(board: Board) -> Table:
    fields = ("from_s", "until_s", "detect_s", "detected_by", "level", "lowest", "mitigate_s", "recover_s")
    return Table(
        question="How soon is an attack, a crowd or a fault noticed, borne and over?",
        about="Under Tidegate, and the lowest goodput without it.",
        columns=(
            *("Scenario", "Incident"),
            *(_TITLES["incidents", field] for field in fields),
            *(f"{_TITLES['incidents', 'lowest']}: {gate}" for gate in GATES if gate is not OURS),
        ),
        rows=tuple(
            (
                *(name, one.kind if one.kind == one.name else f"{one.kind}: {named(one.name)}"),
                *(seconds(value) for value in (one.from_s, one.until_s, one.detect_s)),
                named(one.detected_by) or NONE,
                *(percent(value) for value in (one.level, one.lowest)),
                seconds(one.mitigate_s),
                recovered(one),
                *_lowest_elsewhere(board[name], place),
            )
            for name, ours in _ours(board)
            for place, one in enumerate(ours.incidents)
        ),
        figures=tuple(("incidents", field) for field in fields[2:]),
        words=2,
    )


def _modes(board: Board) -> Table:
    return Table(
        question="How often does registration change its mode?",
        about="Under Tidegate. The course names the first changes; many services side by side each have their own.",
        columns=("Scenario", "Changes", "Most closed", _TITLES["alarms", "raised_in_calm"], "Course"),
        rows=tuple(
            (
                name,
                count(len(ours.moves) + ours.moves_left_out),
                named(max((one.to for one in ours.moves), key=rank, default="open")),
                count(ours.alarms.raised_in_calm),
                ", ".join(
                    [
                        *(f"{named(one.to)} at {seconds(one.at_s)}" for one in ours.moves[:_SHOWN_MOVES]),
                        *(["..."] if len(ours.moves) > _SHOWN_MOVES else []),
                    ]
                )
                or NONE,
            )
            for name, ours in _ours(board)
        ),
        figures=(("alarms", "raised_in_calm"),),
    )


def _alarms(board: Board) -> Table:
    fields = ("false_alarms", "late", "true")
    quiet = set(calm(board))
    return Table(
        question="Is anybody called an attacker who is none?",
        about="Under Tidegate. Where nobody attacks there must be no false alarm at all.",
        columns=("Scenario", "Attacked", *(_TITLES["alarms", field] for field in fields), "Verdict"),
        rows=tuple(
            (
                name,
                "no" if name in quiet else "yes",
                *(count(getattr(ours.alarms, field)) for field in fields),
                NONE if name not in quiet else "wrong" if ours.alarms.false_alarms else "as it must be",
            )
            for name, ours in _ours(board)
        ),
        figures=tuple(("alarms", field) for field in fields),
        words=2,
    )
