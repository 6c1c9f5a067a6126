"""Who is next at the one worker that hashes passwords, whoever else is there."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.entering.line import Full, Held, Joined, LinePlan, PasswordLine
from tidegate.core.entering.places import UNKNOWN, Claim, Place

JOB_S = 0.025
KNOWN = [place for place in Place if place not in UNKNOWN]


def claim(place: Place = Place.STRANGER, account: str = "", lot: float = 0.5, effort: int = 0) -> Claim:
    return Claim(place=place, account=account, lot=lot, effort=effort)


def served(line: PasswordLine, now: float = 0.0, *, is_attacked: bool = False) -> int | Held | None:
    """Call the next and let it be done."""
    called = line.call(now, is_attacked=is_attacked)
    if isinstance(called, int):
        line.done(called, JOB_S, now)
    return called


def joined(line: PasswordLine, number: int, wanted: Claim, now: float = 0.0) -> Joined:
    came = line.join(number, wanted, now)
    assert isinstance(came, Joined)
    return came


# ------------------------------------------------------------ one place


def test_one_runs_at_a_time_and_known_ones_in_the_order_of_their_coming() -> None:
    line = PasswordLine(LinePlan())
    for number in (1, 2, 3):
        joined(line, number, claim(Place.MEMBER, lot=number / 10))

    assert line.call(0.0, is_attacked=False) == 1
    assert line.call(0.0, is_attacked=False) is None
    line.done(2, JOB_S, 0.0)
    assert line.call(0.0, is_attacked=False) is None, "another's end is not its own"
    line.done(1, JOB_S, 0.0)
    assert [served(line), served(line), served(line)] == [2, 3, None]
    assert line.remembered == 0


def test_strangers_draw_lots_and_the_greater_effort_goes_first() -> None:
    line = PasswordLine(LinePlan())
    for number, (lot, effort) in enumerate([(0.9, 0), (0.1, 2), (0.5, 0), (0.7, 2)]):
        joined(line, number, claim(lot=lot, effort=effort))

    assert [served(line) for _ in range(4)] == [3, 1, 0, 2]


def test_a_full_place_exchanges_its_lowest_lot_for_a_higher_one() -> None:
    line = PasswordLine(LinePlan(most_waiting=dict.fromkeys(Place, 2)))
    joined(line, 1, claim(lot=0.6))
    joined(line, 2, claim(lot=0.3))

    assert isinstance(line.join(3, claim(lot=0.2), 0.0), Full)
    came = joined(line, 4, claim(lot=0.4))
    assert came.evicted == 2
    assert came.retry_after_s > 0.0
    assert joined(line, 5, claim(lot=0.0, effort=1)).evicted == 4
    assert [served(line), served(line), served(line)] == [5, 1, None]


def test_known_devices_are_never_evicted() -> None:
    line = PasswordLine(LinePlan(most_waiting=dict.fromkeys(Place, 1)))
    joined(line, 1, claim(Place.NEWCOMER, lot=0.0))

    assert isinstance(line.join(2, claim(Place.NEWCOMER, lot=1.0, effort=9), 0.0), Full)
    assert served(line) == 1


@pytest.mark.parametrize("place", list(Place))
def test_one_account_fills_no_place(place: Place) -> None:
    line = PasswordLine(LinePlan())
    for number in (1, 2):
        joined(line, number, claim(place, "ana", lot=0.5))

    assert isinstance(line.join(3, claim(place, "ana", lot=0.1), 0.0), Full)
    assert isinstance(line.join(4, claim(place, "bo", lot=0.1), 0.0), Joined)
    for number in (5, 6, 7):
        joined(line, number, claim(place, "", lot=0.0))


def test_who_wants_into_an_account_that_a_crowd_asks_for_has_a_lot_among_them() -> None:
    line = PasswordLine(LinePlan())
    for number, lot in ((1, 0.5), (2, 0.4), (3, 0.1)):
        line.join(number, claim(account="ana", lot=lot), 0.0)

    assert joined(line, 4, claim(account="ana", lot=0.9)).evicted == 2
    assert served(line) == 4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("first", [False, True])
def test_a_crowd_gains_nothing_by_being_first(seed: int, first: bool) -> None:
    """
    Two hundred tries a second and one of somebody's own: over many hashes it has its share of the chances.
    """
    dice = Random(seed)
    chances = 0
    for _ in range(200):
        line = PasswordLine(LinePlan(most_waiting=dict.fromkeys(Place, 4)))
        crowd = [claim(account=str(number), lot=dice.random()) for number in range(9)]
        own = claim(account="ana", lot=dice.random())
        everybody = [own, *crowd] if first else [*crowd, own]
        for number, one in enumerate(everybody):
            line.join(number, one, 0.0)
        chances += served(line) == everybody.index(own)
    assert 2 <= chances <= 48, "one in ten, give or take four deviations"


def test_whoever_has_waited_too_long_is_told_to_come_again() -> None:
    line = PasswordLine(LinePlan(patience_s=10.0))
    joined(line, 1, claim(), now=0.0)
    joined(line, 2, claim(Place.MEMBER), now=5.0)

    assert line.late(9.9) == []
    assert line.late(10.0) == [1]
    assert line.late(15.0) == [2]
    assert line.remembered == 0


def test_who_leaves_is_not_called() -> None:
    line = PasswordLine(LinePlan())
    joined(line, 1, claim())
    line.leave(1)
    line.leave(7)

    assert served(line) is None


# ------------------------------------------------------------ between places


@given(backlogs=st.sets(st.sampled_from(list(Place)), min_size=1))
def test_every_place_with_a_backlog_keeps_its_share(backlogs: set[Place]) -> None:
    plan = LinePlan()
    line = PasswordLine(plan)
    number, turns = 0, Counter[Place]()
    places: dict[int, Place] = {}
    for _ in range(400):
        for place in backlogs:
            while line.waiting(place) < 2:
                number += 1
                places[number] = place
                joined(line, number, claim(place))
        called = served(line)
        assert isinstance(called, int)
        turns[places[called]] += 1

    together = sum(plan.shares[place] for place in backlogs)
    for place in backlogs:
        assert turns[place] >= 400 * plan.shares[place] / together - len(Place)


@given(place=st.sampled_from(KNOWN), turns=st.integers(1, 60))
def test_a_known_device_waits_for_no_backlog_of_strangers(place: Place, turns: int) -> None:
    """
    At most for the hash that runs and for one of each other place that has one waiting.
    """
    line = PasswordLine(LinePlan())
    number = 0
    for _ in range(turns):
        while line.waiting(Place.STRANGER) < 10:
            number += 1
            joined(line, number, claim())
        served(line)
    line.join(number + 1, claim(), 0.0)
    running = line.call(0.0, is_attacked=False)
    assert isinstance(running, int)

    joined(line, 10_000, claim(place, "ana"))
    line.done(running, JOB_S, 0.0)

    assert served(line) == 10_000


def test_a_place_that_was_empty_has_earned_nothing_by_it() -> None:
    """
    Members who all come after an hour of strangers do not keep those out until they have caught up.
    """
    line, turns = PasswordLine(LinePlan()), Counter[Place]()
    number = 0
    for _ in range(100):
        number += 1
        joined(line, number, claim())
        served(line)
    places: dict[int, Place] = {}
    for _ in range(35):
        for place in (Place.MEMBER, Place.STRANGER):
            while line.waiting(place) < 2:
                number += 1
                places[number] = place
                joined(line, number, claim(place))
        called = served(line)
        assert isinstance(called, int)
        turns[places[called]] += 1

    assert turns[Place.STRANGER] >= 19, "20 of 35 are their part"


def test_the_better_place_is_first_where_both_have_their_turn() -> None:
    line = PasswordLine(LinePlan())
    for number, place in enumerate(reversed(Place)):
        joined(line, number, claim(place))

    assert [served(line) for _ in Place] == [5, 4, 3, 2, 1, 0]


# ------------------------------------------------------------ while attacked


def test_while_attacked_strangers_get_no_more_than_their_part_of_the_worker_and_known_devices_all_else() -> None:
    plan = LinePlan(attacked_part=0.25, attacked_burst_s=0.5)
    line, now, number, used_s = PasswordLine(plan), 0.0, 0, 0.0
    while now < 20.0:
        for place in UNKNOWN:
            number += 1
            line.join(number, claim(place, lot=0.5), now)
        called = line.call(now, is_attacked=True)
        if isinstance(called, Held):
            assert called.wait_s > 0.0
            now += called.wait_s
            continue
        assert isinstance(called, int)
        now += JOB_S
        used_s += JOB_S
        line.done(called, JOB_S, now)
    assert 0.25 * 20.0 - 2 * JOB_S <= used_s <= 0.25 * 20.0 + 0.5 + JOB_S

    joined(line, 10**6, claim(Place.NEWCOMER), now)
    assert line.call(now, is_attacked=True) == 10**6


def test_a_spent_part_holds_nobody_when_nobody_waits_and_in_calm() -> None:
    line = PasswordLine(LinePlan(attacked_part=0.1, attacked_burst_s=0.1))
    for number in range(9):
        joined(line, number, claim(lot=number / 10))
    while isinstance(served(line, is_attacked=True), int):
        pass

    assert isinstance(served(line, is_attacked=True), Held)
    assert served(line) is not None
    while served(line) is not None:
        pass
    assert served(line, is_attacked=True) is None


def test_a_hash_that_takes_longer_than_the_whole_budget_still_has_its_turn() -> None:
    line = PasswordLine(LinePlan(attacked_part=0.25, attacked_burst_s=0.1, first_guess_s=5.0))
    joined(line, 1, claim())

    assert line.call(0.0, is_attacked=True) == 1


# ------------------------------------------------------------ what is told


def test_what_is_told_is_enough_when_every_other_place_is_full() -> None:
    plan = LinePlan(first_guess_s=JOB_S, patience_s=1e9)
    line, number, now = PasswordLine(plan), 0, 0.0
    for place in Place:
        for _ in range(plan.most_waiting[place]):
            number += 1
            joined(line, number, claim(place, lot=0.9))
    full = line.join(0, claim(lot=0.1), now)
    assert isinstance(full, Full)
    before = number

    while now < full.retry_after_s:
        for place in set(Place) - {Place.STRANGER}:
            number += 1
            line.join(number, claim(place, lot=0.9), now)
        now += JOB_S
        served(line, now)

    assert number > before
    assert line.waiting(Place.STRANGER) < plan.most_waiting[Place.STRANGER]


def test_what_is_told_has_an_end_and_capacity_follows_the_hashes() -> None:
    line = PasswordLine(LinePlan(first_guess_s=1000.0))
    assert line.drain_s(Place.JOINING) == 120.0
    slow = line.capacity()
    for number in range(200):
        joined(line, number, claim())
        called = line.call(0.0, is_attacked=False)
        assert called == number
        line.done(number, -1.0 if number % 2 else 0.0, 0.0)

    assert slow < line.capacity() < float("inf")
    assert line.drain_s(Place.OWN) == 0.1


@given(
    turns=st.lists(
        st.tuples(
            st.sampled_from(list(Place)),
            st.sampled_from(["", "ana", "bo"]),
            st.floats(0, 1),
            st.sampled_from(["join", "join", "join", "serve", "leave", "late"]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_comes_each_ticket_ends_once_and_no_place_holds_more_than_the_plan_says(
    turns: list[tuple[Place, str, float, str, bool]],
) -> None:
    plan = LinePlan(most_waiting=dict.fromkeys(Place, 3), patience_s=1.0)
    line, now = PasswordLine(plan), 0.0
    inside: set[int] = set()
    for number, (place, account, lot, act, is_attacked) in enumerate(turns):
        now += 0.1
        wanted = claim(place, account, lot)
        if act == "join":
            has_room = line.room(wanted) is None
            came = line.join(number, wanted, now)
            assert has_room is isinstance(came, Joined)
            if isinstance(came, Joined):
                inside.add(number)
                inside.discard(-1 if came.evicted is None else came.evicted)
        elif act == "serve":
            called = served(line, now, is_attacked=is_attacked)
            inside.discard(called if isinstance(called, int) else -1)
        elif act == "leave" and inside:
            line.leave(min(inside))
            inside.discard(min(inside))
        else:
            inside.difference_update(line.late(now))
        assert line.remembered == len(inside)
        assert all(line.waiting(one) <= 3 for one in Place)
