"""What would have been different, by class: counted as it turns up, told at the end.

Classes are those in which the replay under the recorded policy saw a request.
"""

from __future__ import annotations

from array import array
from typing import Final

import msgspec

from tidegate.lab.replay.bench import End, Fate

MOST_NAMED: Final = 100_000
"""Callers of whom it is counted how much changed for them; later ones are not."""

SHOWN_NAMED: Final = 20
_MOST_WAITS: Final = 1_000_000
_SAME_S: Final = 0.1
"""A wait that is no more than this longer or shorter is the same."""

PASSED: Final = "passed"


class GateRow(msgspec.Struct, kw_only=True):
    """Decisions of the gate for one class. `moved` counts `before -> after`, where they differ."""

    decisions: int = 0
    passed_before: int = 0
    passed_after: int = 0
    passed_to_refused: int = 0
    refused_to_passed: int = 0
    moved: dict[str, int] = {}


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds until those who had a place had it."""

    p50_s: float | None = None
    p95_s: float | None = None


class ClaimRow(msgspec.Struct, kw_only=True):
    """Requests for inference of one class, and how they ended. `moved` as for the gate, with `end` or its reason."""

    claims: int = 0
    served_before: int = 0
    served_after: int = 0
    served_to_not: int = 0
    not_to_served: int = 0
    shorter: int = 0
    longer: int = 0
    waits_before: Waits = Waits()
    waits_after: Waits = Waits()
    moved: dict[str, int] = {}


class Changed(msgspec.Struct, kw_only=True):
    """For whom how much is different; `who` is the fingerprint of an account, as in the log, or of an address."""

    who: str
    changed: int = 0
    better: int = 0
    worse: int = 0


class Differences(msgspec.Struct, kw_only=True):
    """All of them."""

    gate: dict[str, GateRow] = {}
    claims: dict[str, ClaimRow] = {}
    most_changed: list[Changed] = []
    unnamed: int = 0


class Tally:
    """Counts differences."""

    def __init__(self) -> None:
        """Nothing was compared."""
        self._found = Differences()
        self._who: dict[str, Changed] = {}
        self._waits: dict[str, tuple[array[float], array[float]]] = {}

    def gate(self, standing: str, who: str, before: str, after: str) -> None:
        """Compare two decisions: `passed`, or why not."""
        row = self._found.gate.setdefault(standing, GateRow(moved={}))
        row.decisions += 1
        row.passed_before += before == PASSED
        row.passed_after += after == PASSED
        if before == after:
            return
        row.passed_to_refused += before == PASSED
        row.refused_to_passed += after == PASSED
        _count(row.moved, before, after)
        self._changed(who, is_better=after == PASSED, is_worse=before == PASSED)

    def claim(self, standing: str, who: str, before: Fate, after: Fate) -> None:
        """Compare two ends."""
        row = self._found.claims.setdefault(standing, ClaimRow(moved={}))
        row.claims += 1
        was, is_now = before.end is End.SERVED, after.end is End.SERVED
        row.served_before += was
        row.served_after += is_now
        row.served_to_not += was and not is_now
        row.not_to_served += is_now and not was
        waits = self._waits.setdefault(standing, (array("d"), array("d")))
        for fate, kept in zip((before, after), waits, strict=True):
            if fate.end in {End.SERVED, End.CUT} and len(kept) < _MOST_WAITS:
                kept.append(fate.wait_s)
        is_shorter = is_longer = False
        if was and is_now:
            is_shorter = after.wait_s < before.wait_s - _SAME_S
            is_longer = after.wait_s > before.wait_s + _SAME_S
            row.shorter += is_shorter
            row.longer += is_longer
        if _word(before) != _word(after):
            _count(row.moved, _word(before), _word(after))
        if was != is_now or is_shorter or is_longer:
            is_better = is_shorter or (is_now and not was)
            self._changed(who, is_better=is_better, is_worse=not is_better)

    def _changed(self, who: str, *, is_better: bool, is_worse: bool) -> None:
        one = self._who.get(who)
        if one is None:
            if len(self._who) >= MOST_NAMED:
                self._found.unnamed += 1
                return
            one = self._who[who] = Changed(who=who)
        one.changed += 1
        one.better += is_better
        one.worse += is_worse

    def result(self) -> Differences:
        """What was found."""
        found = self._found
        for standing, (before, after) in self._waits.items():
            row = found.claims[standing]
            row.waits_before, row.waits_after = _waits(before), _waits(after)
        found.most_changed = sorted(self._who.values(), key=lambda one: (-one.changed, one.who))[:SHOWN_NAMED]
        return found


def _word(fate: Fate) -> str:
    return fate.reason or fate.end.value


def _count(moved: dict[str, int], before: str, after: str) -> None:
    name = f"{before} -> {after}"
    moved[name] = moved.get(name, 0) + 1


def _waits(waits: array[float]) -> Waits:
    if not waits:
        return Waits()
    ordered = sorted(waits)
    return Waits(p50_s=_at(ordered, 0.5), p95_s=_at(ordered, 0.95))


def _at(ordered: list[float], part: float) -> float:
    """The nearest rank."""
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)
