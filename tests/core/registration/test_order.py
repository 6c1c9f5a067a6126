"""Numbers in order, whatever is put in and taken out."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.lanes import Lane, Lanes
from tidegate.core.registration.order import Order


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans())), st.integers(-1, 61))
def test_it_is_what_a_sorted_list_would_be(acts: list[tuple[int, bool]], asked: int) -> None:
    order, numbers = Order(), set[int]()
    for number, is_added in acts:
        if is_added and number not in numbers:
            order.add(number)
            numbers.add(number)
        elif not is_added and number in numbers:
            order.remove(number)
            numbers.discard(number)
        assert len(order) == len(numbers)
        assert order.first == min(numbers, default=None)
        assert order.last == max(numbers, default=None)
        assert order.rank(asked) == sum(one < asked for one in numbers)


def test_it_is_so_with_many_too() -> None:
    order, numbers = Order(), random.Random(5).sample(range(10**9), 5000)
    for number in numbers:
        order.add(number)
    expected = sorted(numbers)
    assert [order.rank(number) for number in expected] == list(range(5000))
    for number in numbers[:4000]:
        order.remove(number)
    left = sorted(numbers[4000:])
    assert (order.first, order.last, len(order)) == (left[0], left[-1], 1000)
    assert [order.rank(number) for number in left] == list(range(1000))
    for number in left:
        order.remove(number)
    assert (order.first, order.last, order.rank(5)) == (None, None, 0)


def test_a_fifth_of_those_let_in_waited_instead_of_working() -> None:
    lanes = Lanes(0.2)
    for number in range(100):
        lanes[Lane.PROVED].add(number)
        lanes[Lane.WAITED].add(number)
    turns = []
    for _ in range(50):
        turn = lanes.next()
        assert turn is not None
        turns.append(turn)
        lanes[turn[0]].remove(turn[1])
    assert sum(lane is Lane.WAITED for lane, _ in turns) == 10
    assert [place for lane, place in turns if lane is Lane.WAITED] == list(range(10))


def test_a_lane_that_is_empty_leaves_its_part_to_the_other() -> None:
    for lane in Lane:
        lanes = Lanes(0.2)
        assert lanes.next() is None
        assert lanes.last() is None
        lanes[lane].add(3)
        lanes[lane].add(4)
        assert lanes.next() == (lane, 3)
        assert lanes.last() == 4
        assert len(lanes) == 2


def test_how_many_are_ahead_counts_those_who_get_in_meanwhile_from_the_other_lane() -> None:
    lanes = Lanes(0.2)
    for number in range(100):
        lanes[Lane.PROVED].add(number)
    for number in range(10):
        lanes[Lane.WAITED].add(number)
    assert lanes.ahead(Lane.PROVED, 8) == 8 + 2
    assert lanes.ahead(Lane.PROVED, 80) == 80 + 10
    assert lanes.ahead(Lane.WAITED, 2) == 2 + 8
    assert lanes.ahead(Lane.WAITED, 0) == 0
    alone = Lanes(0.0)
    alone[Lane.PROVED].add(1)
    alone[Lane.WAITED].add(2)
    assert alone.ahead(Lane.WAITED, 2) == 1
