"""Signing in in virtual time: known devices go ahead, strangers may have to work, guessing is found; and pages."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.street import RULES, Street, a_bot, a_person
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.gate import GatePlan
from tidegate.core.entering.line import LinePlan
from tidegate.core.entering.places import Place
from tidegate.lab.acts import Chat, Group, Outcome, Page, SignIn, Who
from tidegate.lab.hearing import Happened

OWNER = a_person(1, group=Group.ESTABLISHED, has_account=True)
GUESS = SignIn(account="somebody", is_right=False, effort_s=None)


def stuff(street: Street, seconds: float, per_s: float, bots: int = 1000) -> list[Outcome]:
    """Programs guess passwords of many accounts, from many networks, and do no work for it."""
    outcomes: list[Outcome] = []
    for number in range(int(seconds * per_s)):
        guess = msgspec.structs.replace(GUESS, account=f"account-{number % 5000}")
        street.ask_at(street.agenda.now + number / per_s, a_bot(number % bots), guess, outcomes.append)
    return outcomes


def test_in_calm_who_knows_the_password_is_in_and_who_does_not_is_not() -> None:
    street = Street()

    right = street.ask(OWNER, SignIn(account=OWNER.name))
    wrong = street.ask(a_person(2), SignIn(account=OWNER.name, is_right=False))
    street.wait(5.0)

    assert (right[0].status, right[0].is_complete, right[0].effort) == (303, True, 0)
    assert (wrong[0].status, wrong[0].reason, wrong[0].is_complete) == (401, "wrong_credentials", False)


def test_a_known_device_is_in_quickly_while_passwords_are_stuffed_and_a_stranger_has_to_work() -> None:
    street = Street()
    guesses = stuff(street, 60.0, 40.0)
    street.wait(30.0)

    known = street.ask(OWNER, SignIn(account=OWNER.name, is_known_device=True))
    stranger = street.ask(a_person(2), SignIn(account=OWNER.name, effort_s=0.5))
    street.wait(15.0)

    assert known[0].is_complete
    assert known[0].effort == 0
    assert known[0].ended_at_s - known[0].asked_at_s < 2.5  # Two seconds of it are the typing.
    assert stranger[0].is_complete
    assert stranger[0].effort >= 1
    assert sum(one.reason == "challenge_required" for one in guesses) > 0.5 * len(guesses)


def test_that_strangers_guess_is_told_and_that_they_have_ceased() -> None:
    street = Street()
    stuff(street, 30.0, 40.0)
    street.wait(30.0)
    begun = list(street.happened)
    street.wait(600.0)

    assert [(one.what, one.was, one.to) for one in begun] == [("suspicion", "", "guessing")]
    assert begun[0].at_s < 6.0
    ceased = street.happened[-1]
    assert (ceased.what, ceased.was, ceased.to) == ("suspicion", "guessing", "")
    assert isinstance(ceased, Happened)


def test_who_does_no_work_is_told_how_much_is_asked_for() -> None:
    street = Street()
    for _ in range(12):
        street.ask(a_bot(3), msgspec.structs.replace(GUESS, account="one"))
        street.wait(3.0)

    (outcome,) = street.ask(a_bot(4), msgspec.structs.replace(GUESS, account="one"))

    assert (outcome.status, outcome.reason) == (403, "challenge_required")
    assert outcome.effort >= 1


def test_a_program_that_works_is_asked_first_and_let_in_then() -> None:
    street = Street()
    for _ in range(12):
        street.ask(a_bot(3), msgspec.structs.replace(GUESS, account="one"))
        street.wait(3.0)

    outcomes = street.ask(a_bot(4), SignIn(account="one", effort_s=1.0))
    assert outcomes == []
    street.wait(10.0)

    assert outcomes[0].is_complete
    assert outcomes[0].ended_at_s - outcomes[0].asked_at_s >= outcomes[0].effort


def test_work_that_comes_too_late_is_asked_for_again_and_not_without_end() -> None:
    street = Street()
    for _ in range(12):
        street.ask(a_bot(3), msgspec.structs.replace(GUESS, account="one"))
        street.wait(3.0)

    outcomes = street.ask(a_bot(4), SignIn(account="one", effort_s=10_000.0))
    for _ in range(40):
        street.ask(a_bot(5), msgspec.structs.replace(GUESS, account="one"))
        street.wait(60.0)

    assert (outcomes[0].status, outcomes[0].reason) == (403, "challenge_required")


def test_a_device_with_many_wrong_passwords_is_nothing_any_more() -> None:
    street = Street(msgspec.structs.replace(RULES, gate=GatePlan(device_burst=1000.0, device_rate=100.0)))
    wrong = SignIn(account=OWNER.name, is_right=False, is_known_device=True)
    for _ in range(10):
        street.ask(OWNER, wrong)
        street.wait(3.0)

    facts = [key for key in street.house.gate.remembered if key == "revoked"]
    assert facts
    assert street.house.gate.remembered["revoked"] == 1


def test_a_device_of_another_account_is_a_place_for_that_account_alone() -> None:
    street = Street()
    shared = a_person(7)

    outcomes = street.ask(shared, SignIn(account="the other one", is_known_device=True))
    street.wait(5.0)

    assert outcomes[0].is_complete


def test_who_finds_the_line_for_passwords_full_is_told_when_to_come_again() -> None:
    few = LinePlan(most_waiting=dict.fromkeys(Place, 1), patience_s=0.1)
    street = Street(msgspec.structs.replace(RULES, line=few))

    outcomes = [street.ask(a_bot(number), msgspec.structs.replace(GUESS, account=f"a{number}")) for number in range(9)]
    street.wait(5.0)

    ends = [one[0] for one in outcomes]
    busy = [one for one in ends if one.reason == "sign_in_busy"]
    assert len(ends) == 9
    assert len(busy) >= 5
    assert all(one.status == 429 and one.retry_after_s and one.promised_s for one in busy)


def test_who_waits_too_long_for_the_thread_is_told_to_come_again() -> None:
    street = Street(msgspec.structs.replace(RULES, line=LinePlan(patience_s=0.03)))

    outcomes = [street.ask(a_bot(number), msgspec.structs.replace(GUESS, account=f"a{number}")) for number in range(6)]
    street.wait(5.0)

    assert sorted({one[0].status for one in outcomes}) == [401, 429]


def test_the_gates_refusal_of_a_sign_in_ends_it_with_the_wait_it_tells() -> None:
    street = Street()
    for _ in range(40):
        street.ask(a_bot(1), GUESS)

    (outcome,) = street.ask(a_bot(1), GUESS)

    assert (outcome.status, outcome.reason) == (429, "slow_down")
    assert outcome.retry_after_s == outcome.promised_s
    assert outcome.promised_s is not None


@pytest.mark.parametrize("is_asset", [False, True])
def test_pages_are_shown_at_once_and_a_flood_of_them_is_told_to_slow_down(is_asset: bool) -> None:
    street = Street()
    page = Page(is_asset=is_asset)

    outcomes = [street.ask(a_bot(1), page)[0] for _ in range(100)]
    (of_owner,) = street.ask(msgspec.structs.replace(OWNER, address=a_bot(1).address), page)

    assert (outcomes[0].status, outcomes[0].is_complete) == (200, True)
    assert (outcomes[-1].status, outcomes[-1].reason) == (429, "slow_down")
    assert outcomes[-1].retry_after_s
    assert of_owner.status == 200


def test_what_is_asked_of_the_model_is_none_of_the_doors() -> None:
    street = Street()

    with pytest.raises(TypeError, match="Chat"):
        street.ask(Who(name="x", group=Group.NEW, address=1), Chat(prompt_tokens=1, answer_tokens=1))


def test_who_is_shut_out_by_address_sees_no_page() -> None:
    deny = Networks(("45.0.0.0/8",))
    street = Street(msgspec.structs.replace(RULES, gate=GatePlan(deny=deny)))

    (page,) = street.ask(a_bot(1), Page())

    assert (page.status, page.reason, page.retry_after_s, page.promised_s) == (403, "source_blocked", None, None)


def test_strangers_that_work_have_a_part_of_the_thread_while_they_guess_and_no_more() -> None:
    street = Street()
    outcomes: list[Outcome] = []
    for number in range(1200):
        guess = SignIn(account=f"account-{number}", is_right=False, effort_s=0.001)
        street.ask_at(number / 40.0, a_bot(number % 1000), guess, outcomes.append)
    street.wait(10.0)
    before = sum(one.status == 401 for one in outcomes)
    street.wait(20.0)

    looked_at = sum(one.status == 401 for one in outcomes) - before
    assert 150 < looked_at <= (20.0 * 0.25 + 0.5) / 0.025
