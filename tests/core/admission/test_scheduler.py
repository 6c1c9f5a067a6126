"""Known people first, by examples."""

from __future__ import annotations

import pytest

from tests.core.admission.engine_model import EngineModel, claim
from tidegate.core.admission.claims import Admitted, Called, Claim, Crowded, Cut, Shed, Spent, Topped, Waiting
from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.admission.sharding import ShardPlan
from tidegate.core.standing.classes import STRANGERS, Standing

EVER = 1e9


def known(name: str, **given: object) -> Claim:
    return claim(name, Standing.ESTABLISHED, **{"patience_s": EVER, **given})


def stranger(name: str, standing: Standing = Standing.NEWCOMER, **given: object) -> Claim:
    return claim(name, standing, **{"patience_s": EVER, **given})


def fill(scheduler: Scheduler, standing: Standing = Standing.NEWCOMER) -> None:
    """Every place is held by a stranger who has begun."""
    for number in range(1, scheduler.plan.slots + 1):
        answer, _ = scheduler.enter(number, stranger(f"stranger{number}", standing), 0.0)
        assert isinstance(answer, Admitted)
        assert scheduler.began(number, 0.0) == []
    assert scheduler.running == scheduler.limit


def test_a_known_person_takes_a_borrowed_place_back_at_once() -> None:
    scheduler = Scheduler(AdmissionPlan())
    fill(scheduler)

    answer, acts = scheduler.enter(9, known("ana"), 1.0)

    assert isinstance(answer, Waiting)
    cut = acts[0]
    assert isinstance(cut, Cut)
    assert not cut.is_returning
    assert cut.retry_after_s >= 1.0
    assert len(acts) == 1
    assert [type(act) for act in scheduler.abandon(cut.ticket, 1.1)] == [Called]
    assert scheduler.judged(9) is Standing.ESTABLISHED


def test_whose_answer_has_not_begun_waits_again_and_is_called_again() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2))
    scheduler.enter(1, stranger("one"), 0.0)
    scheduler.began(1, 0.0)
    scheduler.enter(2, stranger("two"), 0.0)
    _, acts = scheduler.enter(3, known("ana"), 0.0)
    assert [(act.ticket, act.is_returning) for act in acts if isinstance(act, Cut)] == [(2, True)]
    assert scheduler.began(2, 0.1) == [], "what is cut does not begin any more"

    assert [act.ticket for act in scheduler.release(2, 0.1)] == [3]
    assert isinstance(scheduler.outlook(2, 0.1), Waiting)
    assert scheduler.outlook(3, 0.1) is None
    scheduler.began(3, 0.2)
    acts = scheduler.settle(3, Spent(prompt_tokens=100, output_tokens=5), 0.3)
    assert [act.ticket for act in acts] == [2]


def test_strangers_prompts_are_read_one_at_a_time_and_only_while_nobody_known_is_read() -> None:
    scheduler = Scheduler(AdmissionPlan(strangers_beside=0.5))
    assert isinstance(scheduler.enter(1, known("ana"), 0.0)[0], Admitted)
    assert isinstance(scheduler.enter(2, stranger("one"), 0.0)[0], Waiting)
    assert isinstance(scheduler.enter(3, stranger("two"), 0.0)[0], Waiting)
    assert [act.ticket for act in scheduler.began(1, 0.1)] == [2]
    assert [act.ticket for act in scheduler.began(2, 0.2)] == [3]


@pytest.mark.parametrize("batch_tokens", [16, 512])
def test_where_a_whole_batch_stalls_answers_no_stranger_is_read_beside_the_known(batch_tokens: int) -> None:
    """A slow batch, that is: 20 tokens at 110 a second take 0.18 s, and one in twenty more than 0.2 s."""
    scheduler = Scheduler(AdmissionPlan(batch_tokens=batch_tokens))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    assert isinstance(scheduler.enter(2, stranger("one"), 0.0)[0], Waiting)
    assert [act.ticket for act in scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=9), 1.0)] == [2]
    scheduler.began(2, 1.0)
    assert isinstance(scheduler.enter(3, stranger("two"), 1.0)[0], Admitted), "strangers stall each other"


