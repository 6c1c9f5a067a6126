"""What a wait came to that somebody was told, and of whom nobody knows."""

from __future__ import annotations

from tidegate.lab.promises import Promise


def test_where_nothing_was_told_nothing_was_waited() -> None:
    promise = Promise()
    promise.over(3.0)

    assert (promise.promised_s, promise.waited_s(9.0)) == (None, None)


def test_what_was_waited_is_from_the_first_telling_to_the_first_end() -> None:
    promise = Promise()
    promise.told(5.0, 1.0)
    promise.told(9.0, 2.0)
    promise.over(4.0)
    promise.over(8.0)

    assert (promise.promised_s, promise.waited_s(99.0)) == (5.0, 3.0)


def test_of_who_left_before_it_was_over_nobody_knows_unless_it_was_broken_already() -> None:
    promise = Promise()
    promise.told(5.0, 1.0)

    assert promise.waited_s(6.0) is None
    assert promise.waited_s(6.5) == 5.5


def test_what_is_told_of_something_else_counts_instead() -> None:
    promise = Promise()
    promise.told(5.0, 1.0)
    promise.over(2.0)
    promise.told_anew(30.0, 10.0)

    assert (promise.promised_s, promise.waited_s(20.0), promise.waited_s(41.0)) == (30.0, None, 31.0)
