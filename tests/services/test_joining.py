"""An account costs nothing in calm, work or a wait otherwise, and never an existing user anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.services.town import PASSWORD, TRACE, Town, with_ticket
from tidegate.core.challenge.challenges import Why
from tidegate.core.events import ChallengeOutcome, ChallengeTried
from tidegate.core.registration.modes import RegistrationMode
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.joining import (
    Form,
    InLine,
    Line,
    Made,
    Step,
    TurnedAwayError,
)
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.permits import JoiningPlan
from tidegate.services.work import Answer
from tidegate.testing.clock import HandClock


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    made.passwords.close()


# ---------------------------------------------------------------- calm, and the end of it


async def test_in_calm_nobody_is_asked_for_anything(town: Town) -> None:
    shown = town.somebody()
    assert town.joining.look(shown) == Form()
    assert isinstance(await town.sign_up(shown), Made)


async def test_the_first_that_are_too_many_are_asked_for_work_and_nobody_gets_an_account_without_it(
    town: Town,
) -> None:
    """From the first second: no mode has changed yet."""
    steps: list[Step] = []
    for _ in range(100):
        shown = town.somebody()
        try:
            await town.sign_up(shown)
        except TurnedAwayError as error:
            steps.append(error.step)
    assert await town.count() == 2
    assert len(steps) == 98
    assert all(isinstance(step, Form) and step.work is not None for step in steps)
    assert town.joining.mode is RegistrationMode.OPEN


async def test_whoever_has_worked_is_let_in_at_once_while_there_is_room_and_stands_in_line_after(town: Town) -> None:
    town.press()
    made, lined = 0, 0
    for _ in range(20):
        shown = town.somebody()
        outcome = await town.sign_up(shown, town.work(shown))
        made += isinstance(outcome, Made)
        lined += isinstance(outcome, str)
    assert (made, lined) == (5, 15)
    assert len(town.joining.room) == 15


async def test_how_many_are_let_in_is_bounded_whoever_works_how_much(town: Town) -> None:
    """A machine room can solve more than all people together: it gets its part of the line."""
    town.press()
    for _ in range(600):
        shown = town.somebody()
        await town.sign_up(shown, town.work(shown))
        town.press()
        town.wait(1)
    # Ten minutes at 30 a minute, and 5 at once after a rest.
    assert town.joining.room.outflow.seen == pytest.approx(305, abs=3)


async def test_the_line_is_worked_off_and_a_pass_makes_one_account(town: Town) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    shown = town.somebody()
    shown = with_ticket(shown, town.ticket(shown))
    assert isinstance(town.joining.look(shown), InLine)
    assert await town.sign_up(shown) == shown.ticket, "not yet"

    town.wait(3)

    step = town.joining.look(shown)
    assert isinstance(step, Form)
    assert step.work is None
    assert step.until_s is not None
    assert step.until_s > town.clock()
    assert isinstance(await town.sign_up(shown), Made)
    assert isinstance(town.joining.look(shown), Line), "it was used"
    with pytest.raises(TurnedAwayError):
        await town.sign_up(shown, email="second@example.org")


async def test_waiting_costs_no_work_and_leads_to_the_same_account(town: Town) -> None:
    """The way for those whose browser runs no scripts."""
    town.set(RegistrationMode.WAITING_ROOM)
    shown = town.somebody()
    shown = with_ticket(shown, town.joining.line_up(shown, Answer(), TRACE))
    step = town.joining.look(shown)
    assert isinstance(step, InLine)
    assert not step.place.is_counted, "a program that fetches tickets and drops them holds nobody up"
    town.wait(20)
    town.joining.look(shown)
    town.wait(5)
    assert isinstance(await town.sign_up(shown), Made)


async def test_a_mistake_in_the_form_loses_neither_the_work_nor_the_pass(town: Town) -> None:
    town.press()
    shown = town.somebody()
    ticket = town.joining.admit(shown, town.work(shown), TRACE)
    assert ticket is not None
    for email, password in (("nonsense", PASSWORD), ("ana@example.org", "short")):
        with pytest.raises(ValueError, match=r"^(email|password): "):
            await town.joining.sign_up(ticket, email, password, TRACE)
    assert town.joining.is_pass(ticket)
    assert isinstance(await town.joining.sign_up(ticket, "ana@example.org", PASSWORD, TRACE), Made)
    assert not town.joining.is_pass(ticket)


async def test_two_forms_with_one_pass_at_once_make_one_account(town: Town) -> None:
    town.press()
    shown = town.somebody()
    ticket = town.joining.admit(shown, town.work(shown), TRACE)
    both = await asyncio.gather(
        *(town.joining.sign_up(ticket, f"{name}@example.org", PASSWORD, TRACE) for name in ("ana", "bo")),
        return_exceptions=True,
    )
    assert {type(one) for one in both} == {Made, PasswordsBusyError}
    assert await town.count() == 1


async def test_a_pass_that_is_spelt_otherwise_is_none(town: Town) -> None:
    town.press()
    passes = []
    for _ in range(5):
        shown = town.somebody()
        ticket = town.joining.admit(shown, town.work(shown), TRACE)
        assert ticket is not None
        passes.append(ticket)
    for ticket in passes:
        for other in {ticket.replace("-", "+"), ticket.replace("_", "/")} - {ticket}:
            assert not town.joining.is_pass(other)


async def test_an_address_that_is_taken_leaves_the_pass(town: Town) -> None:
    await town.sessions.clerk.create_user("ana@example.org")
    town.press()
    shown = town.somebody()
    ticket = town.joining.admit(shown, town.work(shown), TRACE)
    assert ticket is not None
    with pytest.raises(EmailTakenError):
        await town.joining.sign_up(ticket, "ana@example.org", PASSWORD, TRACE)
    assert town.joining.is_pass(ticket)


# ---------------------------------------------------------------- work


async def test_work_counts_once_for_its_own_browser_only(town: Town) -> None:
    town.press()
    shown = town.somebody()
    answer = town.work(shown)
    other = town.somebody()
    with pytest.raises(TurnedAwayError) as stolen:
        town.joining.admit(other, answer, TRACE)
    assert stolen.value.why is Why.FORGED
    town.joining.admit(shown, answer, TRACE)
    with pytest.raises(TurnedAwayError) as again:
        town.joining.admit(shown, answer, TRACE)
    assert again.value.why is Why.SPENT


async def test_garbage_is_told_a_few_times_a_second_and_costs_its_sender_nothing_but_another_try(town: Town) -> None:
    town.press()
    shown = town.somebody()
    for _ in range(200):
        with pytest.raises(TurnedAwayError) as error:
            town.joining.admit(shown, Answer(challenge="x", answer="y"), TRACE)
        assert error.value.why is Why.MALFORMED
    failed = town.journal.of(ChallengeTried)
    assert len(failed) == 20
    assert {one.outcome for one in failed} == {ChallengeOutcome.FAILED}
    town.clock.advance(1.0)
    with pytest.raises(TurnedAwayError):
        town.joining.admit(shown, Answer(challenge="x", answer="y"), TRACE)
    assert len(town.journal.of(ChallengeTried)) == 21
    town.joining.admit(shown, town.work(shown), TRACE)
    assert town.journal.of(ChallengeTried)[-1].outcome is ChallengeOutcome.SOLVED
    assert town.journal.of(ChallengeTried)[-1].solve_s == 0.5


async def test_more_work_is_asked_while_a_line_stands_and_none_once_it_is_calm_again(town: Town) -> None:
    town.press()
    first = town.joining.look(town.somebody())
    assert isinstance(first, Form)
    assert first.work is not None
    assert first.work.effort == 1
    for _ in range(40):
        for _ in range(20):
            shown = town.somebody()
            town.joining.admit(shown, town.work(shown), TRACE)
        town.press()
        town.wait(1)
    crowded = town.joining.look(town.somebody())
    assert isinstance(crowded, Form)
    assert crowded.work is not None
    assert 1 < crowded.work.effort <= 12
    town.wait(3600)
    assert town.joining.look(town.somebody()) == Form()


async def test_what_people_were_told_is_judged_by_what_became_of_it(town: Town) -> None:
    """Live: whoever runs the service sees how often the waits that it tells are kept."""
    town.set(RegistrationMode.WAITING_ROOM)
    tickets = [town.ticket(town.somebody()) for _ in range(60)]
    assert town.joining.line().places == 60
    for _ in range(30):
        town.wait(10)
        for ticket in tickets:
            town.joining.look(with_ticket(town.somebody(), ticket))
    line = town.joining.line()
    assert line.places == 0
    assert line.kept > 20
    assert line.kept >= 4 * line.missed


async def test_another_rate_counts_from_then_on(town: Town) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    for _ in range(200):
        town.ticket(town.somebody())
    town.joining.replan(JoiningPlan(per_min=600.0, at_once=10.0))
    town.wait(10)
    assert town.joining.room.outflow.seen >= 100


# ---------------------------------------------------------------- clocks and restarts


async def test_a_clock_that_is_set_an_hour_forward_and_back_ends_no_turn_and_counts_no_work_twice() -> None:
    steady = HandClock()
    town = Town(steady=steady)
    town.set(RegistrationMode.WAITING_ROOM)
    first, second, third = (town.somebody() for _ in range(3))
    work = town.work(first)
    admitted = with_ticket(first, town.joining.line_up(first, work, TRACE))
    steady.advance(2.0)
    town.joining.tick()
    assert town.joining.is_pass(admitted.ticket)

    town.clock.advance(3600.0)
    town.ticket(second)
    step = town.joining.look(admitted)
    assert isinstance(step, Form)
    assert step.until_s == pytest.approx(town.clock() + 900.0, abs=5.0), "as the clock on the wall has it now"
    town.clock.advance(-3600.0)
    town.ticket(third)

    with pytest.raises(TurnedAwayError) as error:
        town.joining.line_up(first, work, TRACE)
    assert error.value.why is Why.SPENT
    assert isinstance(await town.sign_up(admitted), Made)
    town.passwords.close()


async def test_places_that_are_used_up_are_told_of_once_each() -> None:
    """So that they stay used after a restart."""
    town = Town()
    town.set(RegistrationMode.WAITING_ROOM)
    people = [with_ticket(shown, town.ticket(shown)) for shown in (town.somebody() for _ in range(3))]
    town.joining.give(people[2])
    town.joining.give(people[2])
    assert town.used == [town.joining.room.place(people[2].ticket)]
    town.wait(5)
    assert isinstance(await town.sign_up(people[0]), Made)
    assert town.used == [town.joining.room.place(one.ticket) for one in (people[2], people[0])]
    town.passwords.close()
