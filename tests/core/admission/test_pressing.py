"""Heeding an answer tells people from programs that only press, whoever's account they use."""

from __future__ import annotations

from tests.core.admission.engine_model import claim
from tidegate.core.admission.claims import Act, Admitted, Crowded, Cut, Shed, Spent, Waiting
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import Standing

EVER = 1e9
DONE = Spent(prompt_tokens=9, output_tokens=9)


def full() -> Scheduler:
    """One place, and somebody known in it."""
    scheduler = Scheduler(AdmissionPlan(slots=1, max_waiting=4))
    scheduler.enter(1, claim("ana", Standing.ESTABLISHED, patience_s=EVER), 0.0)
    scheduler.began(1, 0.0)
    return scheduler


def judged(scheduler: Scheduler, name: str, now: float, standing: Standing = Standing.NEWCOMER) -> Standing | None:
    """How one more of somebody's is judged."""
    answer, _ = scheduler.enter(900, claim(name, standing, patience_s=EVER), now)
    assert isinstance(answer, Admitted | Waiting)
    found = scheduler.judged(900)
    scheduler.abandon(900, now)
    return found


def press(scheduler: Scheduler, name: str, times: int, now: float, pause_s: float = 0.04) -> float:
    """Refused for want of patience, and back at once."""
    for _ in range(times):
        if scheduler.preview(name, Standing.NEWCOMER, name, 100, 0.2, now) is None:
            scheduler.enter(901, claim(name, patience_s=0.2), now)
        now += pause_s
    return now


def test_a_stranger_who_comes_back_too_early_time_and_again_is_a_suspect_until_it_heeds() -> None:
    scheduler = full()
    now = press(scheduler, "bot", 60, 0.0)
    assert judged(scheduler, "bot", now) is Standing.SUSPECT
    assert judged(scheduler, "other", now) is Standing.NEWCOMER
    assert judged(scheduler, "bot", now + 30.0) is Standing.SUSPECT, "pressing is not forgotten at once"
    assert judged(scheduler, "bot", now + 100.0) is Standing.NEWCOMER, "nor for ever"


def test_some_impatience_and_any_number_of_refusals_that_were_heeded_make_nobody_a_suspect() -> None:
    scheduler = full()
    assert judged(scheduler, "eager", press(scheduler, "eager", 12, 0.0)) is Standing.NEWCOMER
    now = 0.0
    for _ in range(100):
        answer, _ = scheduler.enter(902, claim("patient", patience_s=0.2), now)
        assert isinstance(answer, Shed)
        now += answer.retry_after_s
    assert judged(scheduler, "patient", now) is Standing.NEWCOMER


def test_too_many_at_once_of_one_stranger_count_as_pressing_too() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4, max_per_stranger=2))
    for ticket in (1, 2):
        scheduler.enter(ticket, claim("bot", patience_s=EVER), 0.0)
    for number in range(60):
        scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, number / 25)
        assert isinstance(scheduler.crowded("bot", Standing.NEWCOMER, number / 25), Crowded)
    scheduler.abandon(1, 3.0)
    assert judged(scheduler, "bot", 3.0) is Standing.SUSPECT


def test_a_suspect_is_refused_by_its_head_as_a_suspect_is() -> None:
    scheduler = full()
    now = press(scheduler, "bot", 60, 0.0)
    for ticket in range(2, 6):
        scheduler.enter(ticket, claim(f"suspect{ticket}", Standing.SUSPECT, patience_s=EVER), now)
    now += 20.0
    assert scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, now) is not None, "their line is full"
    assert scheduler.preview("other", Standing.NEWCOMER, "other", 100, EVER, now) is None


def test_several_programs_on_one_key_that_each_heed_are_no_suspects() -> None:
    """Each was told a time of its own."""
    scheduler = full()
    times = [(0.1 * number, number) for number in range(8)]
    for _ in range(400):
        now, number = min(times)
        shed = scheduler.preview("shared", Standing.NEWCOMER, "shared", 100, EVER, now)
        answer = shed or scheduler.enter(902, claim("shared", patience_s=0.2), now)[0]
        assert isinstance(answer, Shed)
        times[number] = (now + answer.retry_after_s, number)
    assert judged(scheduler, "shared", max(times)[0] + 1.0) is Standing.NEWCOMER


def pressed() -> Scheduler:
    """Somebody known has four in, and keeps asking for more."""
    scheduler = Scheduler(AdmissionPlan(slots=8, max_per_owner=4))
    for ticket in range(1, 5):
        scheduler.enter(ticket, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.0)
        scheduler.began(ticket, 0.0)
    for number in range(60):
        scheduler.preview("ana", Standing.ESTABLISHED, "ana", 100, EVER, number / 25)
        assert isinstance(scheduler.crowded("ana", Standing.ESTABLISHED, number / 25), Crowded)
    return scheduler


