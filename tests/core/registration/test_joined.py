"""Accounts tell whether the present mode holds: those that were made under it, lately."""

from __future__ import annotations

from tidegate.core.registration.joined import MOST_NETWORKS, Joined
from tidegate.core.registration.signals import Share

AT = 1.8e9


def filled() -> Joined:
    """One account a minute for an hour; every second is abused, every third confirms."""
    joined = Joined()
    for minute in range(60):
        made_at = AT + minute * 60.0
        joined.made(made_at, f"network {minute}")
        if minute % 2:
            joined.abused(made_at)
        if minute % 3 == 0:
            joined.confirmed(made_at)
    return joined


def test_the_last_half_hour_counts() -> None:
    assert filled().abuse(None, AT + 3599.0) == Share(16, 31)


def test_only_what_was_made_under_the_present_mode_counts() -> None:
    assert filled().abuse(AT + 3000.0, AT + 3599.0) == Share(5, 9)
    assert filled().abuse(AT + 3599.0, AT + 3599.0) == Share(0, 0)


def test_an_address_has_ten_minutes_before_it_counts_as_not_confirmed() -> None:
    assert filled().verified(None, AT + 3599.0) == Share(7, 21)


def test_what_is_learned_of_accounts_that_are_forgotten_is_left_out() -> None:
    joined = filled()
    joined.abused(AT)
    joined.confirmed(AT - 3600.0)
    assert joined.abuse(None, AT + 3599.0) == Share(16, 31)


def test_told_twice_is_no_more_than_all_of_them() -> None:
    joined = Joined()
    assert joined.made(AT, "network")
    for _ in range(3):
        joined.abused(AT)
    assert joined.abuse(None, AT) == Share(1, 1)


def test_a_network_counts_once_in_half_an_hour() -> None:
    """Whoever is to shut the door on everybody must come from many networks."""
    joined = Joined()
    assert joined.made(AT, "network")
    assert not joined.made(AT + 59.0, "network")
    assert not joined.made(AT + 30 * 60.0, "network")
    assert joined.abuse(None, AT + 30 * 60.0) == Share(0, 1)
    assert joined.made(AT + 31 * 60.0, "network")


def test_however_many_are_made_a_row_a_minute_is_kept_and_so_many_networks() -> None:
    joined = Joined()
    for number in range(20_000):
        joined.made(AT + number, f"network {number}")
    assert len(joined._rows) == 31
    assert len(joined._networks) <= 31 * 60
    crowd = Joined()
    counted = sum(crowd.made(AT, f"network {number}") for number in range(MOST_NETWORKS + 10))
    assert counted == MOST_NETWORKS
