"""As many run as still flow, by the time between two tokens of the same answer."""

from __future__ import annotations

from tidegate.core.capacity.concurrency import ConcurrencyLimit


def take(limit: ConcurrencyLimit, gap_s: float, seconds: float, start: float, *, is_full: bool = True) -> float:
    now = start
    for _ in range(int(seconds * 20)):
        now += 0.05
        limit.took(gap_s, now, is_full=is_full)
    return now


def test_slow_tokens_let_fewer_run_and_quick_ones_more_again() -> None:
    limit = ConcurrencyLimit(8, 0.2)
    assert limit.limit == 8
    now = take(limit, 0.5, 20.0, 0.0)
    assert limit.limit < 4
    take(limit, 0.01, 60.0, now)
    assert limit.limit == 8


def test_at_least_one_runs() -> None:
    limit = ConcurrencyLimit(4, 0.2)
    take(limit, 9.0, 200.0, 0.0)
    assert limit.limit == 1


def test_a_few_slow_tokens_are_no_sign() -> None:
    limit = ConcurrencyLimit(4, 0.2)
    for number in range(10):
        limit.took(5.0, number * 1.0, is_full=True)
    assert limit.limit == 4


def test_a_clock_that_steps_back_neither_moves_nor_stops_it() -> None:
    limit = ConcurrencyLimit(8, 0.2)
    take(limit, 0.01, 5.0, 1000.0)
    take(limit, 0.5, 1.0, 10.0)
    assert limit.limit == 8
    take(limit, 0.5, 20.0, 11.0)
    assert limit.limit < 8
    assert limit.mean_gap_s > 0.2


def test_another_number_of_places_keeps_what_was_learned() -> None:
    limit = ConcurrencyLimit(4, 0.2)
    limit.resize(8)
    assert limit.limit == 8, "nothing was learned yet"
    for number in range(100):
        limit.took(0.5, 0.1 * number, is_full=True)
    learned = limit.limit
    assert learned < 8
    limit.resize(16)
    assert limit.limit == learned
    limit.resize(2)
    assert limit.limit == 2