def test_an_account_that_presses_is_a_suspect_with_everything_until_it_heeds() -> None:
    scheduler = pressed()
    assert {scheduler.judged(ticket) for ticket in (1, 2, 3, 4)} == {Standing.SUSPECT}, "what runs already, too"
    assert scheduler.is_stirred
    _, acts = scheduler.enter(50, claim("bo", Standing.ESTABLISHED, patience_s=EVER), 3.0)
    assert {act.ticket for act in acts if isinstance(act, Cut)} == {2, 3, 4}, "one of eight places is theirs"
    for ticket in range(1, 5):
        scheduler.abandon(ticket, 3.0)
    assert judged(scheduler, "ana", 3.0, Standing.ESTABLISHED) is Standing.SUSPECT
    assert judged(scheduler, "ana", 100.0, Standing.ESTABLISHED) is Standing.ESTABLISHED, "it is its owner's again"


def test_somebody_known_who_waits_takes_back_what_a_pressing_account_has_as_soon_as_that_is_seen() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2, max_per_owner=2))
    for ticket in (1, 2):
        scheduler.enter(ticket, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.0)
        scheduler.began(ticket, 0.0)
    scheduler.enter(3, claim("bo", Standing.ESTABLISHED, patience_s=EVER), 0.0)
    for number in range(60):
        scheduler.preview("ana", Standing.ESTABLISHED, "ana", 100, EVER, number / 25)
        scheduler.crowded("ana", Standing.ESTABLISHED, number / 25)
    assert {act.ticket for act in scheduler.stir(3.0) if isinstance(act, Cut)} == {1, 2}


def test_what_a_stranger_has_running_who_begins_to_press_is_taken_back_as_a_suspects() -> None:
    """Else answers that began before it was seen would last beside known people for a minute."""
    scheduler = Scheduler(AdmissionPlan(slots=4, max_per_stranger=2))
    for ticket in (1, 2):
        scheduler.enter(ticket, claim("bot", patience_s=EVER), 0.0)
        scheduler.began(ticket, 0.0)
    scheduler.enter(3, claim("other", patience_s=EVER), 0.0)
    scheduler.began(3, 0.0)
    scheduler.enter(4, claim("ana", Standing.ESTABLISHED, patience_s=EVER), 0.0)
    assert not scheduler.is_stirred
    for number in range(60):
        scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, number / 25)
        scheduler.crowded("bot", Standing.NEWCOMER, number / 25)
    assert {scheduler.judged(ticket) for ticket in (1, 2)} == {Standing.SUSPECT}
    assert scheduler.judged(3) is Standing.NEWCOMER
    assert {act.ticket for act in scheduler.stir(3.0) if isinstance(act, Cut)} == {1, 2}


def test_who_runs_by_its_classs_right_and_begins_to_press_has_it_no_longer() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4))
    scheduler.enter(1, claim("ana", Standing.ESTABLISHED, patience_s=EVER), 0.0)
    scheduler.began(1, 0.0)
    for ticket in range(2, 9):
        scheduler.enter(ticket, claim(f"bot{ticket}", Standing.VISITOR, patience_s=EVER), 0.0)
        scheduler.began(ticket, 0.0)
    called: list[Act] = []
    now = 0.0
    while not called:
        now += 1.0
        scheduler.spend(1, 60, now)
        called = scheduler.stir(now)
    (bot,) = [act.ticket for act in called]
    scheduler.began(bot, now)
    scheduler.enter(900, claim(f"bot{bot}", Standing.VISITOR, patience_s=0.2), now)
    for number in range(60):
        scheduler.preview(f"bot{bot}", Standing.VISITOR, f"bot{bot}", 100, EVER, now + number / 25)
    assert scheduler.judged(bot) is Standing.SUSPECT
    assert bot in {act.ticket for act in scheduler.stir(now + 3.0) if isinstance(act, Cut)}


def test_what_was_a_pressing_accounts_waits_among_suspects_by_what_it_consumed_as_one() -> None:
    """Not by its counter of before, which is held against another class's."""
    scheduler = Scheduler(AdmissionPlan(slots=1, max_per_stranger=1))
    scheduler.enter(1, claim("bot", patience_s=EVER), 0.0)
    scheduler.began(1, 0.0)
    scheduler.spend(1, 5000, 0.0)
    scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=5000), 0.0)
    scheduler.enter(2, claim("bot", patience_s=EVER), 0.0)
    for number in range(60):
        scheduler.crowded("bot", Standing.NEWCOMER, number / 25)
        scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, number / 25)
    assert scheduler.judged(2) is Standing.SUSPECT
    scheduler.enter(3, claim("ana", Standing.ESTABLISHED, patience_s=EVER), 3.0)
    scheduler.enter(4, claim("other", Standing.SUSPECT, patience_s=EVER), 3.0)
    assert [act.ticket for act in scheduler.release(2, 3.0)] == [3]
    outlook = scheduler.outlook(2, 3.0)
    assert outlook is not None
    assert outlook.position == 1


