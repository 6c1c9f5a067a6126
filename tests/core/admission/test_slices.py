"""How far an answer may be written before it is decided anew whether it goes on."""

from __future__ import annotations

from tests.core.admission.engine_model import claim
from tidegate.core.admission.claims import Topped
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import Standing


def test_how_much_may_be_written_until_it_is_decided_anew_is_told() -> None:
    """
    Whoever counts tokens in larger portions need not count beyond that.
    """
    scheduler = Scheduler(AdmissionPlan(slots=1, slice_tokens=64))
    scheduler.enter(1, claim("one"), 0.0)
    scheduler.began(1, 0.0)

    assert scheduler.left_tokens(1) == 64
    assert scheduler.spend(1, 63, 1.0) is Topped.ENOUGH
    assert scheduler.left_tokens(1) == 1
    assert scheduler.spend(1, 1, 1.0) is Topped.TOPPED_UP
    assert scheduler.left_tokens(1) == 64
    scheduler.enter(2, claim("ana", Standing.ESTABLISHED), 1.0)
    assert scheduler.left_tokens(2) == 0, "it waits"
