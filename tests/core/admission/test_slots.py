"""A few places and a short queue: bounded, in order, and never idle while somebody waits."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tidegate.core.admission.claims import Crowded, Shed
from tidegate.core.admission.slots import Queued, Running, SlotPlan, SlotQueue


class QueueUnderAnyUse(RuleBasedStateMachine):
    """A model of the queue in two lists, beside the real one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.tickets = 0
        self.inside: set[int] = set()
        self.line: dict[int, str] = {}
        self.owner_of: dict[int, str] = {}
        self.gone: list[int] = []

    @initialize(slots=st.integers(1, 4), max_waiting=st.integers(0, 4), max_per_owner=st.integers(1, 5))
    def begin(self, slots: int, max_waiting: int, max_per_owner: int) -> None:
        self.plan = SlotPlan(slots, max_waiting, max_per_owner)
        self.queue = SlotQueue(self.plan)

    @rule(seconds=st.floats(-100, 1000))
    def time_passes_or_steps_back(self, seconds: float) -> None:
        self.now += seconds

    @rule(owner=st.sampled_from("abc"))
    def somebody_comes(self, owner: str) -> None:
        self.tickets += 1
        entered = self.queue.enter(self.tickets, owner, self.now)
        match entered:
            case Running():
                assert self.count(owner) < self.plan.max_per_owner
                assert not self.line, "let in past those who wait"
                self.inside.add(self.tickets)
                self.owner_of[self.tickets] = owner
            case Queued(position=position):
                assert self.count(owner) < self.plan.max_per_owner
                self.line[self.tickets] = self.owner_of[self.tickets] = owner
                assert position == len(self.line)
            case Shed(retry_after_s=retry_after_s):
                assert len(self.inside) == self.plan.slots
                assert len(self.line) == self.plan.max_waiting, "refused with room in the queue"
                assert retry_after_s > 0
                self.gone.append(self.tickets)
            case Crowded(retry_after_s=retry_after_s):
                assert self.count(owner) == self.plan.max_per_owner, "refused with room for the owner"
                assert retry_after_s > 0
                self.gone.append(self.tickets)

    def count(self, owner: str) -> int:
        return sum(self.owner_of[ticket] == owner for ticket in [*self.inside, *self.line])

    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from([*self.inside, *self.line, *self.gone[-3:], self.tickets + 1000]))
        was_inside = ticket in self.inside
        self.inside.discard(ticket)
        self.line.pop(ticket, None)
        self.gone.append(ticket)
        called = self.queue.leave(ticket, self.now)
        if not was_inside or not self.line:
            assert called is None
            return
        assert called == next(iter(self.line)), "not the one who waited longest"
        del self.line[called]
        self.inside.add(called)

    @invariant()
    def the_promises_hold(self) -> None:
        assert self.queue.running == len(self.inside) <= self.plan.slots
        assert self.queue.waiting == len(self.line) <= self.plan.max_waiting
        assert not self.line or len(self.inside) == self.plan.slots, "a place is free while somebody waits"
        for owner in "abc":
            assert self.queue.inside(owner) == self.count(owner) <= self.plan.max_per_owner
        assert self.queue.owners == len({self.owner_of[ticket] for ticket in [*self.inside, *self.line]})
        waits = [self.queue.drain_s(position) for position in range(1, 7)]
        assert waits == sorted(waits)
        assert all(0 < wait_s < 1e6 for wait_s in waits)


TestQueueUnderAnyUse = QueueUnderAnyUse.TestCase
TestQueueUnderAnyUse.settings = settings(max_examples=60, stateful_step_count=30)


def _full(slots: int = 1, max_waiting: int = 8) -> SlotQueue:
    queue = SlotQueue(SlotPlan(slots, max_waiting))
    for ticket in range(slots):
        assert isinstance(queue.enter(ticket, "ana", 0.0), Running)
    return queue


def test_who_gives_up_waiting_frees_nobody_elses_place() -> None:
    queue = _full()
    queue.enter(10, "bo", 0.0)
    queue.enter(11, "cy", 0.0)

    assert queue.leave(10, 1.0) is None

    assert (queue.running, queue.waiting) == (1, 1)
    assert queue.leave(0, 2.0) == 11


def test_without_a_queue_a_second_caller_is_shed_at_once() -> None:
    queue = _full(max_waiting=0)

    refused: Any = queue.enter(1, "bo", 0.0)

    assert isinstance(refused, Shed)
    assert refused.retry_after_s == queue.drain_s(1)


@given(st.floats(0.5, 60))
def test_the_promised_wait_follows_how_long_requests_really_take(held_s: float) -> None:
    queue = SlotQueue(SlotPlan(1, 1))
    now = 0.0
    for ticket in range(60):
        queue.enter(ticket, "ana", now)
        now += held_s
        queue.leave(ticket, now)

    assert abs(queue.drain_s(1) - held_s) < 0.05 * held_s + 0.01
    assert abs(queue.drain_s(3) - 3 * held_s) < 0.15 * held_s + 0.03


def test_more_places_drain_faster() -> None:
    assert _full(slots=4).drain_s(8) == _full(slots=1).drain_s(2)


def test_a_clock_that_steps_back_makes_no_negative_wait() -> None:
    queue = SlotQueue(SlotPlan(1, 1))
    for ticket in range(100):
        queue.enter(ticket, "ana", 0.0)
        queue.leave(ticket, -1e9)

    assert 0 < queue.drain_s(1) <= 1


def test_one_step_of_the_clock_does_not_spoil_the_promises_after_it() -> None:
    """It counts as one request that took no time, and not as one that took less than none."""
    stepped, quick = SlotQueue(SlotPlan(1, 1)), SlotQueue(SlotPlan(1, 1))
    for queue, left_at in ((stepped, -1e9), (quick, 0.0)):
        queue.enter(1, "ana", 0.0)
        queue.leave(1, left_at)

    assert stepped.drain_s(1) == quick.drain_s(1) > 1


def test_one_owner_fills_neither_the_places_nor_the_queue() -> None:
    """Whoever has all that one may have is refused while everybody else is still let in."""
    queue = SlotQueue(SlotPlan(2, 4, 3))
    entered = [queue.enter(ticket, "ana", 0.0) for ticket in range(4)]

    assert [type(one) for one in entered] == [Running, Running, Queued, Crowded]
    assert isinstance(queue.enter(10, "bo", 0.0), Queued)
    queue.leave(2, 0.0)
    assert isinstance(queue.enter(11, "ana", 0.0), Queued)


@given(st.floats(0.5, 60))
def test_a_crowded_owner_is_told_how_long_one_request_takes(held_s: float) -> None:
    queue = SlotQueue(SlotPlan(4, 0, 1))
    for ticket in range(60):
        queue.enter(ticket, "ana", 0.0)
        queue.leave(ticket, held_s)
    queue.enter(100, "ana", 0.0)

    refused: Any = queue.enter(101, "ana", 0.0)

    assert abs(refused.retry_after_s - held_s) < 0.05 * held_s + 0.01
