"""Served days are earned one at a time, by being served, and fade without it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.standing.history import (
    APART_S,
    DAY_S,
    MOST_DAYS,
    MOST_TOKENS,
    PEAK_STEP,
    SERVED_DAY_TOKENS,
    History,
)

NOON_S = 20_000 * DAY_S + DAY_S / 2
HALF_LIFE_DAYS = 60.0
ENOUGH = SERVED_DAY_TOKENS

Moments = st.lists(st.floats(0.0, 40 * DAY_S), max_size=50)


def _served(history: History, now: float, cost_tokens: float = ENOUGH, in_flight: int = 1) -> History:
    return history.with_served(cost_tokens, in_flight, now, HALF_LIFE_DAYS)


def _served_daily(days: int, in_flight: int = 1, history: History | None = None, from_s: float = NOON_S) -> History:
    history = history or History()
    for day in range(days):
        history = _served(history, from_s + day * DAY_S, in_flight=in_flight)
    return history


def test_a_day_counts_once_enough_was_served_on_it() -> None:
    history = _served(History(), NOON_S, ENOUGH / 2)
    assert history.days == 0.0
    history = _served(history, NOON_S + 60, ENOUGH / 2)
    assert history.days == 1.0
    assert (history.tokens, history.today_tokens) == (ENOUGH, ENOUGH)


def test_a_little_on_many_days_makes_no_day() -> None:
    history = History()
    for day in range(100):
        history = _served(history, NOON_S + day * DAY_S, ENOUGH - 1)
    assert history.days == 0.0


@given(costs=st.lists(st.floats(0, 1e30), min_size=1, max_size=30), spread_s=st.floats(0, 8 * 3600 - 1))
def test_a_burst_of_any_size_is_one_day_at_most_also_over_midnight(costs: list[float], spread_s: float) -> None:
    history, midnight_s = History(), 20_001 * DAY_S
    for number, cost_tokens in enumerate(costs):
        now = midnight_s - spread_s / 2 + spread_s * number / len(costs)
        history = _served(history, now, cost_tokens, in_flight=1000)
    assert history.days <= 1.0
    assert history.tokens <= MOST_TOKENS


@given(moments=Moments)
def test_there_are_no_more_days_than_days_whatever_the_clock_does(moments: list[float]) -> None:
    """A clock that steps back and forth counts no day twice."""
    history = History()
    for moment in moments:
        before = history
        history = _served(history, NOON_S + moment)
        assert history.days <= before.days + 1.0
        assert history.counted_at_s >= before.counted_at_s
        assert history.last_day >= before.last_day
    assert history.days <= len({int((NOON_S + moment) // DAY_S) for moment in moments})


def test_the_next_day_counts_only_some_hours_later() -> None:
    late_s = 20_001 * DAY_S - 60
    history = _served(History(), late_s)
    assert _served(history, late_s + APART_S - 1).days == 1.0
    assert _served(history, late_s + APART_S).days == pytest.approx(2.0)


def test_daily_use_loses_nothing_and_pauses_halve_by_the_half_life() -> None:
    history = _served_daily(10)
    last_s = NOON_S + 9 * DAY_S
    assert history.days == 10.0
    assert history.days_at(last_s + DAY_S, HALF_LIFE_DAYS) == 10.0
    assert history.days_at(last_s + (1 + HALF_LIFE_DAYS) * DAY_S, HALF_LIFE_DAYS) == pytest.approx(5.0)
    back = _served(history, last_s + (1 + HALF_LIFE_DAYS) * DAY_S)
    assert back.days == pytest.approx(6.0)
    assert back.tokens == pytest.approx(10 * ENOUGH / 2 + ENOUGH)


@given(days=st.floats(0, MOST_DAYS), pauses=st.lists(st.floats(0, 1000), min_size=2, max_size=2))
def test_waiting_only_takes_away(days: float, pauses: list[float]) -> None:
    history = History(days=days, counted_at_s=NOON_S)
    sooner, later = sorted(pauses)
    assert history.days_at(NOON_S + sooner * DAY_S, HALF_LIFE_DAYS) >= history.days_at(
        NOON_S + later * DAY_S, HALF_LIFE_DAYS
    )
    assert history.days_at(NOON_S - later * DAY_S, HALF_LIFE_DAYS) == days, "a clock that steps back mints nothing"


def test_no_history_is_longer_than_the_longest() -> None:
    history = _served(History(days=MOST_DAYS, tokens=MOST_TOKENS, counted_at_s=NOON_S), NOON_S + DAY_S, 1e300)
    assert (history.days, history.tokens, history.today_tokens) == (MOST_DAYS, MOST_TOKENS, MOST_TOKENS)


@pytest.mark.parametrize("cost_tokens", [float("nan"), -5.0, 0.0])
def test_a_cost_that_is_none_is_nothing(cost_tokens: float) -> None:
    history = _served(History(), NOON_S, cost_tokens)
    assert (history.tokens, history.today_tokens, history.days) == (0.0, 0.0, 0.0)


def test_what_is_usual_is_learned_from_the_days_before() -> None:
    history = _served(History(), NOON_S, in_flight=3)
    assert history.peak == 1.0, "today is not usual yet"
    history = _served(history, NOON_S + DAY_S)
    assert history.peak == pytest.approx(1.4)
    assert _served_daily(100, in_flight=3).peak == pytest.approx(3.0, abs=0.01)
    assert _served_daily(100, history=History(peak=3.0)).peak == pytest.approx(1.0, abs=0.01)


@given(
    peak=st.floats(1, 16),
    requests=st.lists(st.tuples(st.integers(-3, 1 << 40), st.floats(0, 3)), min_size=1, max_size=60),
)
def test_a_thief_needs_days_to_make_much_look_usual(peak: float, requests: list[tuple[int, float]]) -> None:
    """However many they have in flight, what is usual rises by one step for each served day."""
    history, now, counted = History(peak=peak), NOON_S, 0
    for in_flight, pause_days in requests:
        now += pause_days * DAY_S
        before, history = history, _served(history, now, in_flight=in_flight)
        counted += history.counted_at_s != before.counted_at_s
        assert 1.0 <= history.peak <= peak + PEAK_STEP * counted


def test_what_was_lost_is_not_earned_again_on_the_same_day() -> None:
    lost = _served_daily(9).lost()
    assert (lost.days, lost.tokens, lost.peak) == (0.0, 0.0, 1.0)
    assert _served(lost, NOON_S + 8 * DAY_S + APART_S).days == 0.0
    assert _served(lost, NOON_S + 9 * DAY_S).days == 1.0


def test_uncounted_service_earns_no_day_and_is_still_seen() -> None:
    history = History().with_served(ENOUGH, 7, NOON_S, HALF_LIFE_DAYS, is_counting=False)
    assert (history.days, history.counted_at_s) == (0.0, 0.0)
    assert (history.tokens, history.today_peak) == (ENOUGH, 7)


@given(moments=Moments)
def test_the_same_requests_lead_to_the_same_history(moments: list[float]) -> None:
    one = other = History()
    for moment in moments:
        one, other = _served(one, moment), _served(other, moment)
    assert one == other


Histories = st.builds(
    lambda days, counted_day, idle: History(
        days=days, counted_at_s=counted_day * DAY_S, last_day=int(counted_day + idle)
    ),
    st.floats(0.0, MOST_DAYS),
    st.floats(10_000, 20_000),
    st.floats(0.0, 1000.0),
)


@given(one=Histories, other=Histories, wait_days=st.floats(2.0, 1000.0))
def test_what_has_more_days_left_fades_later_whenever_both_are_asked(
    one: History, other: History, wait_days: float
) -> None:
    now = max(one.seen_at_s, other.seen_at_s) + wait_days * DAY_S
    less, more = sorted((one, other), key=lambda history: history.days_at(now, HALF_LIFE_DAYS))
    # What has less than one day left is told apart by when it was seen, not by how much less.
    if more.days_at(now, HALF_LIFE_DAYS) > 1.0:
        assert less.fades_at_s(HALF_LIFE_DAYS) <= more.fades_at_s(HALF_LIFE_DAYS) + 1.0


@given(history=Histories)
def test_when_a_history_fades_one_day_is_left_or_it_was_just_seen(history: History) -> None:
    fades_at_s = history.fades_at_s(HALF_LIFE_DAYS)
    assert fades_at_s >= history.seen_at_s
    left = history.days_at(fades_at_s, HALF_LIFE_DAYS)
    assert left == pytest.approx(1.0) if fades_at_s > history.seen_at_s else left <= 1.0 + 1e-6


def test_a_history_was_seen_on_the_last_day_on_which_anything_was_served() -> None:
    assert History().seen_at_s == 0.0
    served = _served(History(), NOON_S)
    assert served.seen_at_s == NOON_S
    assert _served(served, NOON_S + 3 * DAY_S, 1.0).seen_at_s == 20_003 * DAY_S
