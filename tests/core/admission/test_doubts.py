"""A server that is wrong about a key for a moment shuts nobody out for longer than it is wrong."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.admission.gating import AT, KNOWN, OTHER, genuine, passed
from tests.core.admission.gating import gate as a_gate
from tidegate.core.admission.doubts import Doubts

KEY = KNOWN.entropy
ASKS = genuine(digest=KEY)


def test_once_says_nothing_and_each_further_time_doubles_up_to_a_minute() -> None:
    doubts, now, told = Doubts(10), AT, []
    for _ in range(10):
        told.append(doubts.missed(KEY, now))
        now += told[-1]
    assert told == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_what_was_on_its_way_counts_once() -> None:
    doubts = Doubts(10)
    assert [doubts.missed(KEY, AT) for _ in range(16)] == [0.0, 1.0, *[0.0] * 14]
    assert doubts.missed(KEY, AT + 1.0) == 2.0


def test_an_answer_or_a_quiet_minute_ends_the_doubt() -> None:
    doubts = Doubts(10)
    for _ in range(5):
        assert doubts.missed(KEY, AT) == 0.0
        doubts.forget(KEY)
    assert doubts.missed(KEY, AT) == 0.0
    assert doubts.missed(KEY, AT + 59.0) == 1.0
    assert doubts.missed(KEY, AT + 120.5) == 0.0
    doubts.forget(b"another")


def test_only_so_many_are_remembered() -> None:
    doubts = Doubts(2)
    for key in (b"a", b"b", b"a", b"c"):
        doubts.missed(key, AT)
    assert len(doubts) == 2
    assert doubts.missed(b"b", AT + 2.0) == 0.0, "it was forgotten"
    doubts.reshape(1)
    assert len(doubts) == 1


def test_a_key_that_has_proved_itself_passes_after_one_refusal_and_is_refused_for_a_second_after_two() -> None:
    gate = a_gate()
    gate.note_turned_down(KEY, AT)
    assert passed(gate, ASKS, times=1) == 1
    gate.note_turned_down(KEY, AT)
    assert passed(gate, ASKS, times=1) == 0
    assert passed(gate, ASKS, times=1, now=AT + 1.01) == 1
    gate.note_turned_down(KEY, AT + 1.5)
    assert passed(gate, ASKS, times=1, now=AT + 3.0) == 0
    gate.note_alive(KEY)
    assert passed(gate, ASKS, times=1, now=AT + 3.0) == 1
    gate.note_turned_down(KEY, AT + 3.0)
    assert passed(gate, ASKS, times=1, now=AT + 3.0) == 1, "it was answered in between"
    assert gate.remembered["doubts"] == 1


def test_a_key_that_was_taken_away_is_asked_about_a_few_times_a_minute() -> None:
    gate = a_gate(principal_rate=1e6, principal_burst=1e6)
    asked = []
    for tenth in range(3000):
        if passed(gate, ASKS, times=1, now=AT + tenth / 10):
            asked.append(tenth / 10)
            gate.note_turned_down(KEY, AT + tenth / 10)
    assert sum(at < 60.0 for at in asked) <= 8
    assert len(asked) <= 8 + 5


def test_a_key_that_has_not_proved_itself_is_refused_at_once_and_for_as_long_as_the_plan_says() -> None:
    gate = a_gate()
    unknown = genuine(OTHER, digest=OTHER.entropy)
    gate.note_turned_down(OTHER.entropy, AT)
    assert passed(gate, unknown, times=1, now=AT + 59.9) == 0
    assert passed(gate, unknown, times=1, now=AT + 60.1) == 1
    assert gate.remembered["doubts"] == 0


@pytest.mark.parametrize("most", [1, 3])
def test_another_plan_bounds_the_doubts_too(most: int) -> None:
    gate = a_gate()
    for _ in range(2):
        gate.note_turned_down(KEY, AT)
    gate.apply(msgspec.structs.replace(gate.plan, most_principals=most))
    assert gate.remembered["doubts"] == 1