def test_a_strangers_prompt_that_stalls_somebody_known_is_set_aside_wherever_it_is_read() -> None:
    scheduler = Scheduler(AdmissionPlan(batch_tokens=512))
    scheduler.enter(1, stranger("long", prompt_bytes=7000), 0.0)
    _, acts = scheduler.enter(2, known("ana"), 0.0)
    assert acts == [], "she is read first, in a lower place"
    acts = scheduler.began(2, 1.0)
    assert [(act.ticket, act.is_returning) for act in acts if isinstance(act, Cut)] == [(1, True)]
    assert scheduler.release(1, 1.0) == []
    assert [act.ticket for act in scheduler.abandon(2, 2.0)] == [1]


def test_a_strangers_long_prompt_is_set_aside_for_somebody_known_and_goes_on_later() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2))
    scheduler.enter(1, stranger("last"), 0.0)
    scheduler.began(1, 0.0)
    answer, _ = scheduler.enter(2, stranger("long", prompt_bytes=7000), 0.0)
    assert isinstance(answer, Admitted)
    assert answer.place.number == 0
    scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=9), 1.0)

    answer, acts = scheduler.enter(3, known("ana"), 1.0)
    assert isinstance(answer, Admitted)
    assert [(act.ticket, act.is_returning) for act in acts if isinstance(act, Cut)] == [(2, True)]
    assert scheduler.release(2, 1.0) == [], "not while she is read"
    assert [act.ticket for act in scheduler.began(3, 1.5)] == [2]


def test_a_strangers_prompt_in_a_higher_place_need_not_be_set_aside() -> None:
    """The engine reads the lower place first by itself."""
    model = EngineModel(AdmissionPlan())
    long = model.ask(stranger("long", prompt_bytes=7000), 2000, 10)
    model.run(1.0)
    ana = model.ask(known("ana"), 50, 10)
    assert isinstance(ana.answer, Admitted)
    model.run(60.0)
    assert (long.how, long.cuts, ana.how) == ("served", 0, "served")
    assert ana.first_token_at is not None
    assert long.first_token_at is not None
    assert ana.first_token_at < 2.0 < long.first_token_at


def test_an_answer_that_takes_just_what_was_asked_for_is_not_ended_at_its_last_token() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1))
    scheduler.enter(1, stranger("one", Standing.VISITOR, output_tokens=20), 0.0)
    scheduler.began(1, 0.0)
    scheduler.enter(2, stranger("two"), 0.0)
    assert scheduler.spend(1, 20, 0.0) is Topped.ENOUGH


def test_a_short_prompt_of_somebody_who_consumed_less_does_not_wait_for_a_long_one() -> None:
    """Of the same class; but not for ever: what was set aside often enough is read to its end."""
    for standing in (Standing.ESTABLISHED, Standing.NEWCOMER):
        model = EngineModel(AdmissionPlan(most_returns=2))
        long = model.ask(claim("long", standing, prompt_bytes=14000, patience_s=EVER), 4000, 10)
        shorts = []
        for number in range(12):
            model.run(2.0)
            shorts.append(model.ask(claim(f"short{number}", standing, patience_s=EVER), 60, 10))
        model.run(120.0)
        assert shorts[0].first_token_at is not None
        assert shorts[0].first_token_at - shorts[0].asked_at < 4.0
        assert long.how == "served"
        assert long.cuts == 2


def test_a_better_class_of_strangers_is_read_before_a_worse_one() -> None:
    scheduler = Scheduler(AdmissionPlan())
    scheduler.enter(1, stranger("suspect", Standing.SUSPECT, prompt_bytes=9000), 0.0)
    answer, acts = scheduler.enter(2, stranger("new"), 0.0)
    assert isinstance(answer, Admitted)
    assert [(type(act), act.ticket) for act in acts] == [(Cut, 1)]
    assert scheduler.release(1, 0.1) == []
    _, acts = scheduler.enter(3, stranger("suspect2", Standing.SUSPECT, prompt_bytes=9000), 0.2)
    assert acts == [], "never the other way round"


def test_a_suspect_gets_its_share_of_one_place_however_many_newcomers_wait() -> None:
    """Nobody is starved: what the shares promise is given in the long run."""
    model = EngineModel(AdmissionPlan(slots=1))
    model.ask(stranger("first", Standing.SUSPECT, output_tokens=20), 20, 20)
    job = model.ask(stranger("other", Standing.SUSPECT, output_tokens=20), 20, 20)
    for number in range(60):
        for name in "ab":
            model.ask(stranger(f"{name}{number}", output_tokens=60), 20, 60)
        model.run(1.0)
    assert job.how == "served"
    assert model.scheduler.waiting_in(Standing.NEWCOMER) > 0


