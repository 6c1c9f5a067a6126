"""Strangers beside known people: few, none of a throng, and never starved."""

from __future__ import annotations

import pytest

from tests.core.admission.engine_model import EngineModel, claim
from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Cut, Spent, Topped, Waiting
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import Standing

EVER = 1e9
DONE = Spent(prompt_tokens=9, output_tokens=9)


def known(name: str) -> Claim:
    return claim(name, Standing.ESTABLISHED, patience_s=EVER)


def stranger(name: str, standing: Standing = Standing.NEWCOMER) -> Claim:
    return claim(name, standing, patience_s=EVER)


def writing(scheduler: Scheduler, tickets: range, standing: Standing) -> None:
    """So many strangers' answers have begun."""
    for ticket in tickets:
        assert isinstance(scheduler.enter(ticket, stranger(f"stranger{ticket}", standing), 0.0)[0], Admitted)
        scheduler.began(ticket, 0.0)


def throng(scheduler: Scheduler, standing: Standing, first: int = 100) -> None:
    """More wait than half of the places could take."""
    for ticket in range(first, first + scheduler.plan.slots):
        scheduler.enter(ticket, stranger(f"waiting{ticket}", standing), 0.0)


def cuts(acts: list[Act]) -> list[tuple[int, bool]]:
    return [(act.ticket, act.is_returning) for act in acts if isinstance(act, Cut)]


def called(acts: list[Act]) -> list[int]:
    return [act.ticket for act in acts if isinstance(act, Called)]


def test_beside_known_people_strangers_start_in_few_places_and_in_all_once_those_are_gone() -> None:
    """Each answer more makes the batches longer in which a known person's prompt is read."""
    scheduler = Scheduler(AdmissionPlan(slots=4, strangers_beside=0.25))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    assert isinstance(scheduler.enter(2, stranger("one"), 0.0)[0], Admitted)
    assert scheduler.began(2, 0.1) == []
    assert isinstance(scheduler.enter(3, stranger("two"), 0.1)[0], Waiting), "one of four is a quarter"
    assert called(scheduler.settle(1, DONE, 0.2)) == [3]


def test_beside_known_people_there_is_room_for_one_stranger_also_where_that_is_more_than_their_part() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2, strangers_beside=0.0))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    assert isinstance(scheduler.enter(2, stranger("one"), 0.0)[0], Admitted)


def test_no_more_of_a_throng_start_beside_known_people_than_their_part() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4, strangers_beside=0.0))
    writing(scheduler, range(1, 5), Standing.NEWCOMER)
    throng(scheduler, Standing.NEWCOMER)
    _, acts = scheduler.enter(9, known("ana"), 1.0)
    (cut, _) = cuts(acts)[0]
    assert called(scheduler.abandon(cut, 1.1)) == [9]
    scheduler.began(9, 1.2)
    left = next(ticket for ticket in range(1, 5) if ticket != cut)
    assert called(scheduler.settle(left, DONE, 1.3)) == [], "its place stays free while she is in"
    assert len(called(scheduler.settle(9, DONE, 1.4))) == 1, "and is a stranger's as soon as she is gone"


def test_a_throngs_prompt_is_taken_back_unseen_and_its_answers_that_have_begun_go_on() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=8))
    writing(scheduler, range(1, 4), Standing.VISITOR)
    scheduler.enter(4, stranger("reading", Standing.VISITOR), 0.0)
    throng(scheduler, Standing.VISITOR)
    answer, acts = scheduler.enter(9, known("ana"), 1.0)
    assert isinstance(answer, Admitted)
    assert cuts(acts) == [(4, True)]
    assert called(scheduler.release(4, 1.1)) == [], "it waits until she is gone"


