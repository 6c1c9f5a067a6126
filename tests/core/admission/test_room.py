"""Whether there is room, told from a head: in one line, or in any of several."""

from __future__ import annotations

from tidegate.core.admission.claims import Claim, Crowded, Shed
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.room import room_ahead
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register

WHO = UserId.of(b"somebody")
PLAN = AdmissionPlan(slots=1, max_waiting=1, max_per_owner=2)


def full(who: str = "usr_00000000000000ff") -> Scheduler:
    """A scheduler in which somebody has as many as they may."""
    scheduler = Scheduler(PLAN)
    for ticket in (1, 2):
        claim = Claim(principal=who, standing=Standing.ESTABLISHED, cohort=who, prompt_bytes=70, output_tokens=20)
        scheduler.enter(ticket, claim, 0.0)
    return scheduler


def ask(*schedulers: Scheduler, who: UserId | None = WHO) -> Shed | Crowded | None:
    preview = room_ahead(Register(StandingPlan(), 10), schedulers, lambda: 1.0)
    return preview(who, Standing.NEWCOMER, 70, 2.0, 0.0)


def test_where_one_line_is_full_and_another_free_a_head_is_let_through() -> None:
    assert isinstance(ask(full()), Shed)
    assert isinstance(ask(full(), full()), Shed)
    assert ask(full(), Scheduler(PLAN)) is None
    assert ask(Scheduler(PLAN)) is None
    assert isinstance(ask(full(), who=None), Shed)


def test_whoever_has_too_many_in_is_told_so() -> None:
    preview = room_ahead(Register(StandingPlan(), 10), (full(WHO),), lambda: 1.0)

    assert isinstance(preview(WHO, Standing.ESTABLISHED, 70, 600.0, 0.0), Crowded)