def test_the_place_of_whoever_leaves_is_somebody_elses_at_once() -> None:
    model = EngineModel(AdmissionPlan(slots=1))
    first, second, third = (model.ask(known(name), 50, 20) for name in ("ana", "bo", "cy"))
    model.run(0.2)
    model.leave(second)
    model.leave(first)
    model.run(0.1)
    assert [first.how, second.how, third.how] == ["left", "left", "running"]
    model.leave(third)
    assert model.scheduler.owners == 0


def test_a_strangers_answer_goes_on_while_nobody_wants_its_place() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1, slice_tokens=10, most_slices=2))
    scheduler.enter(1, stranger("one"), 0.0)
    scheduler.began(1, 0.0)
    assert scheduler.spend(1, 9, 0.0) is Topped.ENOUGH
    assert scheduler.spend(1, 1, 0.0) is Topped.TOPPED_UP
    scheduler.enter(2, stranger("two", Standing.SUSPECT), 0.0)
    assert scheduler.spend(1, 10, 0.0) is Topped.TOPPED_UP, "only somebody worse waits"
    scheduler.enter(3, stranger("three"), 0.0)
    assert scheduler.spend(1, 10, 0.0) is Topped.ENDED, "somebody of its class waits, and it had its slices"
    assert scheduler.spend(1, 1, 0.0) is Topped.ENDED


def test_a_slice_ends_where_somebody_better_waits_for_the_place_and_a_known_answer_does_not() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2, slice_tokens=10))
    scheduler.enter(1, stranger("one", Standing.VISITOR), 0.0)
    scheduler.began(1, 0.0)
    scheduler.enter(2, known("ana", output_tokens=4000), 0.0)
    scheduler.began(2, 0.0)
    scheduler.enter(3, known("bo"), 0.0)
    assert scheduler.outlook(3, 0.0) is not None
    assert scheduler.spend(2, 500, 0.0) is Topped.TOPPED_UP
    assert scheduler.spend(1, 10, 0.0) is Topped.ENDED
    scheduler.abandon(1, 0.0)
    assert scheduler.spend(2, 9, 0.0) is Topped.ENOUGH, "a slice more from where it was"


def test_beyond_its_usual_somebody_known_is_a_newcomer() -> None:
    """A stolen account takes its owner's usual, and the rest among strangers."""
    scheduler = Scheduler(AdmissionPlan(slots=8))
    for ticket in (1, 2, 3):
        scheduler.enter(ticket, known("ana", usual_in_flight=2), 0.0)
    assert [scheduler.judged(ticket) for ticket in (1, 2, 3)] == ["established", "established", "newcomer"]
    scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=9), 1.0)
    scheduler.enter(4, known("ana", usual_in_flight=2), 1.0)
    assert scheduler.judged(4) is Standing.ESTABLISHED, "what is beyond takes nothing of what is usual"


def test_beyond_its_budget_somebody_known_is_a_newcomer_until_it_is_refilled() -> None:
    scheduler = Scheduler(AdmissionPlan(usual_burst_s=5.0, usual_part=0.1, cost=CostPlan(decode_tok_s=100.0)))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    scheduler.settle(1, Spent(prompt_tokens=0, output_tokens=400), 1.0)
    scheduler.enter(2, known("ana"), 2.0)
    assert scheduler.judged(2) is Standing.NEWCOMER
    scheduler.settle(2, Spent(prompt_tokens=0, output_tokens=400), 3.0)
    scheduler.enter(3, known("ana"), 60.0)
    assert scheduler.judged(3) is Standing.ESTABLISHED, "what it spent as a newcomer was no part of it"


def test_a_stolen_account_at_full_load_leaves_the_others_their_places() -> None:
    model = EngineModel(AdmissionPlan())
    for _ in range(12):
        model.ask(known("thief", prompt_bytes=1000, output_tokens=2000), 300, 2000)
    for number in range(20):
        if number % 4 == 0:
            for _ in range(12):
                model.ask(known("thief", prompt_bytes=1000, output_tokens=2000), 300, 2000)
        model.run(3.0)
        job = model.ask(known(f"honest{number % 3}", output_tokens=20), 40, 20)
        model.run(14.0)
        assert job.first_token_at is not None
        # The two that are usual are read before, and write on beside it.
        assert job.first_token_at - job.asked_at < 12.0


