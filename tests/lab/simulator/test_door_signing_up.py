"""Getting an account in virtual time: what people do, what programs do, and what the service makes of both."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.street import BLIND, RULES, Street, a_bot, a_name, a_person, wave
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.gate import GatePlan
from tidegate.core.entering.line import LinePlan
from tidegate.core.entering.places import Place
from tidegate.core.mail.budgets import MailPlan
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.standing.classes import Standing
from tidegate.lab.acts import Outcome, SignUp, Who
from tidegate.lab.simulator.serving import BASE_UNIX_S


def test_in_calm_nobody_works_and_the_account_is_there_after_the_letter() -> None:
    street = Street()
    who = a_person(1)

    outcomes = street.ask(who, SignUp(effort_s=0.1, reads_mail_after_s=30.0))
    street.wait(25.0)
    assert outcomes == []
    street.wait(30.0)

    (outcome,) = outcomes
    assert (outcome.status, outcome.is_complete, outcome.effort) == (303, True, 0)
    assert 30.0 < outcome.ended_at_s < 40.0
    assert outcome.first_s == outcome.ended_at_s - outcome.asked_at_s
    assert (outcome.promised_s, outcome.waited_s) == (None, None)
    assert street.house.new == [(who.name, outcome.ended_at_s, True)]


def test_a_new_account_is_a_newcomers_and_one_made_in_a_flood_a_visitors() -> None:
    street = Street()
    street.ask(a_person(1), SignUp())
    street.wait(60.0)
    street.house.is_flood = True
    street.ask(a_person(2), SignUp())
    street.wait(60.0)

    principals = [street.house.accounts.principal(name) for name, _, _ in street.house.new]
    standings = [street.house.register.standing(one, BASE_UNIX_S + 120.0) for one in principals]
    assert standings == [Standing.NEWCOMER, Standing.VISITOR]


def test_without_mail_the_account_is_there_with_the_form() -> None:
    street = Street(msgspec.structs.replace(RULES, is_mail_on=False))

    outcomes = street.ask(a_person(1), SignUp(reads_mail_after_s=None))
    street.wait(5.0)

    assert outcomes[0].is_complete
    assert outcomes[0].ended_at_s < 3.0
    assert street.house.new == [("person-1", outcomes[0].ended_at_s, False)]


def test_who_never_opens_the_link_has_no_account_and_knows_so_at_once() -> None:
    street = Street()

    outcomes = street.ask(a_person(1), SignUp(reads_mail_after_s=None))
    street.wait(5.0)

    assert (outcomes[0].status, outcomes[0].is_complete) == (200, False)
    assert street.house.new == []


def test_who_has_no_letter_for_want_of_budget_waits_for_it_in_vain() -> None:
    street = Street(msgspec.structs.replace(RULES, mail=MailPlan(per_hour=2, per_day=2, reserve=0.0)))
    for number in range(3):
        street.ask(a_person(number), SignUp(local_part=a_name(number)))
    outcomes = street.ask(a_person(3), SignUp(gives_up_after_s=120.0))
    street.wait(150.0)

    assert len(street.house.new) == 2
    assert (outcomes[0].status, outcomes[0].is_complete, outcomes[0].ended_at_s) == (200, False, 120.0)


def test_what_is_no_address_is_refused_as_one() -> None:
    street = Street()

    for what in (SignUp(local_part="no body"), SignUp(mail_domain="nowhere"), SignUp(local_part="quoted(")):
        outcomes = street.ask(a_person(1), what)
        street.wait(5.0)
        assert (outcomes[0].status, outcomes[0].reason) == (400, "invalid_value")


def test_of_programs_that_do_no_work_none_gets_in_once_sign_ups_are_throttled_and_a_person_who_works_does() -> None:
    street = Street()
    outcomes = wave(street, 60, 10)
    street.wait(35.0)
    assert street.modes() == [RegistrationMode.THROTTLED]
    in_before = len(street.house.new)

    person = street.ask(a_person(1), SignUp(effort_s=0.5))
    street.wait(25.0)

    assert person == [] or person[0].is_complete
    street.wait(60.0)
    assert person[0].is_complete
    assert person[0].effort >= 1
    assert {name for name, _, _ in street.house.new[in_before:]} == {"person-1"}
    late = [one for one in outcomes if one.asked_at_s > 30.0]
    assert {(one.status, one.reason) for one in late} == {(403, "challenge_required")}


def test_who_heeds_nothing_comes_again_every_second_and_gives_up_with_the_gates_refusal() -> None:
    street = Street()
    outcomes = [street.ask(a_bot(1), BLIND) for _ in range(80)]
    street.wait(60.0)

    refused = [one[0] for one in outcomes if one[0].status == 429]
    assert refused
    # Those who came before the gate was pressed were let in, and find that many hash passwords at once.
    assert {one.reason for one in refused} <= {"slow_down", "sign_in_busy"}
    assert sum(one.reason == "slow_down" for one in refused) > 20
    assert all(one.ended_at_s == pytest.approx(30.0) for one in refused)
    assert all(one.retry_after_s and one.promised_s for one in refused)
    assert street.door.inside == 0


def test_who_heeds_comes_again_when_the_gate_says_so() -> None:
    street = Street()
    for _ in range(80):
        street.ask(a_bot(1), BLIND)
    neighbour = Who(name="neighbour", group=a_person(1).group, address=a_bot(1).address)

    outcomes = street.ask(neighbour, SignUp())
    street.wait(120.0)

    (outcome,) = outcomes
    assert outcome.is_complete
    assert outcome.promised_s is not None
    assert outcome.waited_s is not None
    assert outcome.waited_s <= outcome.promised_s + 1e-6


def test_who_is_at_it_when_all_is_over_is_told_so_once() -> None:
    street = Street()
    outcomes = street.ask(a_person(1), SignUp())
    street.wait(10.0)

    street.door.close(10.0)
    street.wait(60.0)

    (outcome,) = outcomes
    assert (outcome.status, outcome.is_complete, outcome.ended_at_s) == (0, False, 10.0)


def test_a_disposable_address_counts_as_one_whatever_it_is_called() -> None:
    street = Street(msgspec.structs.replace(RULES, is_mail_on=False))
    asked = [SignUp(local_part=a_name(number), is_disposable=True) for number in range(12)]
    for number, what in enumerate(asked):
        street.ask_at(number * 70.0, a_person(number), what, list[Outcome]().append)
    street.wait(900.0)

    assert len(street.house.new) == 12
    assert street.modes() == [RegistrationMode.THROTTLED]
    assert street.happened[0].detail == "abuse"


def test_who_is_shut_out_by_address_is_told_so_and_not_to_wait() -> None:
    deny = Networks(("100.0.1.0/24",))
    street = Street(msgspec.structs.replace(RULES, gate=GatePlan(deny=deny)))

    (outcome,) = street.ask(a_person(1), SignUp())

    assert (outcome.status, outcome.reason, outcome.retry_after_s) == (403, "source_blocked", None)


def test_where_many_hash_at_once_who_heeds_comes_again_and_is_in_with_mail_and_without() -> None:
    for is_mail_on in (True, False):
        few = LinePlan(most_waiting=dict.fromkeys(Place, 1))
        street = Street(msgspec.structs.replace(RULES, line=few, is_mail_on=is_mail_on, calm=(600.0, 100.0)))
        outcomes = [street.ask(a_person(number), SignUp(local_part=a_name(number))) for number in range(6)]
        street.wait(120.0)

        assert all(one[0].is_complete for one in outcomes)
        assert any(one[0].promised_s is not None for one in outcomes)
