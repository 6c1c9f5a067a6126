"""What a class is promised goes by what it was seen to get, not only by what others leave."""

from __future__ import annotations

import pytest

from tests.core.admission.engine_model import claim
from tidegate.core.admission.fair import Entry
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.reckoning import Reckoning
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import Standing


def _ticket(standing: Standing) -> Ticket:
    one = claim("one", standing)
    entry = Entry(0.0, 1, 0.0, 1, 1.0, 0.0)
    return Ticket(
        number=1,
        claim=one,
        standing=standing,
        flows=("one",),
        prompt_tokens=1,
        reserved_tokens=1,
        entry=entry,
        charged=1.0,
    )


def _worked(cost_a_second: float, *, has_waiting: bool) -> Reckoning:
    reckoning = Reckoning(AdmissionPlan())
    for second in range(60):
        reckoning.did(_ticket(Standing.NEWCOMER), cost_a_second, float(second), is_full=False, has_waiting=has_waiting)
    return reckoning


def test_a_class_that_had_more_to_do_and_got_little_is_promised_little() -> None:
    reckoning = _worked(20.0, has_waiting=True)
    assert reckoning.rate(Standing.NEWCOMER, 60.0) == pytest.approx(20.0, rel=0.05)
    assert reckoning.rate(Standing.ESTABLISHED, 60.0) > 60.0, "of others it says nothing"


def test_a_class_that_asked_for_little_is_not_taken_for_one_that_gets_little() -> None:
    assert _worked(20.0, has_waiting=False).rate(Standing.NEWCOMER, 60.0) > 60.0


def test_a_class_that_was_starved_for_a_moment_is_still_promised_a_part_of_its_share() -> None:
    """Otherwise nobody of it would be let wait, and it could never be seen to get more."""
    reckoning = _worked(0.01, has_waiting=True)
    share = reckoning.shares.shares[Standing.NEWCOMER]
    assert reckoning.rate(Standing.NEWCOMER, 60.0) == pytest.approx(share * reckoning.drain.rate / 4)


def test_headroom_is_what_known_people_leave_and_strangers_take_none_of_it() -> None:
    """Registration goes by it: a flood of strangers must not make it look as if there were no room for anybody."""
    reckoning = Reckoning(AdmissionPlan())
    rate = reckoning.drain.rate
    assert reckoning.headroom(0.0) == 1.0
    reckoning.shares.charge(Standing.NEWCOMER, 100 * rate, 0.0)
    assert reckoning.headroom(0.0) == 1.0
    reckoning.shares.charge(Standing.ESTABLISHED, 15 * rate, 0.0)
    assert reckoning.headroom(0.0) == pytest.approx(0.5)
    reckoning.shares.charge(Standing.MEMBER, 30 * rate, 0.0)
    assert reckoning.headroom(0.0) == 0.0
    assert reckoning.headroom(300.0) > 0.99, "what was used is forgotten"


def test_a_scheduler_tells_the_headroom_of_its_engine() -> None:
    scheduler = Scheduler(AdmissionPlan())
    assert scheduler.headroom(0.0) == 1.0
    for number in range(4):
        scheduler.enter(number, claim(f"known{number}", Standing.ESTABLISHED), 0.0)
    assert scheduler.headroom(0.0) < 1.0
