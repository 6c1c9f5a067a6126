"""A service without a gate: everybody is served in turn, and nobody is when too many come."""

from __future__ import annotations

from math import inf

import msgspec
import pytest

from tests.lab.simulator.street import RULES, a_bot, a_person
from tests.lab.simulator.yard import ENGINE, SHORT, Yard
from tidegate.lab.acts import Chat, Hold, Outcome, Page, SignIn, SignUp
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator import fifo


def a_fault(kind: Fault, replica: int = 0, factor: float = 0.5) -> Broken:
    return Broken(kind=kind, from_s=0.0, until_s=1.0, replica=replica, factor=factor)


def test_a_question_is_answered_whole_in_the_time_that_the_engine_takes() -> None:
    yard = Yard()

    outcomes = yard.ask(a_person(1), SHORT)
    yard.wait(5.0)

    (outcome,) = outcomes
    # One batch reads the prompt and gives the first token; nine more give one each.
    first_s = ENGINE.begin_s + ENGINE.step_s(0, 20)
    assert (outcome.status, outcome.is_complete, outcome.output_tokens) == (200, True, 10)
    assert outcome.first_s == pytest.approx(first_s)
    assert outcome.ended_at_s == pytest.approx(first_s + 9 * ENGINE.step_s(1, 0))
    assert outcome.queue_s == 0.0
    assert outcome.gap_s == pytest.approx(ENGINE.step_s(1, 0), rel=0.05)


def test_what_is_no_stream_is_heard_of_at_its_end() -> None:
    yard = Yard()

    outcomes = yard.ask(a_person(1), msgspec.structs.replace(SHORT, is_stream=False))
    yard.wait(5.0)

    assert outcomes[0].first_s == outcomes[0].ended_at_s


def test_who_comes_first_is_served_first_whoever_it_is() -> None:
    yard = Yard()
    outcomes = [yard.ask(a_person(number), SHORT) for number in range(8)]
    yard.wait(30.0)

    begun = [one[0].queue_s for one in outcomes]
    assert begun == sorted(begun)
    assert begun[2] > 0.0
    assert all(one[0].is_complete for one in outcomes)


def test_what_a_place_holds_of_the_same_caller_is_not_read_again() -> None:
    yard = Yard()
    again = msgspec.structs.replace(SHORT, prompt_tokens=60, cached_tokens=30)
    for who in (a_person(1), a_person(2)):
        yard.ask(who, SHORT)
    yard.wait(5.0)

    same, other = yard.ask(a_person(2), again), yard.ask(a_person(3), again)
    yard.wait(5.0)

    assert same[0].cached_tokens == 30
    assert other[0].cached_tokens == 0
    assert same[0].cost < other[0].cost


def test_flooded_it_serves_people_no_better_than_the_flood() -> None:
    yard = Yard()
    flood = yard.flood(60.0, 100.0, bots=500)
    people: list[Outcome] = []
    for number in range(50):
        who = a_person(number)
        yard.ask_at(10.0 + number, who, people)
    yard.wait(80.0)

    served = sum(one.is_complete for one in people)
    assert served <= 0.2 * len(people)
    assert sum(one.is_complete for one in flood) > 10 * served
    assert {one.reason for one in people if not one.is_complete} == {"client_left"}


def test_who_has_no_word_in_time_leaves_and_gives_the_place_free() -> None:
    yard = Yard()
    impatient = Chat(prompt_tokens=4000, answer_tokens=10, patience_s=1.0)
    left = [yard.ask(a_person(number), impatient) for number in range(3)]
    yard.wait(1.5)
    outcomes = yard.ask(a_person(9), SHORT)
    yard.wait(2.0)

    assert [(one[0].status, one[0].reason, one[0].ended_at_s) for one in left] == [(0, "client_left", 1.0)] * 3
    assert outcomes[0].is_complete
    assert outcomes[0].queue_s == 0.0


def test_a_word_in_time_keeps_whoever_reads_along() -> None:
    yard = Yard()

    outcomes = yard.ask(a_person(1), Chat(prompt_tokens=20, answer_tokens=200, patience_s=1.0))
    yard.wait(10.0)

    assert outcomes[0].is_complete
    assert outcomes[0].ended_at_s > 1.0


def test_where_very_many_wait_one_more_is_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fifo, "MOST_WAITING", 3)
    yard = Yard()

    outcomes = [yard.ask(a_person(number), SHORT) for number in range(6)]

    assert outcomes[:5] == [[]] * 5
    assert (outcomes[5][0].status, outcomes[5][0].reason) == (503, "server_is_overloaded")


def test_everybody_has_an_account_and_a_page_at_once() -> None:
    yard = Yard()

    (bot,), (page,) = yard.ask(a_bot(1), SignUp(effort_s=None, heeds=False)), yard.ask(a_person(1), Page())

    assert (bot.status, bot.is_complete, bot.effort) == (201, True, 0)
    assert (page.status, page.is_complete) == (200, True)


def test_passwords_are_looked_at_one_after_the_other() -> None:
    yard = Yard()
    for number in range(400):
        yard.ask(a_bot(number), SignIn(account="one", is_right=False))

    outcomes = yard.ask(a_person(1), SignIn(account="mine", is_known_device=True))
    yard.wait(11.0)

    assert outcomes[0].is_complete
    assert outcomes[0].first_s == pytest.approx(401 * 0.025)


