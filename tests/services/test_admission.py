"""Callers enter at once or are refused at once; a place taken back is free when the engine is, and no sooner."""

from __future__ import annotations

import asyncio

import pytest

from tests.admitting import an_admission, claim_of, user_of
from tidegate.core.accounts import Role
from tidegate.core.admission.claims import Cut, Spent, Waiting
from tidegate.core.standing.classes import Standing
from tidegate.services.admission import Patience, by_role
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.testing.clock import HandClock

SPENT = Spent(prompt_tokens=10, cached_tokens=2, output_tokens=5)


async def test_a_ticket_is_taken_at_once_and_its_place_waited_for_later() -> None:
    admission = an_admission(HandClock(), 1, 1)
    first, second = admission.take(claim_of("ana")), admission.take(claim_of("bo"))
    with pytest.raises(OverloadedError) as refused:
        admission.take(claim_of("cy"))
    assert refused.value.retry_after_s > 0
    assert (await admission.place(first)) is not None
    assert admission.outlook(first) is None
    assert isinstance(admission.outlook(second), Waiting)

    admission.leave(first)

    assert (await admission.place(second)) is not None, "it was called before anybody waited for it"
    admission.leave(second)
    assert (admission.remembered, admission.scheduler.owners) == (0, 0)


async def test_who_waits_gets_its_place_when_it_is_free() -> None:
    admission = an_admission(HandClock(), 1, 2)
    held, waits = admission.take(claim_of("ana")), admission.take(claim_of("bo"))
    waiting = asyncio.create_task(admission.place(waits))
    await asyncio.sleep(0)
    assert not waiting.done()

    admission.leave(held)

    assert (await asyncio.wait_for(waiting, 5)) is not None
    admission.leave(waits)


async def test_a_wait_for_a_place_can_end_without_one_and_begin_again() -> None:
    over = asyncio.Event()

    async def sleep(seconds: float) -> None:
        assert seconds == 3.0
        await over.wait()

    admission = an_admission(HandClock(), 1, 2, sleep=sleep)
    held, waits = admission.take(claim_of("ana")), admission.take(claim_of("bo"))
    waiting = asyncio.create_task(admission.place(waits, 3.0))
    over.set()

    assert await waiting is None
    admission.leave(held)
    assert (await admission.place(waits, 3.0)) is not None
    admission.leave(waits)


async def test_an_account_with_too_many_is_told_how_many_it_has() -> None:
    admission = an_admission(HandClock(), 4, 4, 2)
    tickets = [admission.take(claim_of("ana")) for _ in range(2)]

    with pytest.raises(TooManyInFlightError) as refused:
        admission.take(claim_of("ana"))

    assert refused.value.inside == 2
    for ticket in tickets:
        admission.leave(ticket)


async def test_leaving_twice_frees_one_place() -> None:
    admission = an_admission(HandClock(), 2, 4)
    tickets = [admission.take(claim_of(str(number))) for number in range(4)]
    for ticket in tickets[:2]:
        admission.began(ticket)

    admission.leave(tickets[0], SPENT)
    admission.leave(tickets[0], SPENT)
    admission.leave(tickets[0])

    assert [admission.outlook(ticket) is None for ticket in tickets[1:]] == [True, True, False]
    for ticket in tickets[1:]:
        admission.leave(ticket)
    assert admission.remembered == 0


async def test_a_place_taken_back_before_the_engine_was_asked_is_free_at_once() -> None:
    """A question that is still being stored holds nobody up who is better known."""
    admission = an_admission(HandClock(), 1, 4)
    stranger = admission.take(claim_of("new", Standing.NEWCOMER))
    assert (await admission.place(stranger)) is not None

    known = admission.take(claim_of("ana"))

    assert (await admission.place(known)) is not None
    assert admission.outlook(stranger) is not None
    admission.leave(known)
    assert (await admission.place(stranger)) is not None
    admission.leave(stranger)


async def test_a_place_taken_back_while_the_engine_works_is_free_when_the_engine_is() -> None:
    admission = an_admission(HandClock(), 1, 4)
    stranger = admission.take(claim_of("new", Standing.NEWCOMER))
    heard: list[Cut] = []
    admission.occupy(stranger, heard.append)

    known = admission.take(claim_of("ana"))

    assert [(cut.ticket, cut.is_returning) for cut in heard] == [(stranger, True)]
    assert admission.outlook(known) is not None
    admission.release(stranger)
    assert (await admission.place(known)) is not None
    admission.leave(stranger)
    admission.leave(known)
    assert (admission.scheduler.running, admission.scheduler.waiting, admission.remembered) == (0, 0, 0)


async def test_a_claim_says_what_the_account_is_and_how_patient_its_caller() -> None:
    admission = an_admission(HandClock(), claimant=by_role, patience=Patience(streamed_s=60.0, whole_s=20.0))

    streamed = admission.claim(user_of("ana"), prompt_bytes=7, output_tokens=9, is_stream=True)
    whole = admission.claim(user_of("op", Role.OPERATOR), prompt_bytes=7, output_tokens=9, is_stream=False)

    assert (streamed.standing, streamed.patience_s, streamed.prompt_bytes) == (Standing.NEWCOMER, 60.0, 7)
    assert (whole.standing, whole.patience_s, whole.output_tokens) == (Standing.ESTABLISHED, 20.0, 9)


async def test_what_was_served_to_its_end_counts_for_who_asked_and_what_was_left_does_not() -> None:
    served: list[tuple[str, float, int]] = []
    admission = an_admission(HandClock())
    admission._served = lambda *one: served.append(one)
    first, second = admission.take(claim_of("ana")), admission.take(claim_of("ana"))

    admission.leave(first, SPENT)
    admission.leave(second)

    assert served == [(user_of("ana").id, admission.cost(8, 5), 2)]


@pytest.mark.parametrize("by", ["spend", "progress"])
async def test_what_a_pressing_account_has_is_taken_back_at_the_next_sign_of_the_engines_work(by: str) -> None:
    """The gate sees that it presses, and has nobody to tell."""
    admission = an_admission(HandClock(), 2, 4, max_per_owner=2)
    tickets = [admission.take(claim_of("ana")) for _ in range(2)]
    cuts: list[Cut] = []
    for ticket in tickets:
        await admission.place(ticket)
        admission.occupy(ticket, cuts.append)
        admission.began(ticket)
    waits = admission.take(claim_of("bo"))
    ana = claim_of("ana").principal
    for number in range(60):
        admission.scheduler.preview(ana, Standing.ESTABLISHED, ana, 100, 60.0, number / 25)
        admission.scheduler.crowded(ana, Standing.ESTABLISHED, number / 25)
    assert cuts == []
    if by == "spend":
        admission.spend(tickets[0], 1)
    else:
        admission.progress(tickets[0], 1, 2, 0)
    assert {cut.ticket for cut in cuts} == set(tickets)
    for ticket in (*tickets, waits):
        admission.leave(ticket)
