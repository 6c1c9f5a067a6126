"""The engine's places: each is held once, and warm for nobody but its last owner."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.places import Places


def test_a_place_is_warm_for_who_had_it_last_and_for_nobody_else() -> None:
    """What the engine remembers of one person's prompt must not speed up another's: that could be measured."""
    places = Places(1)
    for owner, is_warm in [("ana", False), ("ana", True), ("bo", False), ("ana", False)]:
        place = places.take(places.choose(owner, above=-1), owner)
        assert place.is_warm is is_warm, owner
        places.give_back(place.number)


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=30))
def test_no_place_is_chosen_twice_and_a_free_warm_one_is_never_passed_over(
    count: int, story: list[tuple[str, bool, bool]]
) -> None:
    places = Places(count)
    held: set[int] = set()
    last: dict[int, str] = {}
    for owner, gives_back, is_last in story:
        if (gives_back or len(held) == count) and held:
            places.give_back(held.pop())
            continue
        place = places.take(places.choose(owner, above=None if is_last else -1), owner)
        assert 0 <= place.number < count
        assert place.number not in held
        own = {number for number, was in last.items() if was == owner and number not in held}
        assert place.is_warm is bool(own)
        assert not own or place.number in own
        held.add(place.number)
        last[place.number] = owner


def test_places_that_are_taken_away_are_gone_once_they_are_given_back_and_come_back_cold() -> None:
    places = Places(3)
    kept, gone = places.take(0, "ana"), places.take(2, "bo")

    places.resize(1)
    places.give_back(gone.number)
    places.give_back(kept.number)

    assert places.choose("bo", above=None) == 0
    places.resize(3)
    assert [places.take(number, "bo").is_warm for number in (0, 1, 2)] == [False, False, False]


def test_a_place_that_was_held_all_along_is_there_once() -> None:
    places = Places(2)
    held = places.take(1, "ana")
    places.resize(1)
    places.resize(2)
    places.give_back(held.number)

    assert places.take(1, "ana").is_warm
    assert places.choose("bo", above=None) == 0
