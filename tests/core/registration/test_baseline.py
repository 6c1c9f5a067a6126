"""What is usual at this hour is learned from past days, and a flood does not teach it."""

from __future__ import annotations

import msgspec
import pytest

from tidegate.core.registration.baseline import Baseline, BaselinePlan, BaselineState

DAY_S = 86_400.0
MIDNIGHT = 1_800_057_600.0
PLAN = BaselinePlan()


def lived(baseline: Baseline, days: int, quiet: float, busy: float, since: float = MIDNIGHT) -> float:
    """Days of a quiet rate, with a busy hour at noon; answers when they are over."""
    for minute in range(days * 1440):
        at = since + minute * 60.0
        baseline.learn(at, busy if int(at // 3600) % 24 == 12 else quiet)
    return since + days * DAY_S


def noon(day: float) -> float:
    return day + 12 * 3600.0


def test_before_anything_was_seen_and_where_little_happens_it_is_the_floor() -> None:
    baseline = Baseline(PLAN)
    assert baseline.per_min(MIDNIGHT) == PLAN.floor_per_min
    assert baseline.per_min(lived(baseline, 2, 0.0, 0.5)) == PLAN.floor_per_min


def test_an_hour_that_is_busy_every_day_is_usual_then_and_unusual_at_night() -> None:
    baseline = Baseline(PLAN)
    after = lived(baseline, 14, 2.0, 40.0)
    assert baseline.per_min(noon(after)) == pytest.approx(40.0, rel=0.2)
    assert baseline.per_min(after + 3 * 3600.0) == PLAN.floor_per_min


def test_on_the_first_day_the_hours_speak_for_each_other() -> None:
    fresh = Baseline(PLAN)
    for minute in range(50):
        fresh.learn(MIDNIGHT + minute * 60.0, 9.0)
    assert fresh.per_min(MIDNIGHT + 5 * 3600.0) == pytest.approx(9.0, rel=0.2)


def test_within_an_hour_it_stands_still_and_a_flood_raises_it_by_half_a_day_at_most() -> None:
    baseline = Baseline(PLAN)
    day = lived(baseline, 10, 10.0, 10.0)
    usual = baseline.per_min(noon(day))
    for flooded in range(1, 4):
        for minute in range(60):
            baseline.learn(noon(day) + minute * 60.0, 30_000.0)
        assert baseline.per_min(noon(day) + 3599.0) <= usual * (1.5 * 1.2) ** (flooded - 1)
        day += DAY_S
    assert usual * 1.5 < baseline.per_min(noon(day)) < usual * (1.5 * 1.2) ** 3


def test_who_grows_for_good_is_followed_and_what_is_over_is_forgotten() -> None:
    baseline = Baseline(PLAN)
    day = lived(baseline, 5, 10.0, 10.0)
    day = lived(baseline, 12, 60.0, 60.0, day)
    assert baseline.per_min(noon(day)) == pytest.approx(60.0, rel=0.2)
    day = lived(baseline, 20, 8.0, 8.0, day)
    assert baseline.per_min(noon(day)) == pytest.approx(8.0, rel=0.2)


def test_a_minute_counts_once_however_often_it_is_told() -> None:
    often, once = Baseline(PLAN), Baseline(PLAN)
    for second in range(0, 600, 5):
        often.learn(MIDNIGHT + second, 7.0)
    for second in range(0, 600, 60):
        once.learn(MIDNIGHT + second, 7.0)
    assert often.state() == once.state()


def test_it_goes_on_after_a_restart_and_its_size_does_not_grow() -> None:
    baseline = Baseline(PLAN)
    after = lived(baseline, 8, 10.0, 30.0)
    kept = msgspec.json.encode(baseline.state())
    again = Baseline(PLAN, msgspec.json.decode(kept, type=BaselineState))
    assert again.per_min(noon(after)) == baseline.per_min(noon(after))
    later = lived(again, 20, 10.0, 30.0, after)
    assert len(msgspec.json.encode(again.state())) < 40_000
    assert again.per_min(noon(later)) == pytest.approx(30.0, rel=0.2)


def test_a_clock_that_steps_back_forgets_nothing_and_odd_rates_break_nothing() -> None:
    baseline = Baseline(PLAN)
    after = lived(baseline, 6, 10.0, 30.0)
    usual = baseline.per_min(noon(after))
    for minute in range(50):
        baseline.learn(noon(after) - 3 * DAY_S + minute * 60.0, 30.0)
    assert baseline.per_min(noon(after)) == pytest.approx(usual, rel=0.2)
    wild = Baseline(BaselinePlan(floor_per_min=1e12))
    for minute in range(60):
        wild.learn(MIDNIGHT + minute * 60.0, 1e11 if minute else -5.0)
    assert wild.per_min(MIDNIGHT + DAY_S) == 1e12
