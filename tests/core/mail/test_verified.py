"""The share of confirmed addresses tells people from bots, and is fair to those who were written to just now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.core.mail.writing import NOW
from tidegate.core.mail.verified import VerifiedShare

MINUTE = 60.0


def test_the_share_is_of_those_who_had_the_time_to_answer() -> None:
    verified = VerifiedShare()
    for at in (0, 1, 2, 3):
        verified.sent(NOW + at, NOW + at)
    verified.confirmed(NOW, NOW + 2 * MINUTE)

    assert verified.share(NOW + 2 * MINUTE) == (1.0, 0)
    assert verified.share(NOW + 6 * MINUTE) == (0.25, 4)
    assert verified.share(NOW + 40 * MINUTE) == (1.0, 0)


def test_what_was_written_before_is_left_out_and_so_is_the_minute_in_which_it_began() -> None:
    verified = VerifiedShare()
    for minute in range(4):
        verified.sent(NOW + minute * MINUTE, NOW + minute * MINUTE)
    now = NOW + 10 * MINUTE

    assert verified.share(now) == (0.0, 4)
    assert verified.share(now, NOW + MINUTE) == (0.0, 2)
    assert verified.share(now, NOW - 600 * MINUTE) == (0.0, 4)


def test_a_confirmation_counts_for_the_minute_of_its_letter() -> None:
    verified = VerifiedShare()
    verified.sent(NOW, NOW)
    verified.confirmed(NOW - 90 * MINUTE, NOW)
    verified.confirmed(NOW + 90 * MINUTE, NOW)

    assert verified.share(NOW + 6 * MINUTE) == (0.0, 1)


@given(moments=st.lists(st.tuples(st.floats(0, 200 * MINUTE), st.booleans()), max_size=50))
def test_the_share_is_one_and_what_is_remembered_is_half_an_hour(moments: list[tuple[float, bool]]) -> None:
    verified = VerifiedShare()
    for at, is_confirmed in sorted(moments):
        (verified.confirmed if is_confirmed else verified.sent)(NOW + at, NOW + at)
        share, number = verified.share(NOW + at)
        assert 0.0 <= share <= 1.0
        assert number <= len(moments)
        assert len(verified._sent) + len(verified._confirmed) <= 72
