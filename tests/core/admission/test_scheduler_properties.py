"""What the scheduler never does, whatever is asked of it and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.admission.telling import PLAN, Call, Telling, calls
from tidegate.core.standing.classes import Standing


@settings(max_examples=150)
@given(calls)
def test_places_charges_and_counts_come_out_right_under_every_interleaving(told: list[Call]) -> None:
    """Each call is checked as it is made, see telling.py; at the end nothing is left of anybody."""
    telling = Telling()
    for call in told:
        telling.tell(call)
    telling.end()

    scheduler = telling.scheduler
    assert scheduler.running == scheduler.waiting == scheduler.owners == 0
    assert scheduler._tickets == {}
    for standing in Standing:
        assert telling.charged[standing] == pytest.approx(telling.costs[standing], abs=1e-6)
        assert scheduler._lines[standing].waiting == {}


@settings(max_examples=40)
@given(calls)
def test_the_same_calls_have_the_same_answers(told: list[Call]) -> None:
    first, second = Telling(), Telling()
    for telling in (first, second):
        for call in told:
            telling.tell(call)
    assert first.answers == second.answers


@settings(max_examples=40)
@given(calls, st.floats(1.0, 1000.0))
def test_a_clock_that_steps_back_frees_nobody_and_forgives_nothing(told: list[Call], back_s: float) -> None:
    telling = Telling()
    for call in told:
        telling.tell(call)
    scheduler = telling.scheduler
    before = [scheduler._lines[standing].counters.virtual_time for standing in Standing]
    rates = [scheduler._reckoning.rate(standing, telling.now) for standing in Standing]
    telling.now -= back_s
    telling.check()
    assert [scheduler._lines[standing].counters.virtual_time for standing in Standing] == before
    for standing, rate in zip(Standing, rates, strict=True):
        assert scheduler._reckoning.rate(standing, telling.now) <= rate + 1e-9
        asked = Telling(PLAN).scheduler._reckoning
        assert asked.drain.rate == PLAN.cost.decode_tok_s