def test_an_owner_with_too_many_in_is_told_when_one_of_them_should_be_gone() -> None:
    scheduler = Scheduler(AdmissionPlan(max_per_stranger=2, max_per_owner=3))
    assert isinstance(scheduler.enter(1, stranger("one"), 0.0)[0], Admitted)
    assert isinstance(scheduler.enter(2, stranger("one"), 0.0)[0], Waiting)
    answer, acts = scheduler.enter(3, stranger("one"), 0.0)
    assert isinstance(answer, Crowded)
    assert acts == []
    assert 1.0 <= answer.retry_after_s < 20.0
    assert scheduler.inside("one") == 2
    assert scheduler.owners == 1
    for ticket in (4, 5, 6):
        assert isinstance(scheduler.enter(ticket, known("ana"), 0.0)[0], Admitted | Waiting)
    assert isinstance(scheduler.enter(7, known("ana"), 0.0)[0], Crowded)


def test_a_linked_group_of_accounts_is_never_in_more_than_its_hand() -> None:
    plan = AdmissionPlan(slots=1, shards=ShardPlan(queues=64, hand=2, queue_limit=3))
    scheduler = Scheduler(plan)
    answers = [
        scheduler.enter(ticket, stranger(f"sybil{ticket}", cohort="ring", output_tokens=16), 0.0)[0]
        for ticket in range(20)
    ]
    assert sum(isinstance(answer, Waiting) for answer in answers) == 6
    assert isinstance(answers[-1], Shed)
    assert isinstance(scheduler.enter(50, stranger("alone", output_tokens=16), 0.0)[0], Waiting)
    waiting = scheduler.outlook(50, 0.0)
    assert waiting is not None
    assert waiting.position <= 3, "it goes before all but the first of the ring's queues"


def test_nobody_waits_longer_than_it_would_or_beyond_the_room_there_is() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=3))
    answers = [
        scheduler.enter(ticket, known(f"one{ticket}", output_tokens=16, patience_s=EVER), 0.0)[0] for ticket in range(6)
    ]
    assert [type(answer) for answer in answers] == [Admitted, Waiting, Waiting, Waiting, Shed, Shed]
    scheduler = Scheduler(AdmissionPlan(slots=1))
    answers = [scheduler.enter(ticket, known(f"one{ticket}", patience_s=8.0), 0.0)[0] for ticket in range(6)]
    assert isinstance(answers[1], Shed), "who runs takes longer"
    answers = [scheduler.enter(10 + ticket, known(f"two{ticket}", patience_s=40.0), 0.0)[0] for ticket in range(6)]
    assert isinstance(answers[0], Waiting)
    assert answers[0].wait_s <= 40.0
    assert isinstance(answers[-1], Shed)
    assert answers[-1].retry_after_s >= 1.0


@pytest.mark.parametrize("standing", list(Standing))
def test_what_is_refused_by_its_headers_would_be_refused_anyway(standing: Standing) -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=5))
    seen = set()
    for ticket in range(40):
        name, patience_s = f"one{ticket % 9}", 8.0 * (ticket % 6)
        asked = claim(name, standing, output_tokens=8, prompt_bytes=40, patience_s=patience_s)
        shed = scheduler.preview(name, standing, name, 1, patience_s, float(ticket) / 10)
        answer, _ = scheduler.enter(ticket, asked, float(ticket) / 10)
        assert shed is None or isinstance(answer, Shed | Crowded)
        seen.add(type(shed))
    assert len(seen) == 2


def test_under_lasting_overload_the_same_people_get_in() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=3))
    fill(scheduler, Standing.MEMBER)
    now, number = 0.0, 10
    refused: dict[str, set[type]] = {}
    for round_ in range(200):
        now += 1.0
        for one in range(30):
            number += 1
            name = f"one{one}-{round_}" if round_ < 100 else f"one{one}"
            asked = claim(name, Standing.MEMBER, output_tokens=16, patience_s=12.0)
            answer, _ = scheduler.enter(number, asked, now)
            if round_ >= 100:
                refused.setdefault(name, set()).add(type(answer))
            scheduler.abandon(number, now)
            if one < 8:
                scheduler.enter(10**6 + number, claim(f"filler{number}", Standing.MEMBER, output_tokens=16), now)
    assert any(Shed in kinds and len(kinds) == 1 for kinds in refused.values())


