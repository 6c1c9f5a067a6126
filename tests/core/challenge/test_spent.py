"""What was spent stays spent for as long as it could count, in memory that does not grow."""

from __future__ import annotations

from hashlib import blake2s

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.challenge.spent import SpentSet

LIFETIME_S = 600.0
START = 1.8e9


def an_id(number: int) -> bytes:
    return blake2s(number.to_bytes(8, "big"), digest_size=16).digest()


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(-100, 700)), max_size=40))
def test_nothing_is_spent_twice_within_its_lifetime_however_the_clock_goes(steps: list[tuple[int, float]]) -> None:
    spent = SpentSet(LIFETIME_S)
    noted: dict[int, float] = {}
    now = newest = START
    for number, passed_s in steps:
        now += passed_s
        newest = max(newest, now)
        is_taken = spent.spend(an_id(number), now)
        if number in noted and newest - noted[number] < LIFETIME_S:
            assert not is_taken
        if is_taken:
            noted[number] = now
        assert spent.is_spent(an_id(number))


def test_what_is_long_over_is_forgotten() -> None:
    spent = SpentSet(LIFETIME_S)

    assert not spent.is_spent(an_id(1))
    assert spent.spend(an_id(1), START)
    assert spent.spend(an_id(2), START + 600)
    assert not spent.spend(an_id(1), START + 1199), "it is remembered in the second lifetime"
    assert spent.spend(an_id(1), START + 1200)
    assert spent.spend(an_id(1), START + 10_000)
    assert spent.spend(an_id(2), START + 10_000)


def test_a_full_memory_takes_no_more_and_goes_on_in_the_next_lifetime() -> None:
    """Strangers are refused rather than one challenge counted twice."""
    spent = SpentSet(LIFETIME_S, capacity=3)

    assert [spent.spend(an_id(number), START) for number in range(5)] == [True, True, True, False, False]
    assert spent.is_spent(an_id(0))
    assert not spent.is_spent(an_id(4))
    assert spent.spend(an_id(4), START + 600)


def test_a_clock_that_was_set_back_does_not_keep_a_full_memory_full() -> None:
    spent = SpentSet(LIFETIME_S, capacity=1)
    assert spent.spend(an_id(0), START + 86_400)

    assert not spent.spend(an_id(1), START)
    assert spent.spend(an_id(1), START + 600)
    assert not spent.spend(an_id(0), START + 600)


def test_ids_are_not_taken_for_one_another() -> None:
    spent = SpentSet(LIFETIME_S)

    assert all(spent.spend(an_id(number), START) for number in range(2000))
    assert not any(spent.is_spent(an_id(number)) for number in range(2000, 12_000))
