"""What strangers share before the server behind: no network can have all of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.http.proxy.sharing import Shared

steps = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=60)


@given(steps, st.integers(1, 100))
def test_all_together_hold_no_more_than_there_is_and_one_who_had_some_no_more_than_is_left(
    asked: list[tuple[str, int]], most: int
) -> None:
    shared = Shared(most)
    held: list[tuple[str, int]] = []
    for whose, amount in asked:
        own = sum(size for name, size in held if name == whose)
        total = sum(size for _, size in held)
        has_got = shared.take(whose, amount)
        assert has_got == (own + amount <= most - total)
        held += [(whose, amount)] if has_got else []
        assert shared.total == sum(size for _, size in held) <= most
    for whose, amount in held:
        shared.give_back(whose, amount)
    assert shared.total == 0


def test_one_alone_gets_half_and_others_still_find_room() -> None:
    shared = Shared(100)
    alone = sum(shared.take("a", 1) for _ in range(200))
    assert alone == 50
    assert sum(shared.take("b", 1) for _ in range(200)) == 25
    assert shared.take("c", 1)


def test_who_holds_nothing_is_forgotten() -> None:
    shared = Shared(10)
    shared.take("a", 3)
    shared.take("b", 1)
    shared.give_back("a", 3)
    assert len(shared) == 1