def test_leaving_a_place_costs_half_of_what_was_reserved_and_being_cut_only_what_it_came_to() -> None:
    """Asking and leaving at once must not be the cheapest way to keep others out."""
    left, cut = Scheduler(AdmissionPlan(slots=1)), Scheduler(AdmissionPlan(slots=1))
    for scheduler in (left, cut):
        scheduler.enter(1, stranger("bot", output_tokens=200), 0.0)
        scheduler.began(1, 0.0)
    left.abandon(1, 0.1)
    cut.enter(2, known("ana"), 0.1)
    cut.abandon(1, 0.2)
    assert left._reckoning.shares.finish(Standing.NEWCOMER) >= 100 / left._reckoning.shares.shares[Standing.NEWCOMER]
    assert cut._reckoning.shares.finish(Standing.NEWCOMER) == pytest.approx(0.0)


def test_asking_again_after_leaving_gains_nothing_and_leaving_a_line_costs_nothing() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1))
    scheduler.enter(1, known("busy"), 0.0)
    scheduler.enter(2, known("ana"), 0.0)
    scheduler.enter(3, known("bo"), 0.0)
    scheduler.abandon(2, 0.0)
    scheduler.enter(4, known("ana"), 0.0)
    outlook = scheduler.outlook(4, 0.0)
    assert outlook is not None
    assert outlook.position == 2
    scheduler.progress(1, 80, 100, 0, 0.5)
    scheduler.abandon(1, 1.0)
    scheduler.enter(5, known("busy"), 1.0)
    outlook = scheduler.outlook(5, 1.0)
    assert outlook is not None
    assert outlook.position == 2, "what was read for it before it left counts"


def test_another_plan_holds_at_once_and_drops_nobody() -> None:
    scheduler = Scheduler(AdmissionPlan())
    fill(scheduler)
    scheduler.enter(9, stranger("late"), 0.0)
    assert scheduler.replan(AdmissionPlan(max_waiting=1, gap_s=0.5, most_principals=10), 1.0) == []
    assert scheduler.concurrency.gap_s == 0.5
    assert (scheduler.running, scheduler.waiting) == (4, 1)
    assert isinstance(scheduler.enter(10, stranger("later"), 1.0)[0], Shed)
    with pytest.raises(ValueError, match="another start"):
        scheduler.replan(AdmissionPlan(slots=5), 1.0)


def test_an_engine_that_has_more_places_calls_those_who_wait() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1))
    for ticket, name in ((1, "ana"), (2, "bo"), (3, "cy")):
        scheduler.enter(ticket, known(name), 0.0)
        scheduler.began(1, 0.0)

    called = scheduler.resize(2, 1.0)

    assert [(type(act), act.ticket) for act in called] == [(Called, 2)]
    assert (scheduler.running, scheduler.waiting, scheduler.plan.slots, scheduler.limit) == (2, 1, 2, 2)


def test_an_engine_that_has_fewer_places_takes_none_from_who_runs_and_gives_none_until_so_many_are_left() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=3))
    for ticket, name in ((1, "ana"), (2, "bo"), (3, "cy"), (4, "di")):
        scheduler.enter(ticket, known(name), 0.0)
        scheduler.began(ticket, 0.0)

    assert scheduler.resize(1, 1.0) == []
    assert scheduler.running == 3
    assert scheduler.abandon(1, 2.0) == scheduler.abandon(2, 2.0) == []
    assert [(type(act), act.ticket) for act in scheduler.abandon(3, 2.0)] == [(Called, 4)]


def test_there_is_room_while_nobody_waits_and_a_place_is_free() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=1))
    found = [scheduler.has_room]
    scheduler.enter(1, known("ana"), 0.0)
    found.append(scheduler.has_room)
    scheduler.enter(2, known("bo"), 0.0)
    scheduler.resize(3, 1.0)
    scheduler.abandon(2, 1.0)
    found.append(scheduler.has_room)
    assert found == [True, False, True]


def test_tokens_beside_a_prompt_tell_nothing_of_how_many_may_run() -> None:
    """Their rhythm is that of a batch of prompts, however few are written."""
    scheduler = Scheduler(AdmissionPlan(slots=2))
    scheduler.enter(1, known("ana"), 0.0)
    scheduler.began(1, 0.0)
    scheduler.enter(2, known("bo"), 0.0)
    for number in range(200):
        scheduler.spend(1, 1, 0.3 * number)
    assert scheduler.limit == 2
    scheduler.began(2, 60.0)
    for number in range(200):
        scheduler.spend(1, 1, 60.0 + 0.3 * number)
    assert scheduler.limit == 1


