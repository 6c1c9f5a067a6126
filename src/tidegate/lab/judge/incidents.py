"""When something was noticed, borne and over: for each attack, crowd and fault of a scenario.

A signal is a suspicion, a handover to a firewall, or a registration mode that rose, each by the service itself.
Findings that nothing called for are false alarms, and are counted one by one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.lab.acts import Group
from tidegate.lab.hearing import Happened
from tidegate.lab.judge.binned import rounded
from tidegate.lab.judge.course import Course, rank
from tidegate.lab.judge.figures import (
    BACK_PART,
    BACK_STEPS,
    LATE_S,
    STEP_NEEDS,
    AlarmFigures,
    IncidentFigures,
    Move,
    Recovery,
)
from tidegate.lab.judge.findings import Mark
from tidegate.lab.judge.tallies import Counts
from tidegate.lab.scenario import Scenario

MOST_MOVES: Final = 2000
_ALARMS: Final = ("suspicion", "handover")
_DRY: Final = "dry_run"


def marks_of(scenario: Scenario) -> tuple[Mark, ...]:
    """Give everything of a scenario that is on for a while, by its onset."""
    found = [
        *(Mark(kind="attack", name=one.family, from_s=one.from_s, until_s=one.until_s) for one in scenario.attack),
        *(Mark(kind="crowd", name="crowd", from_s=one.from_s, until_s=one.until_s) for one in scenario.crowd),
        *(Mark(kind="fault", name=one.kind, from_s=one.from_s, until_s=one.until_s) for one in scenario.fault),
        *(Mark(kind="odd", name=one.kind, from_s=one.from_s, until_s=one.until_s) for one in scenario.odd),
    ]
    return tuple(sorted(found, key=lambda mark: (mark.from_s, mark.until_s, mark.kind, mark.name)))


class _Step(msgspec.Struct):
    """Intervals joined until they hold enough questions of established people."""

    from_s: float
    needs: int = 0
    good: int = 0

    def is_below(self, level: float) -> bool:
        """Whether fewer were good than chance explains, one question given."""
        return self.good + 1 < BACK_PART * level * self.needs


class Lookout:
    """Hears what moves, and says afterwards what it was about."""

    def __init__(self, scenario: Scenario, cell: int = 0) -> None:
        """Knows what the service must find out: when the scenario attacks."""
        self.marks = marks_of(scenario)
        self.moves: list[Move] = []
        self.moves_left_out = 0
        self._warm_s, self._duration_s, self._cell = scenario.warm_s, scenario.duration_s, cell
        self._attacks = [mark for mark in self.marks if mark.kind == "attack"]
        self._first: dict[int, tuple[float, str]] = {}
        self._false, self._late, self._true, self._raised_in_calm = Counts(), 0, 0, 0

    def is_calm(self, at_s: float) -> bool:
        """Whether nothing of the scenario is an attack at that moment."""
        for mark in self._attacks:  # noqa: SIM110 - asked with every try, and a generator costs more than the rest
            if mark.from_s <= at_s < mark.until_s:
                return False
        return True

    def happened(self, happened: Happened) -> None:
        """Hear it."""
        if happened.what == "mode":
            self._move(happened)
        elif happened.what in _ALARMS and happened.by != "operator" and not _is_over(happened):
            self._alarm(happened)

    def _move(self, happened: Happened) -> None:
        if len(self.moves) < MOST_MOVES:
            told = {name: getattr(happened, name) for name in ("was", "to", "by", "detail")}
            self.moves.append(Move(at_s=rounded(happened.at_s), cell=self._cell, **told))
        else:
            self.moves_left_out += 1
        if rank(happened.to) > rank(happened.was) and happened.by != "operator":
            self._raised_in_calm += self.is_calm(happened.at_s)
            self._signal(happened.at_s, f"mode {happened.to}")

    def _alarm(self, happened: Happened) -> None:
        at_s, said = happened.at_s, f"{happened.what} {happened.to}".rstrip()
        if not self.is_calm(at_s):
            self._true += 1
        elif any(mark.until_s <= at_s < mark.until_s + LATE_S for mark in self._attacks):
            self._late += 1
        else:
            self._false.add(said)
        self._signal(at_s, said)

    def _signal(self, at_s: float, said: str) -> None:
        for number, mark in enumerate(self.marks):
            if number not in self._first and mark.from_s <= at_s < mark.until_s + LATE_S:
                self._first[number] = (at_s, said)

    def merge(self, other: Lookout) -> None:
        """Add what was heard of another service in the same scenario."""
        for number, first in other._first.items():
            self._first[number] = min(first, self._first.get(number, first))
        moves = sorted([*self.moves, *other.moves], key=lambda move: (move.at_s, move.cell))
        self.moves_left_out += other.moves_left_out + max(0, len(moves) - MOST_MOVES)
        self.moves = moves[:MOST_MOVES]
        self._false.merge(other._false)
        self._late += other._late
        self._true += other._true
        self._raised_in_calm += other._raised_in_calm

    def alarms(self) -> AlarmFigures:
        """Give how often something was called an attack, rightly and wrongly."""
        return AlarmFigures(
            false_alarms=self._false.total,
            false_by=self._false.sorted(),
            late=self._late,
            true=self._true,
            raised_in_calm=self._raised_in_calm,
        )

    def incidents(self, course: Course) -> tuple[IncidentFigures, ...]:
        """Give how soon each was noticed, borne and over."""
        ranks = course.ranks()
        return tuple(
            self._incident(number, mark, course, ranks) for number, mark in enumerate(self.marks) if mark.kind != "odd"
        )

    def _incident(self, number: int, mark: Mark, course: Course, ranks: list[int]) -> IncidentFigures:
        first_s, said = self._first.get(number, (None, ""))
        level = self._level_before(mark, course)
        end = self._end(mark, course)
        steps = _steps(course, course.at(mark.from_s), end)
        back_s = _back_s(steps, mark.from_s, level)
        after = _steps(course, course.at(mark.until_s), end)
        over_s = _back_s(after, mark.until_s, level)
        open_s = _open_s(mark, course.step_s, ranks[:end])
        # Whoever was asked during it, and not after it, has not shown that anything is as before.
        is_watched = mark.until_s + course.step_s <= self._next_s(mark) and (bool(after) or not steps)
        recover_s = None if over_s is None or open_s is None or not is_watched else max(over_s, open_s)
        unrecovered = Recovery.NOT_RECOVERED if is_watched else Recovery.NOT_OBSERVED
        return IncidentFigures(
            kind=mark.kind,
            name=mark.name,
            from_s=mark.from_s,
            until_s=mark.until_s,
            detect_s=None if first_s is None else rounded(first_s - mark.from_s),
            detected_by=said,
            level=level,
            lowest=min((rounded(step.good / step.needs) for step in steps), default=None),
            mitigate_s=back_s,
            recover_s=recover_s,
            recovery=unrecovered if recover_s is None else Recovery.RECOVERED,
        )

    def _end(self, mark: Mark, course: Course) -> int:
        """The interval in which the next one begins, whose doing is all that follows; or the end."""
        next_s = self._next_s(mark)
        return max(course.at(next_s), course.at(mark.until_s) + 1) if next_s < self._duration_s else course.steps

    def _next_s(self, mark: Mark) -> float:
        """When the next one begins after it; or the end."""
        later = (one.from_s for one in self.marks if one.kind != "odd" and one.from_s >= mark.until_s)
        return min(later, default=self._duration_s)

    def _level_before(self, mark: Mark, course: Course) -> float:
        """Goodput of established people while nothing was on yet; 1 where none of them asked."""
        needs = good = 0
        for place in range(course.at(self._warm_s), course.at(mark.from_s)):
            at_s = place * course.step_s
            if not any(one.from_s < at_s + course.step_s and at_s < one.until_s for one in self.marks):
                needs += course.needs[Group.ESTABLISHED][place]
                good += course.good[Group.ESTABLISHED][place]
        return rounded(good / needs) if needs else 1.0


def _is_over(happened: Happened) -> bool:
    """Whether it tells of nothing new: a suspicion that has ceased, or what would have been handed over only."""
    return (bool(happened.was) and not happened.to) or (happened.what == "handover" and happened.to == _DRY)


def _steps(course: Course, first: int, end: int) -> list[_Step]:
    steps: list[_Step] = []
    for place in range(first, end):
        if not steps or steps[-1].needs >= STEP_NEEDS:
            steps.append(_Step(place * course.step_s))
        steps[-1].needs += course.needs[Group.ESTABLISHED][place]
        steps[-1].good += course.good[Group.ESTABLISHED][place]
    return [step for step in steps if step.needs >= STEP_NEEDS]


def _back_s(steps: list[_Step], from_s: float, level: float) -> float | None:
    """Seconds until as many steps in a row were as good as before; 0 if none was worse, None if it stayed so."""
    fell = next((number for number, step in enumerate(steps) if step.is_below(level)), None)
    if fell is None:
        return 0.0
    for number in range(fell, len(steps) - BACK_STEPS + 1):
        if not any(step.is_below(level) for step in steps[number : number + BACK_STEPS]):
            return rounded(max(0.0, steps[number].from_s - from_s))
    return None


def _open_s(mark: Mark, step_s: float, ranks: list[int]) -> float | None:
    """Seconds from its end until registration was as open as before its onset."""
    onset = int(mark.from_s / step_s)
    before = ranks[onset - 1] if onset else 0
    for place in range(int(mark.until_s / step_s), len(ranks)):
        if ranks[place] <= before:
            return rounded(max(0.0, place * step_s - mark.until_s))
    return None
