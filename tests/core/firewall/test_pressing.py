"""Who presses is told from who is refused now and then, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.firewall.pressing import Pressing

AT = 1.8e9
A, B, C = b"\1\2\3\4", b"\1\2\3\5", b"\1\2\3\6"


def test_whoever_is_refused_no_oftener_than_the_rate_never_presses() -> None:
    pressing = Pressing(2.0, 10.0, 8)
    assert not any(pressing.is_pressing(A, AT + number / 2.0) for number in range(10_000))


def test_a_burst_is_overlooked_and_the_one_beyond_it_is_not() -> None:
    pressing = Pressing(2.0, 10.0, 8)
    assert [pressing.is_pressing(A, AT) for _ in range(11)] == [False] * 10 + [True]
    assert not pressing.is_pressing(B, AT), "each source by itself"
    assert [pressing.is_pressing(A, AT) for _ in range(11)] == [False] * 10 + [True], "the count begins anew"


def test_what_leaks_away_in_a_pause_counts_no_more() -> None:
    pressing = Pressing(2.0, 10.0, 8)
    assert not any(pressing.is_pressing(A, AT) for _ in range(10))
    assert not any(pressing.is_pressing(A, AT + 3.0) for _ in range(6))
    assert pressing.is_pressing(A, AT + 3.0)


def test_a_clock_that_was_set_back_holds_nothing_against_anybody() -> None:
    pressing = Pressing(2.0, 10.0, 8)
    assert not any(pressing.is_pressing(A, AT) for _ in range(10))
    assert not pressing.is_pressing(A, AT - 3600.0)


def test_the_one_refused_longest_ago_is_forgotten_first_and_has_not_pressed() -> None:
    pressing = Pressing(1.0, 2.0, 2)
    for source in (A, B, A, C):
        assert not pressing.is_pressing(source, AT)
    assert len(pressing) == 2
    assert pressing.is_pressing(A, AT), "it was there first, and refused again since"
    assert not any(pressing.is_pressing(B, AT) for _ in range(2)), "forgotten, it begins anew"


def test_forgetting_and_other_numbers_begin_anew() -> None:
    pressing = Pressing(1.0, 2.0, 8)
    for _ in range(2):
        pressing.is_pressing(A, AT)
    pressing.forget(A)
    pressing.forget(B)
    assert not pressing.is_pressing(A, AT)
    pressing.reshape(1.0, 1.0, 8)
    assert [pressing.is_pressing(A, AT) for _ in range(2)] == [False, True]


@given(st.lists(st.tuples(st.sampled_from([A, B, C]), st.floats(0.0, 5.0)), max_size=60))
def test_nobody_is_found_to_press_who_kept_within_rate_and_burst(asked: list[tuple[bytes, float]]) -> None:
    """By counting the slow way: some stretch of its refusals holds more than burst and rate times length."""
    pressing, now = Pressing(1.0, 4.0, 8), AT
    times: dict[bytes, list[float]] = {A: [], B: [], C: []}
    for source, after_s in asked:
        now += after_s
        times[source].append(now)
        is_over = any(len(times[source]) - at > 4.0 + (now - since) + 1e-6 for at, since in enumerate(times[source]))
        if pressing.is_pressing(source, now):
            assert is_over
            times[source].clear()


@pytest.mark.slow
def test_a_million_sources_take_no_more_memory_than_the_plan_says() -> None:
    pressing = Pressing(20.0, 1200.0, 65536)
    for number in range(1_000_000):
        assert not pressing.is_pressing(number.to_bytes(4, "big"), AT + number * 1e-5)
    assert len(pressing) == 65536
