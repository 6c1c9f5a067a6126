"""A bucket gives its burst and its rate, whatever the clock does and however many keys there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.bucket import Buckets

RATES = st.floats(0.01, 1000)
BURSTS = st.floats(1, 50)
AT = 1.8e9


def test_a_rested_key_takes_its_burst_at_once_and_then_its_rate() -> None:
    buckets = Buckets(rate=2.0, burst=3.0, most=10)

    assert [buckets.take("a", 1.0, AT) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a", 1.0, AT) == pytest.approx(0.5, abs=1e-5)
    assert buckets.take("a", 1.0, AT + 0.4) == pytest.approx(0.1, abs=1e-5)
    assert buckets.take("a", 1.0, AT + 0.51) == 0.0
    assert buckets.take("a", 1.0, AT + 0.52) > 0.0


def test_what_one_key_takes_is_not_taken_from_another() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, most=10)

    assert buckets.take("a", 1.0, AT) == 0.0
    assert buckets.take("a", 1.0, AT) > 0.0
    assert buckets.take(b"a", 1.0, AT) == 0.0


def test_a_refusal_and_a_question_take_nothing_and_remember_nobody() -> None:
    buckets = Buckets(rate=1.0, burst=2.0, most=10)

    assert buckets.wait_s("a", 2.0, AT) == 0.0
    assert len(buckets) == 0
    buckets.take("a", 2.0, AT)
    told = [buckets.take("a", 1.0, AT) for _ in range(100)]
    assert told == [told[0]] * 100
    assert told[0] == pytest.approx(1.0, abs=1e-5)


def test_a_long_rest_fills_a_bucket_once_and_no_further() -> None:
    buckets = Buckets(rate=1.0, burst=5.0, most=10)
    buckets.take("a", 1.0, AT)

    passed = sum(buckets.take("a", 1.0, AT + 1e6) == 0.0 for _ in range(20))

    assert passed == 5


def test_a_clock_set_back_by_an_hour_refuses_nobody_for_an_hour() -> None:
    """
    The bucket keeps what it holds and refills from the new time on.
    """
    buckets = Buckets(rate=1.0, burst=2.0, most=10)
    buckets.take("a", 2.0, AT)

    assert buckets.take("a", 1.0, AT - 3600) == pytest.approx(1.0, abs=1e-5)
    assert buckets.take("a", 1.0, AT - 3599 + 1e-4) == 0.0


def test_readings_a_little_out_of_order_mint_nothing() -> None:
    buckets = Buckets(rate=1.0, burst=2.0, most=10)
    buckets.take("a", 2.0, AT)

    told = [buckets.take("a", 1.0, AT - 0.9 * (turn % 2)) for turn in range(100)]

    assert all(told)
    assert told[1] == pytest.approx(1.9, abs=1e-5), "the wait counts from the reading that it was told at"


def test_the_key_that_took_longest_ago_is_forgotten_first() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, most=2)
    for key in ("a", "b"):
        buckets.take(key, 1.0, AT)
    buckets.take("a", 1.0, AT + 2)
    buckets.take("c", 1.0, AT + 2)

    assert len(buckets) == 2
    assert buckets.wait_s("a", 1.0, AT + 2) > 0.0
    assert buckets.wait_s("c", 1.0, AT + 2) > 0.0


def test_a_new_rate_counts_from_the_last_reading_and_levels_stay() -> None:
    buckets = Buckets(rate=1.0, burst=10.0, most=10)
    buckets.take("a", 10.0, AT)
    buckets.wait_s("a", 1.0, AT + 4)
    buckets.reshape(rate=2.0, burst=20.0, most=10)

    assert buckets.wait_s("a", 14.0, AT + 4) == 0.0, "4 refilled, and 10 more room"
    assert buckets.wait_s("a", 15.0, AT + 4) == pytest.approx(0.5, abs=1e-5)


def test_a_smaller_burst_leaves_nobody_deeper_in_debt_than_an_empty_bucket() -> None:
    buckets = Buckets(rate=1.0, burst=100.0, most=10)
    buckets.take("deep", 100.0, AT)
    buckets.take("light", 1.0, AT)
    buckets.reshape(rate=1.0, burst=2.0, most=10)

    assert buckets.wait_s("deep", 1.0, AT) == pytest.approx(1.0, abs=1e-5)
    assert buckets.wait_s("light", 1.0, AT) == 0.0
    assert buckets.wait_s("light", 2.0, AT) == pytest.approx(1.0, abs=1e-5)


def test_a_smaller_bound_forgets_at_once() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, most=10)
    for key in "abcdef":
        buckets.take(key, 1.0, AT)
    buckets.reshape(rate=1.0, burst=1.0, most=2)

    assert len(buckets) == 2
    assert buckets.wait_s("f", 1.0, AT) > 0.0


STEPS = st.one_of(st.floats(0, 5), st.floats(-5, 0), st.floats(-1e5, 1e5))


@given(
    rate=RATES,
    burst=BURSTS,
    turns=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0.1, 1), STEPS), max_size=50),
)
def test_no_key_is_ever_given_more_than_burst_and_rate_over_any_span(
    rate: float, burst: float, turns: list[tuple[str, float, float]]
) -> None:
    """
    Whatever is interleaved, and whether the clock runs, stands or is set back
    and forth: over every span, by how far the clock was seen to go forward in it.
    """
    buckets = Buckets(rate, burst, most=2)
    now, forward = AT, 0.0
    given_to: dict[str, list[tuple[float, float]]] = {"a": [], "b": []}
    for key, amount, step in turns:
        now += step
        forward += max(0.0, step)
        if buckets.take(key, amount, now) == 0.0:
            given_to[key].append((forward, amount))

    for given_amounts in given_to.values():
        for first, (since, _) in enumerate(given_amounts):
            total = 0.0
            for until, amount in given_amounts[first:]:
                total += amount
                # A double holds Unix seconds to some 2e-7.
                assert total <= burst + rate * (until - since + 1e-4)


@given(
    rate=RATES,
    burst=BURSTS,
    taken=st.lists(st.tuples(st.floats(0.1, 1), st.floats(-0.5, 0.5)), min_size=1, max_size=50),
)
def test_whoever_waits_as_long_as_told_is_given_and_not_much_sooner(
    rate: float, burst: float, taken: list[tuple[float, float]]
) -> None:
    buckets = Buckets(rate, burst, most=2)
    now = AT
    for amount, step in taken:
        now += step
        wait_s = buckets.take("a", amount, now)
        if wait_s:
            assert wait_s < 1e-4 or buckets.wait_s("a", amount, now + wait_s - 1e-4) > 0.0
            now += wait_s
            assert buckets.take("a", amount, now) == 0.0


@given(
    most=st.integers(1, 5),
    keys=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=50),
)
def test_more_than_the_bound_is_never_remembered(most: int, keys: list[tuple[int, int]]) -> None:
    buckets = Buckets(1.0, 5.0, most)
    for turn, (key, new_most) in enumerate(keys):
        buckets.take(str(key), 1.0, AT + turn)
        assert len(buckets) <= most
        if key == 0:
            buckets.reshape(1.0, 5.0, most := new_most)
            assert len(buckets) <= most
