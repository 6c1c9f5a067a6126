"""Where somebody known was within a day is never forgotten, whoever else comes, and over a restart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.firewall.pressing import AT, KEY, packed
from tidegate.core.firewall.inhabited import DAY_S, RETURN_S, Inhabited, Kept

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("address", "neighbour", "far"),
    [
        ("198.51.100.7", "198.51.100.8", "198.51.101.7"),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", "2001:db8:1:102::7"),
    ],
)
def test_an_address_and_its_network_are_inhabited_and_others_are_not(address: str, neighbour: str, far: str) -> None:
    inhabited = Inhabited(KEY, AT)
    inhabited.note(packed(address), AT)
    assert inhabited.holds(packed(address), AT)
    assert not inhabited.holds(packed(neighbour), AT)
    assert inhabited.holds_network(packed(neighbour), AT)
    assert not inhabited.holds_network(packed(far), AT)


def test_all_of_an_ipv6_customer_is_one_address() -> None:
    inhabited = Inhabited(KEY, AT)
    inhabited.note(packed("2001:db8:1:2::7"), AT)
    assert inhabited.holds(packed("2001:db8:1:2:aaaa::1"), AT)


@given(st.floats(0.0, 5 * DAY_S), st.floats(0.0, DAY_S), st.lists(st.floats(0.0, DAY_S), max_size=5))
def test_it_is_found_for_a_day_whenever_it_was_noted_and_whatever_is_asked_between(
    noted_after_s: float, found_after_s: float, between: list[float]
) -> None:
    inhabited, noted_at = Inhabited(KEY, AT), AT + noted_after_s
    inhabited.note(packed("198.51.100.7"), noted_at)
    for after_s in sorted(between):
        if after_s < found_after_s:
            inhabited.holds(packed("203.0.113.9"), noted_at + after_s)
    assert inhabited.holds(packed("198.51.100.7"), noted_at + found_after_s)


@pytest.mark.parametrize("after_s", [2 * DAY_S, 3.5 * DAY_S])
def test_it_is_forgotten_after_two_days_at_the_latest(after_s: float) -> None:
    inhabited = Inhabited(KEY, AT)
    inhabited.note(packed("198.51.100.7"), AT)
    assert not inhabited.holds(packed("198.51.100.7"), AT + after_s)


def test_nothing_is_known_to_be_empty_before_a_day_was_watched_unless_there_is_nobody() -> None:
    assert Inhabited(KEY, AT).unwatched_until_s == AT + DAY_S
    assert Inhabited(KEY, AT, is_nobody_known=True).unwatched_until_s == AT


def test_it_goes_on_over_a_restart() -> None:
    before = Inhabited(KEY, AT, is_nobody_known=True)
    before.note(packed("198.51.100.7"), AT)
    assert bool(before.has_changed)
    kept = before.kept(AT + HOUR_S, is_whole=True)
    assert before.has_changed is False, "there is nothing that is not kept"
    after = Inhabited(KEY, AT + 2 * HOUR_S)
    after.recall(kept, AT + 2 * HOUR_S)
    assert after.holds(packed("198.51.100.7"), AT + DAY_S)
    assert after.unwatched_until_s == AT
    assert not after.holds(packed("198.51.100.7"), AT + 2 * DAY_S), "it is no younger for being kept"


def test_after_a_stop_that_nobody_announced_whoever_came_last_has_time_to_come_back() -> None:
    kept = Inhabited(KEY, AT, is_nobody_known=True).kept(AT + HOUR_S)
    after = Inhabited(KEY, AT + 2 * HOUR_S)
    after.recall(kept, AT + 2 * HOUR_S)
    assert after.unwatched_until_s == AT + 2 * HOUR_S + RETURN_S


def test_after_a_stop_of_a_day_it_watches_for_a_day_before_anything_is_handed_over() -> None:
    """Whom it knew is too long ago to say who lives there; the first to come back may be a bot.

    And a folder that was put back from a copy has not seen who came since.
    """
    before = Inhabited(KEY, AT, is_nobody_known=True)
    before.note(packed("198.51.100.7"), AT)
    kept = before.kept(AT + HOUR_S, is_whole=True)
    for after_s, is_watched in ((HOUR_S + DAY_S - 1.0, True), (HOUR_S + DAY_S, False), (9 * DAY_S, False)):
        after = Inhabited(KEY, AT + after_s)
        after.recall(kept, AT + after_s)
        assert after.unwatched_until_s == (AT if is_watched else AT + after_s + DAY_S)


def test_a_memory_of_the_future_is_taken_and_not_trusted() -> None:
    before = Inhabited(KEY, AT, is_nobody_known=True)
    before.note(packed("198.51.100.7"), AT)
    after = Inhabited(KEY, AT - HOUR_S)
    after.recall(before.kept(AT, is_whole=True), AT - HOUR_S)
    assert after.unwatched_until_s == AT - HOUR_S + DAY_S
    assert after.holds(packed("198.51.100.7"), AT)


def test_a_memory_of_another_size_is_no_memory() -> None:
    kept = Inhabited(KEY, AT, is_nobody_known=True).kept(AT, is_whole=True)
    for broken in (msgspec.structs.replace(kept, recent=b""), msgspec.structs.replace(kept, earlier=b"\0")):
        after = Inhabited(KEY, AT)
        after.recall(broken, AT)
        assert after.unwatched_until_s == AT + DAY_S


def test_what_is_kept_names_no_address() -> None:
    """Without the instance's key nobody can tell which addresses were noted."""
    one, other = Inhabited(b"1" * 32, AT), Inhabited(b"2" * 32, AT)
    for inhabited in (one, other):
        inhabited.note(packed("198.51.100.7"), AT)
    kept = one.kept(AT)
    assert isinstance(kept, Kept)
    assert kept.recent != other.kept(AT).recent
    assert packed("198.51.100.7") not in kept.recent


@pytest.mark.slow
def test_a_crowd_of_known_people_makes_it_forget_nobody_and_at_last_spares_everybody() -> None:
    inhabited = Inhabited(KEY, AT)
    inhabited.note(packed("198.51.100.7"), AT)
    wrong: dict[int, int] = {}
    for number in range(1, 4_000_001):
        inhabited.note((0x0A000000 + number).to_bytes(4, "big"), AT)
        if number in {200_000, 4_000_000}:
            asked = ((0xC0000000 + other).to_bytes(4, "big") for other in range(2000))
            wrong[number] = sum(inhabited.holds(one, AT) for one in asked)
    assert inhabited.holds(packed("198.51.100.7"), AT)
    assert wrong[200_000] < 20
    assert wrong[4_000_000] > 1000
