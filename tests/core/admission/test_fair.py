"""Within a class: whoever consumed least goes next, and no promise is broken for that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.fair import MARGIN, Counters, Entry, FairQueue


def entry(sequence: int, tag: float, cost: float, due_at: float = 1e9) -> Entry:
    return Entry(tag, sequence, tag - cost, sequence, cost, due_at)


def test_idleness_banks_nothing() -> None:
    counters = Counters(10)
    counters.charge("busy", 100.0)
    counters.went(100.0)
    assert counters.start("idle") == 100.0
    counters.charge("idle", 10.0)
    assert counters.start("idle") == 110.0


def test_a_second_request_starts_where_the_first_ends() -> None:
    """Else whoever asks ten times at once would be served like ten people."""
    counters = Counters(10)
    counters.charge("ana", 50.0)
    assert counters.start("ana") == 50.0
    counters.charge("ana", 50.0)
    assert counters.start("ana") == 100.0


def test_what_was_not_consumed_is_given_back_but_never_beyond_virtual_time() -> None:
    counters = Counters(10)
    counters.charge("ana", 50.0)
    counters.charge("ana", -30.0)
    assert counters.start("ana") == 20.0
    counters.went(40.0)
    assert counters.start("ana") == 40.0


def test_counters_are_bounded_and_the_flow_longest_unseen_is_forgotten() -> None:
    counters = Counters(2)
    for flow in ("first", "second", "third"):
        counters.charge(flow, 10.0)
    assert len(counters) == 2
    assert counters.start("first") == 0.0
    assert counters.start("third") == 10.0


def test_the_smallest_tag_goes_first_and_ties_by_arrival() -> None:
    queue = FairQueue()
    for one in (entry(1, 30.0, 5.0), entry(2, 10.0, 5.0), entry(3, 30.0, 5.0)):
        queue.add(one)
    assert [one.sequence for one in queue.order(1.0, 0.0)] == [2, 1, 3]
    assert [one.sequence for one in queue] == [2, 1, 3]
    assert queue.position(30.0, 3) == 3
    assert len(queue) == 3


def test_a_small_tag_does_not_pass_one_who_is_due() -> None:
    queue = FairQueue()
    queue.add(entry(1, 100.0, 10.0, due_at=12.0))
    queue.add(entry(2, 10.0, 10.0, due_at=50.0))
    assert [one.sequence for one in queue.order(1.0, 0.0)] == [2, 1], "the other can still start in time"
    assert [one.sequence for one in queue.order(1.0, 5.0)] == [1, 2], "it could not any more"


def test_when_all_are_late_the_one_due_first_goes() -> None:
    queue = FairQueue()
    queue.add(entry(1, 10.0, 10.0, due_at=9.0))
    queue.add(entry(2, 100.0, 10.0, due_at=5.0))
    assert [one.sequence for one in queue.order(1.0, 50.0)] == [2, 1]


def test_who_leaves_is_neither_waited_for_nor_counted() -> None:
    queue = FairQueue()
    queue.add(entry(1, 10.0, 10.0))
    queue.add(entry(2, 20.0, 10.0))
    assert queue.wait_s(100.0, 2.0) == 10.0
    queue.remove(entry(1, 10.0, 10.0))
    assert queue.wait_s(100.0, 2.0) == 5.0
    assert queue.cost == 10.0
    queue.remove(entry(2, 20.0, 10.0))
    assert queue.cost == 0.0


def test_a_promise_sells_half_of_the_future_and_comes_after_those_it_would_break() -> None:
    queue = FairQueue()
    assert queue.promise_s(10.0, 10.0, 1.0, 0.0, 4.0) == MARGIN * 4.0
    queue.add(entry(1, 100.0, 10.0, due_at=12.0))
    assert queue.promise_s(10.0, 8.0, 1.0, 0.0, 4.0) == 8.0, "there is room before"
    assert queue.promise_s(10.0, 9.0, 1.0, 0.0, 4.0) == 14.0, "there is none"


asks = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60), st.integers(0, 30)), min_size=1, max_size=50)


@given(asks)
def test_served_one_by_one_everybody_starts_when_promised(told: list[tuple[int, int, int]]) -> None:
    """Whoever comes later, with however small a tag."""
    queue, now, free_at = FairQueue(), 0.0, 0.0

    def serve(until: float) -> float:
        at = free_at
        while len(queue) and at <= until:
            chosen = next(queue.order(1.0, at))
            assert at <= chosen.due_at + 1e-6
            queue.remove(chosen)
            at += chosen.cost
        return max(at, until)

    for sequence, (tag, cost, passed) in enumerate(told):
        now += passed
        free_at = serve(now)
        promised_s = queue.promise_s(float(tag), float(cost), 1.0, now, free_at - now)
        queue.add(entry(sequence, float(tag), float(cost), now + promised_s))
    serve(1e9)
    assert len(queue) == 0


def test_the_order_of_due_dates_is_checked_as_if_one_by_one() -> None:
    """The same as trying for each whether all others could still start in time."""

    def leaves_room(queue: list[Entry], chosen: Entry, free_at: float) -> bool:
        at = free_at + chosen.cost
        for one in sorted(queue, key=lambda one: (one.due_at, one.sequence)):
            if one is not chosen:
                if one.due_at < at:
                    return False
                at += one.cost
        return True

    @given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20), st.integers(0, 120)), min_size=1, max_size=8))
    def agree(told: list[tuple[int, int, int]]) -> None:
        queue = FairQueue()
        entries = [entry(n, float(tag), float(cost), float(due)) for n, (tag, cost, due) in enumerate(told)]
        for one in entries:
            queue.add(one)
        able = [one for one in sorted(entries) if leaves_room(entries, one, 10.0)]
        order = list(queue.order(1.0, 10.0))
        assert order[: len(able)] == able
        assert sorted(order) == sorted(entries)

    agree()


def test_a_queue_forgets_nobody() -> None:
    queue = FairQueue()
    with pytest.raises(IndexError):
        queue.remove(entry(1, 1.0, 1.0))