def test_passwords_beyond_the_longest_line_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.lab.simulator.bare.MOST_WAITING", 2)
    yard = Yard()

    outcomes = [yard.ask(a_bot(number), SignIn(account="one", is_right=False)) for number in range(3)]
    yard.wait(1.0)

    assert [one[0].status for one in outcomes] == [401, 401, 503]


def test_a_connection_is_held_as_long_as_its_holder_wants() -> None:
    yard = Yard()

    outcomes = yard.ask(a_bot(1), Hold(for_s=300.0))
    yard.wait(301.0)

    assert (outcomes[0].status, outcomes[0].ended_at_s) == (0, 300.0)


def test_when_its_engine_breaks_everybody_inside_is_told_and_later_ones_are_served_again() -> None:
    yard = Yard()
    inside = [yard.ask(a_person(number), msgspec.structs.replace(SHORT, answer_tokens=100)) for number in range(4)]
    yard.wait(1.0)

    yard.service.fault(a_fault(Fault.ENGINE_DOWN), 1.0, is_on=True)
    refused = yard.ask(a_person(9), SHORT)
    (sample,) = yard.service.samples(1.0)
    yard.service.fault(a_fault(Fault.ENGINE_DOWN), 1.0, is_on=False)
    served = yard.ask(a_person(9), SHORT)
    yard.wait(20.0)

    assert [one[0].reason for one in inside] == ["bad_gateway"] * 4
    assert [one[0].status for one in inside] == [200, 200, 502, 502]  # A stream that has begun keeps its status.
    assert (refused[0].status, refused[0].reason) == (502, "bad_gateway")
    assert (sample.is_healthy, sample.capacity_tok_s, sample.err_rate) == (False, 0.0, 1.0)
    assert served[0].is_complete
    assert yard.service.inside == 0


def test_calls_are_dealt_out_in_turn_and_one_that_is_gone_is_passed_by() -> None:
    yard = Yard(replicas=2)
    both = [yard.ask(a_person(number), SHORT) for number in range(2)]
    yard.service.fault(a_fault(Fault.ENGINE_DOWN, replica=1), 0.0, is_on=True)
    later = [yard.ask(a_person(number), SHORT) for number in range(2)]
    yard.wait(5.0)

    assert [one[0].replica for one in both] == [0, 1]
    assert [(one[0].replica, one[0].is_complete) for one in later] == [(0, True), (0, True)]


def test_a_bad_replica_fails_at_its_part_of_the_calls_and_nobody_notices() -> None:
    yard = Yard(replicas=2)
    yard.service.fault(a_fault(Fault.REPLICA_BAD, replica=1, factor=0.01), 0.0, is_on=True)

    outcomes = []
    for number in range(20):
        outcomes.append(yard.ask(a_person(number), SHORT))
        yard.wait(2.0)

    failed = [one[0] for one in outcomes if one[0].status == 500]
    assert len(failed) == pytest.approx(10, abs=1)
    assert {one.reason for one in failed} == {"internal_error"}


def test_a_slow_engine_answers_slowly_and_samples_say_so() -> None:
    yard = Yard()
    yard.service.fault(a_fault(Fault.ENGINE_SLOW, factor=0.25), 0.0, is_on=True)
    yard.service.fault(a_fault(Fault.CLOCK_STEP), 0.0, is_on=True)
    yard.service.apply(RULES, 0.0)
    outcomes = [yard.ask(a_person(number), SHORT) for number in range(3)]
    (early,) = yard.service.samples(0.5)
    yard.wait(5.0)
    (late,) = yard.service.samples(5.0)

    assert outcomes[0][0].ended_at_s > 4 * 9 * ENGINE.step_s(1, 0)
    assert (early.running, early.waiting) == (0, 1)
    assert early.capacity_tok_s == pytest.approx(0.25 * 2 / ENGINE.step_s(2, 0))
    assert late.tok_s > 0.0
    assert (late.running, late.waiting, late.err_rate, late.mode) == (0, 0, 0.0, "open")


def test_when_all_is_over_everybody_inside_is_told_once() -> None:
    yard = Yard()
    asked = [yard.ask(a_person(number), SHORT) for number in range(4)]
    asked += [yard.ask(a_bot(1), Hold(for_s=100.0)), yard.ask(a_bot(2), SignIn(account="x"))]
    yard.agenda.run(0.01)

    yard.service.close(0.01)
    yard.wait(200.0)

    assert [[(one.status, one.ended_at_s) for one in each] for each in asked] == [[(0, 0.01)]] * 6


def test_a_place_that_was_given_free_before_its_engine_broke_is_not_given_twice() -> None:
    yard = Yard()
    patient = msgspec.structs.replace(SHORT, patience_s=inf)
    first = [yard.ask(a_person(number), patient) for number in range(2)]
    while not first[0]:
        yard.wait(0.001)
    now = yard.agenda.now
    yard.service.fault(a_fault(Fault.ENGINE_DOWN), now, is_on=True)
    yard.service.fault(a_fault(Fault.ENGINE_DOWN), now, is_on=False)
    later = [yard.ask(a_person(number), patient) for number in range(4)]
    yard.wait(0.02)
    (sample,) = yard.service.samples(yard.agenda.now)
    yard.wait(5.0)

    assert (sample.running, sample.waiting) == (2, 2)
    assert all(one[0].is_complete for one in later)
