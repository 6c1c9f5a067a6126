"""Nobody is told to come back too early, and not all are told the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.jitter import jittered_s


@given(wait_s=st.floats(0, 1e6), key=st.binary(max_size=40), now=st.floats(0, 1e11))
def test_a_wait_is_never_shortened_and_at_most_half_longer_or_a_second(wait_s: float, key: bytes, now: float) -> None:
    told_s = jittered_s(wait_s, key, now)

    assert wait_s <= told_s <= wait_s + max(1.0, wait_s / 2)
    assert told_s == jittered_s(wait_s, key, now)


def test_those_who_are_refused_together_return_apart() -> None:
    """
    A hundred thousand of them at 10 s: no tenth of the time gets more than 11 % of them.
    """
    tenths = [0] * 10
    for number in range(100_000):
        tenths[int((jittered_s(10.0, number.to_bytes(4, "big"), 1.8e9) - 10.0) * 2)] += 1

    assert max(tenths) < 11_000


def test_one_caller_is_told_another_time_with_each_refusal() -> None:
    told = {jittered_s(10.0, b"key", 1.8e9 + number / 1000) for number in range(1000)}

    assert len(told) > 900