def test_pressing_at_the_end_of_an_answer_is_no_way_to_have_it_for_nothing() -> None:
    """Of what somebody known had before it pressed, its budget and its class's counters know."""
    scheduler = Scheduler(AdmissionPlan(slots=1, max_per_owner=1, usual_part=0.001))
    scheduler.enter(1, claim("ana", Standing.ESTABLISHED, patience_s=EVER), 0.0)
    scheduler.began(1, 0.0)
    scheduler.spend(1, 2000, 0.0)
    for number in range(60):
        scheduler.crowded("ana", Standing.ESTABLISHED, number / 25)
        scheduler.preview("ana", Standing.ESTABLISHED, "ana", 100, EVER, number / 25)
    assert scheduler.judged(1) is Standing.SUSPECT
    scheduler.settle(1, Spent(prompt_tokens=9, output_tokens=2000), 3.0)
    assert judged(scheduler, "ana", 100.0, Standing.ESTABLISHED) is Standing.NEWCOMER, "beyond its usual, for long"


def test_who_was_just_served_may_ask_the_next_thing_whatever_another_program_of_theirs_was_told() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=2, max_per_owner=2))
    for ticket in (1, 2):
        scheduler.enter(ticket, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.0)
        scheduler.began(ticket, 0.0)
    assert scheduler.crowded("ana", Standing.ESTABLISHED, 0.0) is not None
    for number in range(60):
        scheduler.settle(2, DONE, number / 100)
        assert scheduler.preview("ana", Standing.ESTABLISHED, "ana", 100, EVER, number / 100) is None
        scheduler.enter(2, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), number / 100)
    assert scheduler.judged(1) is Standing.ESTABLISHED


def test_telling_somebody_when_to_ask_again_does_not_count_as_their_asking() -> None:
    scheduler = full()
    scheduler.enter(2, claim("waiting", patience_s=EVER), 0.0)
    for number in range(60):
        assert scheduler.again_s(1, number / 100) >= 1.0
    assert scheduler.judged(1) is Standing.ESTABLISHED


def test_who_has_much_more_in_than_usual_is_a_newcomer_with_any_more_wherever_those_are() -> None:
    """Else the requests that wait among strangers would leave the owner's places to the next ones."""
    scheduler = Scheduler(AdmissionPlan(slots=8, max_per_owner=64))
    for ticket in range(1, 6):
        scheduler.enter(ticket, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.0)
    for ticket in (1, 2):
        scheduler.settle(ticket, DONE, 0.1)
    scheduler.enter(6, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.2)
    assert scheduler.judged(6) is Standing.ESTABLISHED, "three among strangers are fewer than twice the usual"
    scheduler.abandon(6, 0.2)
    scheduler.enter(7, claim("ana", Standing.ESTABLISHED, usual_in_flight=1, patience_s=EVER), 0.3)
    assert scheduler.judged(7) is Standing.NEWCOMER


def test_what_a_demoted_request_is_charged_ends_with_it() -> None:
    scheduler = Scheduler(AdmissionPlan(slots=4, max_per_owner=64))
    for ticket in range(1, 13):
        scheduler.enter(ticket, claim("ana", Standing.ESTABLISHED, usual_in_flight=2, patience_s=EVER), 0.0)
    for ticket in range(1, 13):
        scheduler.abandon(ticket, 0.0)
    assert scheduler.owners == scheduler.running == scheduler.waiting == scheduler.inside("ana") == 0


def test_another_plan_forgets_who_was_told_to_stay_away() -> None:
    scheduler = full()
    scheduler.enter(2, claim("waiting", patience_s=EVER), 0.0)
    assert isinstance(scheduler.enter(3, claim("bot", patience_s=0.2), 0.0)[0], Shed)
    assert scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, 0.1) is not None
    scheduler.replan(AdmissionPlan(slots=1), 0.2)
    assert scheduler.preview("bot", Standing.NEWCOMER, "bot", 100, EVER, 0.3) is None


def test_of_those_who_showed_no_account_nothing_is_remembered() -> None:
    scheduler = full()
    for ticket in range(2, 6):
        scheduler.enter(ticket, claim(f"waiting{ticket}", Standing.VISITOR, patience_s=EVER), 0.0)
    for number in range(60):
        assert isinstance(scheduler.preview("", Standing.VISITOR, "", 100, 0.0, number / 25), Shed)
    assert scheduler._promises._told_at == {}