def test_a_throngs_answer_that_has_had_half_a_slice_is_given_back_too() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=8))
    writing(scheduler, range(1, 4), Standing.VISITOR)
    scheduler.spend(1, 127, 0.5)
    scheduler.spend(2, 128, 0.5)
    scheduler.enter(4, stranger("reading", Standing.VISITOR), 0.0)
    throng(scheduler, Standing.VISITOR)
    _, acts = scheduler.enter(9, known("ana"), 1.0)
    assert sorted(cuts(acts)) == [(2, False), (4, True)]


@pytest.mark.parametrize("batch_tokens", [8, 512])
def test_a_class_that_is_due_starts_as_soon_as_it_is_and_not_at_somebody_elses_end(batch_tokens: int) -> None:
    """On an engine too that is so slow that its prompt will stall the others: it has its share."""
    scheduler = Scheduler(AdmissionPlan(slots=4, batch_tokens=batch_tokens))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    for ticket in range(2, 8):
        scheduler.enter(ticket, stranger(f"one{ticket}"), 0.0)
        scheduler.began(ticket, 0.0)
    before = scheduler.running
    for second in range(1, 60):
        scheduler.spend(1, 60, float(second))
        if scheduler.is_stirred:
            assert len(called(scheduler.stir(float(second)))) == 1
            break
    assert scheduler.running == before + 1


def test_a_long_answer_by_right_does_not_cost_its_class_its_right_for_ever() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2, max_waiting=9))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    for ticket in range(2, 9):
        scheduler.enter(ticket, stranger(f"one{ticket}", Standing.SUSPECT), 0.0)
    starts = []
    for second in range(1, 4000):
        scheduler.spend(1, 50, float(second))
        for ticket in called(scheduler.stir(float(second))):
            starts.append(second)
            scheduler.began(ticket, float(second))
            scheduler.spend(ticket, 50_000, float(second))
            scheduler.abandon(ticket, float(second))
    assert len(starts) >= 2
    assert starts[1] - starts[0] <= 3 * starts[0], "twice its credit, and no more, is owed"


def test_somebody_known_who_is_alone_may_use_every_place_at_once() -> None:
    """Beyond the usual they are a newcomer's, beside whom nobody known is in but they themselves."""
    scheduler = Scheduler(AdmissionPlan(slots=4))
    acts: list[Act] = []
    for ticket in range(1, 9):
        acts += scheduler.enter(ticket, known("ana"), 0.0)[1]
        acts += scheduler.began(ticket, 0.0)
    assert scheduler.running == 4
    assert [scheduler.judged(ticket) for ticket in (1, 2)] == [Standing.ESTABLISHED, Standing.NEWCOMER]
    acts += scheduler.settle(2, DONE, 1.0)
    assert scheduler.running == 4, "those who wait go on as places are free, though they are many"
    assert cuts(acts) == []


def test_what_somebody_known_has_beyond_the_usual_gives_way_to_others_who_are_known() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4))
    for ticket in range(1, 9):
        scheduler.enter(ticket, known("ana"), 0.0)
        scheduler.began(ticket, 0.0)
    (cut,) = cuts(scheduler.enter(9, known("bo"), 1.0)[1])
    assert cut[0] in {2, 3, 4}
    assert called(scheduler.abandon(cut[0], 1.1)) == [9]
    scheduler.began(9, 1.2)
    assert called(scheduler.settle(3 if cut[0] == 2 else 2, DONE, 1.3)) == [], "a throng does not start beside bo"


def test_a_strangers_slice_is_its_last_where_somebody_better_known_waits() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4))
    writing(scheduler, range(1, 2), Standing.VISITOR)
    writing(scheduler, range(2, 5), Standing.NEWCOMER)
    _, acts = scheduler.enter(5, stranger("better"), 0.0)
    assert acts == [], "its place is within its part"
    assert scheduler.spend(1, 255, 1.0) is Topped.ENOUGH
    assert scheduler.spend(1, 1, 1.0) is Topped.ENDED


