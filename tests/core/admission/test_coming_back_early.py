"""Whoever was told when to come back and comes earlier is refused by the head alone, as long as there is no room."""

from __future__ import annotations

from tests.core.admission.engine_model import claim
from tidegate.core.admission.claims import Admitted, Shed, Spent
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import Standing

ROOM_S = 0.5  # So little patience that whoever cannot start at once is refused.


def full() -> Scheduler:
    scheduler = Scheduler(AdmissionPlan(slots=1, most_principals=3))
    assert isinstance(scheduler.enter(1, claim("first"), 0.0)[0], Admitted)
    scheduler.began(1, 0.0)
    return scheduler


def refused(scheduler: Scheduler, ticket: int, name: str, standing: Standing = Standing.NEWCOMER) -> float:
    answer, _ = scheduler.enter(ticket, claim(name, standing, patience_s=ROOM_S), 0.0)
    assert isinstance(answer, Shed)
    return answer.retry_after_s


def shown(scheduler: Scheduler, name: str, now: float, standing: Standing = Standing.NEWCOMER) -> Shed | None:
    return scheduler.preview(name, standing, name, 100, 60.0, now)


def test_who_comes_back_too_early_is_refused_without_another_look_and_told_the_rest() -> None:
    scheduler = full()
    assert shown(scheduler, "bot", 0.0) is None
    told_s = refused(scheduler, 2, "bot")
    again = shown(scheduler, "bot", 0.4)
    assert again is not None
    assert again.retry_after_s <= max(1.0, told_s - 0.4)
    assert shown(scheduler, "other", 0.4) is None, "nobody else is"
    assert shown(scheduler, "bot", 16.0) is None, "and not for long: by then much may be different"


def test_room_that_came_sooner_than_told_is_not_left_empty() -> None:
    scheduler = full()
    refused(scheduler, 2, "bot")
    scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=9), 0.1)
    assert shown(scheduler, "bot", 0.2) is None


def test_known_people_are_judged_anew_each_time() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1))
    scheduler.enter(1, claim("ana", Standing.ESTABLISHED), 0.0)
    scheduler.began(1, 0.0)
    refused(scheduler, 2, "bo", Standing.ESTABLISHED)
    assert shown(scheduler, "bo", 0.1, Standing.ESTABLISHED) is None


def test_no_more_are_remembered_than_the_plan_says_and_the_longest_ago_is_forgotten() -> None:
    scheduler = full()
    for number in range(4):
        refused(scheduler, 2 + number, f"bot{number}")
    assert shown(scheduler, "bot0", 0.1) is None
    assert shown(scheduler, "bot3", 0.1) is not None
