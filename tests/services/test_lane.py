"""Callers wait in order, and one who gives up never takes a place along."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.core.admission.slots import SlotPlan
from tidegate.services.lane import Lane, OverloadedError, TooManyInFlightError
from tidegate.testing.clock import HandClock


async def settled() -> None:
    """Let every task run until all of them wait for something else."""
    for _ in range(5):
        await asyncio.sleep(0)


def lane_of(slots: int, max_waiting: int, max_per_owner: int = 100) -> Lane:
    return Lane(SlotPlan(slots, max_waiting, max_per_owner), HandClock())


def waiter(lane: Lane, owner: str = "ana") -> asyncio.Task[int]:
    return asyncio.create_task(lane.enter(owner))


async def test_callers_are_let_in_in_the_order_they_came() -> None:
    lane = lane_of(1, 3)
    first = await waiter(lane)
    waiting = [waiter(lane, owner) for owner in "abc"]
    await settled()
    assert (lane.queue.running, lane.queue.waiting, lane.remembered) == (1, 3, 3)

    held = first
    for task in waiting:
        assert not task.done()
        lane.leave(held)
        await settled()
        held = task.result()

    lane.leave(held)
    assert (lane.queue.running, lane.queue.waiting, lane.remembered) == (0, 0, 0)


async def test_a_full_queue_says_so_at_once_and_how_long() -> None:
    lane = lane_of(1, 0)
    await lane.enter("ana")

    with pytest.raises(OverloadedError) as refused:
        await lane.enter("bo")

    assert refused.value.retry_after_s == lane.queue.drain_s(1) > 0
    assert lane.queue.running == 1


async def test_one_account_with_too_many_is_told_so_at_once_and_others_are_let_in() -> None:
    lane = lane_of(3, 0, max_per_owner=2)
    tickets = [await lane.enter("ana") for _ in range(2)]

    with pytest.raises(TooManyInFlightError) as refused:
        await lane.enter("ana")

    assert (refused.value.inside, refused.value.retry_after_s > 0) == (2, True)
    await lane.enter("bo")
    lane.leave(tickets[0])
    await lane.enter("ana")


async def test_leaving_twice_frees_one_place() -> None:
    lane = lane_of(2, 4)
    tickets = [await waiter(lane) for _ in range(2)]
    waiting = [waiter(lane) for _ in range(2)]
    await settled()

    lane.leave(tickets[0])
    lane.leave(tickets[0])
    await settled()

    assert [task.done() for task in waiting] == [True, False]
    assert lane.queue.running == 2
    lane.leave(tickets[1])
    for task in waiting:
        lane.leave(await task)


async def test_a_waiter_that_gives_up_leaves_the_queue_and_no_longer_counts_for_its_account() -> None:
    lane = lane_of(1, 2, max_per_owner=2)
    held = await waiter(lane)
    gone, next_one = waiter(lane), waiter(lane, "bo")
    await settled()

    gone.cancel()
    await settled()

    assert (lane.queue.running, lane.queue.waiting, lane.queue.inside("ana")) == (1, 1, 1)
    lane.leave(held)
    lane.leave(await next_one)
    assert (lane.queue.running, lane.queue.owners) == (0, 0)


@pytest.mark.parametrize("cancel_first", [True, False])
async def test_a_waiter_cancelled_in_the_moment_of_its_turn_passes_the_place_on(*, cancel_first: bool) -> None:
    lane = lane_of(1, 2)
    held = await waiter(lane)
    gone, next_one = waiter(lane), waiter(lane)
    await settled()

    if cancel_first:
        gone.cancel()
        lane.leave(held)
    else:
        lane.leave(held)
        gone.cancel()

    lane.leave(await asyncio.wait_for(next_one, 5))
    assert gone.cancelled()
    assert (lane.queue.running, lane.queue.waiting) == (0, 0)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["leave", "cancel"]), st.integers(0, 30)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(st.integers(1, 3), st.integers(0, 4), st.integers(1, 4), moves)
async def test_no_interleaving_of_coming_leaving_and_cancelling_leaks_a_place(
    slots: int, max_waiting: int, max_per_owner: int, story: list[tuple[str, object]]
) -> None:
    lane = lane_of(slots, max_waiting, max_per_owner)
    tasks: list[asyncio.Task[int]] = []
    for what, argument in story:
        match what, argument:
            case "come", str(owner):
                tasks.append(waiter(lane, owner))
            case "cancel", int(index) if index < len(tasks):
                tasks[index].cancel()
            case "leave", int(index) if index < len(tasks):
                _leave_if_inside(lane, tasks[index])
            case "turn", int(times):
                for _ in range(times):
                    await asyncio.sleep(0)
        assert lane.queue.running <= slots
        assert lane.queue.waiting <= max_waiting
        assert all(lane.queue.inside(owner) <= max_per_owner for owner in "abc")

    # Whoever is inside leaves until nobody is left: if a place had leaked, somebody would wait for ever.
    for _ in range(len(tasks) + 1):
        await settled()
        for task in tasks:
            _leave_if_inside(lane, task)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (lane.queue.running, lane.queue.waiting, lane.queue.owners, lane.remembered) == (0, 0, 0, 0)


def _leave_if_inside(lane: Lane, task: asyncio.Task[int]) -> None:
    if task.done() and not task.cancelled() and task.exception() is None:
        lane.leave(task.result())