def test_few_who_wait_are_no_throng_and_keep_what_they_have() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=8))
    writing(scheduler, range(1, 4), Standing.VISITOR)
    scheduler.enter(4, stranger("reading", Standing.VISITOR), 0.0)
    scheduler.enter(5, stranger("waiting", Standing.VISITOR), 0.0)
    assert cuts(scheduler.enter(9, known("ana"), 1.0)[1]) == []


def test_suspects_give_back_everything_as_soon_as_somebody_known_comes() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=8))
    writing(scheduler, range(1, 5), Standing.SUSPECT)
    writing(scheduler, range(5, 7), Standing.NEWCOMER)
    answer, acts = scheduler.enter(9, known("ana"), 1.0)
    assert isinstance(answer, Admitted)
    assert cuts(acts) == [(1, False), (2, False), (3, False), (4, False)], "newcomers write on"


def test_suspects_keep_the_places_that_are_theirs_beside_known_people_the_furthest_first() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=8, strangers_beside=0.25))
    writing(scheduler, range(1, 5), Standing.SUSPECT)
    scheduler.spend(3, 20, 0.5)
    scheduler.spend(2, 10, 0.5)
    _, acts = scheduler.enter(9, known("ana"), 1.0)
    assert sorted(cuts(acts)) == [(1, False), (4, False)]


@pytest.mark.parametrize("standing", [Standing.NEWCOMER, Standing.VISITOR, Standing.SUSPECT])
def test_a_throng_is_not_starved_by_known_people_who_never_leave(standing: Standing) -> None:
    """It is given its share of what they consume, in answers that are not taken back."""
    model = EngineModel(AdmissionPlan())
    asked = 0
    strangers = []
    shares = model.plan.shares
    while model.now < 300.0:
        model.step()
        while model.scheduler.waiting_in(Standing.ESTABLISHED) < 2:
            asked += 1
            model.ask(claim(f"person{asked % 9}", Standing.ESTABLISHED, output_tokens=24), 50, 24)
        while model.scheduler.waiting_in(standing) < 8:
            asked += 1
            strangers.append(model.ask(stranger(f"stranger{asked}", standing), 50, 40))
    done = sum(job.told for job in strangers)
    everything = sum(job.told for job in model.jobs.values())
    known_shares = shares[Standing.ESTABLISHED] + shares[Standing.MEMBER] + shares[Standing.OPERATOR]
    share = shares[standing] / (known_shares + shares[standing])
    assert share * 0.5 <= done / everything <= share * 1.5
    assert sum(job.how == "served" for job in strangers) >= done / 40 / 2, "what it was given ended well"


def test_nobody_is_cut_for_a_stranger_who_may_not_start_beside_known_people_either() -> None:
    """Else one who starts by right would be cut, start by right again, and be cut, in the same moment for ever."""
    model = EngineModel(AdmissionPlan(), delay_s=0.0)
    asked = 0
    while model.now < 120.0:
        model.step()
        if model.scheduler.waiting_in(Standing.ESTABLISHED) < 1 and len(model.running) < 4:
            asked += 1
            model.ask(claim(f"person{asked % 9}", Standing.ESTABLISHED, output_tokens=60), 50, 60)
        for standing in (Standing.NEWCOMER, Standing.VISITOR):
            if model.scheduler.waiting_in(standing) < 2:
                asked += 1
                model.ask(stranger(f"stranger{asked}", standing), 900, 60)
    assert max(job.cuts for job in model.jobs.values()) <= 40


def test_strangers_prompts_are_read_one_after_the_other_or_as_many_at_once_as_the_engine_reads() -> None:
    for readers in (1, 3):
        scheduler = Scheduler(AdmissionPlan(slots=8, readers=readers))
        entered = [scheduler.enter(ticket, stranger(f"stranger{ticket}"), 0.0)[0] for ticket in range(5)]
        assert sum(isinstance(one, Admitted) for one in entered) == readers
        assert called(scheduler.began(0, 0.1)) == [readers]
