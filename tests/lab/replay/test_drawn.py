"""Who was let in when it was tight is let in again, under whatever name."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tidegate.core.admission.cursor import Cursor, level
from tidegate.lab.replay import drawn
from tidegate.lab.replay.drawn import Drawn, Recalled

NAMES = [f"usr_{number:016x}" for number in range(40)]


def tight(cursors: Iterable[Cursor]) -> None:
    for cursor in cursors:
        for second in range(20):
            cursor.saw(second + 1.0, is_overloaded=True)
        assert 0.3 < cursor.part < 0.5


def test_whoever_was_let_in_is_and_whoever_was_not_is_not_in_both_worlds() -> None:
    known = Drawn()
    own, other = Recalled(known, is_own=True), Recalled(known, is_own=False)
    assert own.lets_in(NAMES[0], 1.0)
    tight((own, other))
    was_in = {name: number % 3 == 0 for number, name in enumerate(NAMES)}

    for name, is_in in was_in.items():
        known.turn_to(is_in=is_in)
        assert own.lets_in(name, 30.0) is is_in
        assert other.lets_in(name, 30.0) is is_in
    known.turn_to(is_in=None)
    assert {name: own.lets_in(name, 60.0) for name in NAMES} == was_in


def test_of_whom_no_line_tells_the_name_decides() -> None:
    known = Drawn()
    own, plain = Recalled(known, is_own=True), Cursor()
    tight((own, plain))

    assert [own.lets_in(name, 30.0) for name in NAMES] == [plain.lets_in(name, 30.0) for name in NAMES]


def test_the_next_hour_nothing_is_known_and_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "MOST_KNOWN", 2)
    known = Drawn()
    moved = [name for name in NAMES if level(name, 0.0) > 0.5][:3]
    known.turn_to(is_in=True)
    for name in moved:
        known.level(name, 0.5, 0.0, is_own=True)
    known.turn_to(is_in=None)

    assert [known.level(name, 0.5, 0.0, is_own=True) < 0.5 for name in moved] == [False, True, True]
    assert known.level(moved[2], 0.5, 4000.0, is_own=True) == level(moved[2], 4000.0)
