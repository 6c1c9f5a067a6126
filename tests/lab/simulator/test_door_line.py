"""The line for accounts, and the modes of registration, in virtual time."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.street import BLIND, HELD, RULES, Street, a_bot, a_name, a_person, wave
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.lab.acts import Outcome, SignUp
from tidegate.lab.rules import Rules


def test_a_place_in_line_is_kept_and_its_promise_and_wait_are_told() -> None:
    street = Street(HELD[RegistrationMode.WAITING_ROOM])
    people: list[Outcome] = []
    for number in range(160):
        what = SignUp(local_part=a_name(number), gives_up_after_s=3600.0)
        street.ask_at(number * 0.5, a_person(number), what, people.append)
    street.wait(1200.0)

    told = [one for one in people if one.promised_s is not None]
    assert all(one.is_complete for one in people)
    assert len(people) == 160
    assert len(told) > 90
    kept = [one for one in told if one.waited_s is not None and one.promised_s is not None]
    assert len(kept) == len(told)
    assert sum(one.waited_s <= one.promised_s for one in kept if one.waited_s and one.promised_s) > 0.8 * len(told)
    # As many as are let in a minute, and no more: thirty, and five at once after a rest.
    first_minutes = [one for _, one, _ in street.house.new if one <= 300.0]
    assert len(first_minutes) <= 5 + 30 * 5


def test_who_gives_up_in_line_ends_without_and_before_the_wait_that_was_told() -> None:
    street = Street(HELD[RegistrationMode.WAITING_ROOM])
    for number in range(250):
        street.ask(a_person(number), SignUp(local_part=a_name(number), gives_up_after_s=3600.0))
    street.wait(90.0)
    outcomes = street.ask(a_person(500), SignUp(gives_up_after_s=45.0))
    street.wait(50.0)

    (outcome,) = outcomes
    assert (outcome.status, outcome.is_complete) == (200, False)
    assert outcome.ended_at_s == pytest.approx(outcome.asked_at_s + 45.0)
    assert outcome.promised_s is not None
    assert outcome.promised_s > 45.0
    assert outcome.waited_s is None


def test_without_work_one_waits_in_line_instead() -> None:
    street = Street(HELD[RegistrationMode.WAITING_ROOM])

    outcomes = street.ask(a_person(1), SignUp(effort_s=None))
    street.wait(150.0)

    (outcome,) = outcomes
    assert outcome.is_complete
    assert outcome.effort == 1
    assert outcome.ended_at_s > WaitingPlan().settle_s + 20.0  # Until the place counts, and until the letter is read.


def test_a_program_that_does_not_wait_is_not_kept_in_line() -> None:
    street = Street(HELD[RegistrationMode.WAITING_ROOM])

    for number in range(200):
        street.ask(a_person(number), SignUp(local_part=a_name(number), gives_up_after_s=3600.0))
    street.wait(30.0)
    asked = [street.ask(a_bot(number), BLIND) for number in range(50)]
    street.wait(60.0)
    assert {(one[0].status, one[0].is_complete, one[0].ended_at_s) for one in asked} == {(200, False, 60.0)}
    street.wait(900.0)

    # The letters that are left are dealt out slowly; whoever stands there yet is a person.
    assert len(street.house.new) >= 180
    assert {name.partition("-")[0] for name, _, _ in street.house.new} == {"person"}
    assert street.door.in_line <= 200 - len(street.house.new)


def test_work_that_takes_longer_than_it_counts_leads_nowhere() -> None:
    street = Street(HELD[RegistrationMode.THROTTLED])

    outcomes = street.ask(a_person(1), SignUp(effort_s=700.0, gives_up_after_s=1500.0))
    street.wait(1600.0)

    assert (outcomes[0].status, outcomes[0].is_complete) == (0, False)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [(RegistrationMode.INVITE, "invitation_required"), (RegistrationMode.CLOSED, "sign_up_closed")],
)
def test_where_only_invitations_count_or_nothing_does_everybody_is_told_so(mode: RegistrationMode, reason: str) -> None:
    street = Street(HELD[mode])

    (outcome,) = street.ask(a_person(1), SignUp())

    assert (outcome.status, outcome.reason, outcome.is_complete) == (403, reason, False)
    assert street.door.mode is mode


def test_other_rules_hold_from_when_they_are_applied() -> None:
    street = Street()

    street.door.apply(HELD[RegistrationMode.CLOSED], street.agenda.now)
    (outcome,) = street.ask(a_person(1), SignUp())

    assert outcome.reason == "sign_up_closed"
    assert [(one.was, one.to, one.by) for one in street.happened] == [("open", "closed", "operator")]


def test_the_same_seed_leads_to_the_same_and_another_to_other_places() -> None:
    def ends(seed: int) -> list[tuple[str, float]]:
        street = Street(HELD[RegistrationMode.WAITING_ROOM], seed)
        for number in range(50):
            street.ask(a_person(number), SignUp(local_part=a_name(number)))
        street.wait(200.0)
        return [(name, at) for name, at, _ in street.house.new]

    assert ends(1) == ends(1)
    assert ends(1) != ends(2)


def test_a_clock_that_steps_keeps_everybody_in_line() -> None:
    rules: Rules = HELD[RegistrationMode.WAITING_ROOM]
    street = Street(rules)
    for number in range(60):
        street.ask(a_person(number), SignUp(local_part=a_name(number)))
    street.wait(40.0)
    street.clock.off_s = 7200.0
    street.wait(60.0)
    street.clock.off_s = 0.0
    street.wait(400.0)

    assert len(street.house.new) == 60


def test_a_mode_that_rises_while_somebody_works_is_what_the_page_says_then() -> None:
    street = Street(HELD[RegistrationMode.WAITING_ROOM])
    lining_up = street.ask(a_person(1), SignUp(effort_s=20.0))
    street.wait(5.0)
    street.door.apply(HELD[RegistrationMode.INVITE], street.agenda.now)
    street.wait(60.0)

    assert lining_up[0].reason == "invitation_required"


def test_who_worked_while_others_stand_in_line_stands_behind_them() -> None:
    street = Street(HELD[RegistrationMode.THROTTLED])
    for number in range(12):
        street.ask(a_person(number), SignUp(local_part=a_name(number)))
    street.wait(4.0)
    assert street.door.in_line > 0

    outcomes = street.ask(a_person(50), SignUp())
    street.wait(120.0)

    assert outcomes[0].is_complete
    assert len(street.house.new) == 13


def test_in_a_dry_run_no_mode_is_told() -> None:
    modes = msgspec.structs.replace(RULES.modes, is_dry_run=True)
    street = Street(msgspec.structs.replace(RULES, modes=modes))
    wave(street, 60, 10)
    street.wait(65.0)

    assert street.happened == []
    assert street.door.mode is RegistrationMode.OPEN