def test_who_waits_is_counted_by_class() -> None:
    scheduler = Scheduler(AdmissionPlan())
    fill(scheduler, Standing.SUSPECT)
    scheduler.enter(20, stranger("one", Standing.SUSPECT), 0.0)
    assert {standing: scheduler.waiting_in(standing) for standing in STRANGERS} == {
        Standing.NEWCOMER: 0,
        Standing.VISITOR: 0,
        Standing.SUSPECT: 1,
    }
    assert scheduler.judged(99) is None
    assert scheduler.outlook(99, 0.0) is None


def test_who_gets_more_than_was_asked_for_goes_on_by_the_rules_for_all() -> None:
    """An engine that others run may write more than the claim knew of: that is no way around giving way."""
    scheduler = Scheduler(AdmissionPlan(slots=1, slice_tokens=8))
    scheduler.enter(1, stranger("one", output_tokens=8), 0.0)
    scheduler.began(1, 0.0)
    assert scheduler.spend(1, 8, 0.1) is Topped.ENOUGH, "the end that it claimed, or hardly more"
    assert scheduler.spend(1, 7, 0.2) is Topped.ENOUGH
    assert scheduler.spend(1, 1, 0.3) is Topped.TOPPED_UP, "nobody else is there"
    scheduler.enter(2, stranger("two", patience_s=60.0), 0.4)
    told = [scheduler.spend(1, 8, 0.5 + number) for number in range(8)]
    assert told[-1] is Topped.ENDED


@pytest.mark.parametrize(("readers", "is_read_beside"), [(1, False), (2, True)])
def test_an_engine_that_reads_several_prompts_is_given_them_in_no_order_of_ours(
    readers: int, is_read_beside: bool
) -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4, readers=readers))
    long = {"standing": Standing.MEMBER, "prompt_bytes": 4000, "output_tokens": 10, "usual_in_flight": 1}
    answers = [
        scheduler.enter(ticket, Claim(principal=name, cohort=name, **long), 0.0)[0]  # type: ignore[arg-type] # as named
        for ticket, name in ((1, "ana"), (2, "bo"))
    ]
    assert [isinstance(answer, Admitted) for answer in answers] == [True, is_read_beside]


@pytest.mark.parametrize("readers", [1, 2])
def test_what_strangers_read_is_set_aside_where_the_engine_would_read_it_first(readers: int) -> None:
    """An engine that orders prompts by itself may read any of them first, whatever place it has with us."""
    scheduler = Scheduler(AdmissionPlan(slots=4, readers=readers))
    scheduler.enter(1, stranger("one", prompt_bytes=8000), 0.0)
    scheduler.enter(2, stranger("two", prompt_bytes=20), 0.0)
    known = Claim(principal="ana", cohort="ana", standing=Standing.MEMBER, prompt_bytes=200, output_tokens=10)
    admitted, acts = scheduler.enter(3, known, 1.0)
    assert isinstance(admitted, Admitted)
    cut = [act.ticket for act in acts if isinstance(act, Cut) and act.is_returning]
    assert (1 in cut) == (readers > 1), "a short one is not worth it"
    assert 2 not in cut


def test_what_strangers_read_by_right_is_set_aside_a_few_times_and_then_left_to_the_engine() -> None:
    """Their share is theirs also where somebody known comes every moment."""
    plan = AdmissionPlan(slots=4, readers=2)
    scheduler = Scheduler(plan)
    scheduler.enter(1, stranger("one", prompt_bytes=8000, patience_s=1e6), 0.0)
    times_aside = 0
    for number in range(10, 30):
        reading = scheduler._floor.tickets.get(1)
        assert reading is not None, "it is read again as soon as nobody known reads"
        reading.is_by_right = True
        known = Claim(principal="ana", cohort="ana", standing=Standing.MEMBER, prompt_bytes=200, output_tokens=10)
        _, acts = scheduler.enter(number, known, float(number))
        if any(isinstance(act, Cut) and act.ticket == 1 for act in acts):
            times_aside += 1
            scheduler.release(1, float(number))
        scheduler.settle(number, Spent(prompt_tokens=50, output_tokens=10), number + 0.5)
    assert times_aside == plan.most_returns
