"""No mode takes a place from anybody, and none stands between a person and their account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.services.town import LIMITED, PASSWORD, TRACE, Town, fingerprint, place, trace_of, with_ticket
from tidegate.core.events import SignUpOutcome, SignUpTried
from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Share
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.joining import (
    ByInvitation,
    Form,
    InLine,
    Made,
    Shut,
    TurnedAwayError,
    Written,
)
from tidegate.services.permits import LETTERS_KEPT
from tidegate.services.work import Answer


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    made.passwords.close()


# ---------------------------------------------------------------- modes


@pytest.mark.parametrize("mode", LIMITED)
async def test_who_is_in_line_keeps_the_place_whatever_the_mode_becomes(town: Town, mode: RegistrationMode) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    people = [town.somebody() for _ in range(50)]
    tickets = [town.ticket(shown) for shown in people]
    before = [place(town, ticket).position for ticket in tickets]
    town.set(mode)
    assert [place(town, ticket).position for ticket in tickets] == before
    town.set(RegistrationMode.WAITING_ROOM)
    assert [place(town, ticket).position for ticket in tickets] == before


@pytest.mark.parametrize("mode", [RegistrationMode.INVITE, RegistrationMode.CLOSED])
async def test_nobody_is_let_in_from_the_line_while_it_stands_still_and_nobody_gets_into_it(
    town: Town, mode: RegistrationMode
) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    shown = town.somebody()
    shown = with_ticket(shown, town.ticket(shown))
    town.set(mode)
    town.wait(60)
    step = town.joining.look(shown)
    assert isinstance(step, InLine)
    assert step.stands_still
    with pytest.raises(TurnedAwayError) as error:
        town.joining.line_up(town.somebody(), Answer(), TRACE)
    assert error.value.step == (ByInvitation() if mode is RegistrationMode.INVITE else Shut())


@pytest.mark.parametrize("mode", [RegistrationMode.INVITE, RegistrationMode.WAITING_ROOM])
async def test_a_form_is_worth_nothing_where_the_mode_asks_for_more(town: Town, mode: RegistrationMode) -> None:
    town.press()
    shown = town.somebody()
    answer = town.work(shown)
    town.set(mode)
    with pytest.raises(TurnedAwayError):
        await town.sign_up(shown, answer)
    assert await town.count() == 0


async def test_closed_means_that_not_even_a_pass_or_an_invitation_counts(town: Town) -> None:
    _, code = await town.usher.invitations.create(None)
    town.press()
    shown = town.somebody()
    ticket = town.joining.admit(shown, town.work(shown), TRACE)
    assert ticket is not None
    town.set(RegistrationMode.CLOSED)
    with pytest.raises(TurnedAwayError) as error:
        await town.sign_up(with_ticket(shown, ticket))
    assert error.value.step == Shut()
    assert await town.joining.invited(code) is None
    assert await town.joining.accept(code, "ana@example.org", PASSWORD, TRACE) is None
    assert await town.count() == 0
    town.set(RegistrationMode.OPEN)
    assert await town.joining.invited(code) is not None, "it is as good as it was"


@pytest.mark.parametrize("mode", [None, *LIMITED])
async def test_who_has_an_account_signs_in_whatever_the_mode(town: Town, mode: RegistrationMode | None) -> None:
    """Login, reset, sessions, keys and export never pass the machine: here the one that a flood would hit."""
    made = await town.sign_up(town.somebody(), email="ana@example.org")
    assert isinstance(made, Made)
    town.press()
    if mode is not None:
        town.set(mode)
    signed_in, text = await town.sessions.sign_in("ana@example.org", PASSWORD, TRACE)
    assert await town.sessions.find(text) == signed_in
    await town.sessions.change_password(signed_in, PASSWORD, "and the moon pulls on")


async def test_the_operators_setting_is_the_least_that_is_limited(town: Town) -> None:
    town.joining.registration.floor = RegistrationMode.INVITE
    assert town.joining.look(town.somebody()) == ByInvitation()
    assert not town.joining.is_calm
    assert town.joining.registration.outlook().mode is RegistrationMode.INVITE
    assert town.joining.registration.causes() == (Cause.SETTINGS,)
    town.set(RegistrationMode.CLOSED)
    assert town.joining.look(town.somebody()) == Shut()
    assert town.joining.registration.causes() == (Cause.OPERATOR,)
    town.joining.registration.floor = RegistrationMode.OPEN
    town.joining.registration.release()
    assert town.joining.look(town.somebody()) == Form()


# ---------------------------------------------------------------- letters and invitations


async def test_where_letters_are_sent_one_is_sent_instead_of_an_account_and_a_pass_is_good_for_three() -> None:
    """An address is easily mistyped."""
    town = Town(is_mail_on=True)
    assert town.post is not None
    town.press()
    shown = town.somebody()
    with pytest.raises(TurnedAwayError):
        await town.sign_up(shown)
    assert town.post.sent == [], "no letter leaves before the work is done"
    ticket = town.joining.admit(shown, town.work(shown), TRACE)
    assert ticket is not None
    for number in range(3):
        assert town.joining.is_pass(ticket)
        assert await town.joining.sign_up(ticket, f"{number}@example.org", "", TRACE) == Written(
            f"{number}@example.org"
        )
    assert not town.joining.is_pass(ticket)
    assert await town.count() == 0
    assert {tried.outcome for tried in town.journal.of(SignUpTried)} == {SignUpOutcome.WAITING}
    town.passwords.close()


async def test_a_letter_weighs_on_the_mode_once_its_link_made_an_account_and_not_before() -> None:
    """Else whoever asks for letters to nobody shuts the door on everybody."""
    town = Town(is_mail_on=True, at_once=1000.0)
    ana, bo = town.somebody(), town.somebody()
    joined = town.joining.registration.joined
    for number in range(60):
        await town.sign_up(town.somebody(), email=f"qzxvkwjp{number}q@mailinator.com")
    assert joined.abuse(None, town.clock()) == Share(0, 0)
    await town.sign_up(ana, email="ana.person@example.org")

    town.joining.confirmed("ana.person@example.org", trace_of(ana))
    town.joining.confirmed("qzxvkwjp7q@mailinator.com", trace_of(bo))
    town.joining.confirmed("qzxvkwjp7q@mailinator.com", trace_of(town.somebody()))
    town.joining.confirmed("written.before@example.org", trace_of(town.somebody()))

    assert joined.abuse(None, town.clock()) == Share(1, 2)
    town.passwords.close()


async def test_whoever_takes_passes_to_waste_letters_slows_the_line_and_does_not_shut_the_door() -> None:
    town = Town(is_mail_on=True)
    assert town.post is not None
    town.post.most = 350
    town.set(RegistrationMode.WAITING_ROOM)
    line = [with_ticket(shown, town.ticket(shown)) for shown in (town.somebody() for _ in range(400))]
    sent: list[int] = []
    for _ in range(120):
        town.wait(10)
        for shown in line:
            while shown.ticket and town.joining.is_pass(shown.ticket):
                await town.joining.sign_up(shown.ticket, f"to{len(town.post.sent)}@example.org", "", TRACE)
            town.joining.look(shown)
        sent.append(len(town.post.sent))
    assert sent[5] > 60, "as many as ever while there are enough"
    assert 1.0 - sent[40] / town.post.most > LETTERS_KEPT + 0.05, "then fewer and fewer"
    assert town.post.budget_left() == pytest.approx(LETTERS_KEPT, abs=0.02), "and nobody where none is left for them"
    assert ModePlan().mail_low < LETTERS_KEPT
    town.post.sent.clear()
    town.wait(10)
    assert any(town.joining.is_pass(shown.ticket) for shown in line), "it goes on by itself"
    town.passwords.close()


@pytest.mark.parametrize("mode", [RegistrationMode.OPEN, *LIMITED[:-1]])
async def test_an_invitation_goes_around_the_line_once(town: Town, mode: RegistrationMode) -> None:
    town.press()
    town.set(mode)
    _, code = await town.usher.invitations.create(None, "ana@example.org")
    assert await town.joining.accept(code, "bo@example.org", PASSWORD, TRACE) is None, "it is for another address"
    with pytest.raises(ValueError, match=r"^password: "):
        await town.joining.accept(code, "ana@example.org", "short", TRACE)
    made = await town.joining.accept(code, "Ana@example.org", PASSWORD, TRACE)
    assert isinstance(made, Made)
    record = town.reputation.register.record(made.signed_in.user.id)
    assert record is not None
    assert record.is_verified, "it came by mail to this very address"
    assert await town.joining.accept(code, "ana@example.org", PASSWORD, TRACE) is None
    assert await town.joining.invited(code) is None


async def test_an_invitation_that_a_member_wrote_for_an_address_proves_nothing(town: Town) -> None:
    """Whoever makes one is shown its link, whomever it is for."""
    member = await town.sessions.clerk.create_user("bo@example.org")
    await town.reputation.vouch(member, is_vouched=True)
    _, code = await town.usher.invitations.create(member, "ana@example.org")
    made = await town.joining.accept(code, "ana@example.org", PASSWORD, TRACE)
    assert isinstance(made, Made)
    record = town.reputation.register.record(made.signed_in.user.id)
    assert record is not None
    assert not record.is_verified


async def test_an_invitation_that_made_no_account_can_be_used_again(town: Town) -> None:
    await town.sessions.clerk.create_user("ana@example.org")
    _, code = await town.usher.invitations.create(None)
    with pytest.raises(EmailTakenError):
        await town.joining.accept(code, "ana@example.org", PASSWORD, TRACE)
    made = await town.joining.accept(code, "bo@example.org", PASSWORD, TRACE)
    assert isinstance(made, Made)
    record = town.reputation.register.record(made.signed_in.user.id)
    assert record is not None
    assert not record.is_verified


# ---------------------------------------------------------------- what is said of it


async def test_the_log_says_what_an_address_says_and_not_the_address(town: Town) -> None:
    await town.sign_up(town.somebody(), email="bluewolf1@Mailinator.com")
    await town.sign_up(town.somebody(), email="blue.wolf22@example.org")
    first, second = town.journal.of(SignUpTried)
    assert (first.disposable, second.disposable) == (True, False)
    assert first.mail_domain == fingerprint("mailinator.com") != second.mail_domain
    assert first.family == second.family
    assert first.name_entropy is not None
    assert 1.0 < first.name_entropy < 6.0
    assert "wolf" not in repr(town.journal.events)


async def test_accounts_that_look_as_if_nobody_were_behind_them_are_counted_for_the_mode(town: Town) -> None:
    town.press()
    for number in range(5):
        shown = town.somebody()
        email = f"qzxvkwjp{number}q@mailinator.com" if number < 3 else f"ana.person{number}@example.org"
        await town.sign_up(shown, town.work(shown), email)
    share = town.joining.registration.joined.abuse(None, town.clock())
    assert (share.hits, share.of) == (3, 5)


async def test_leaving_the_line_gives_the_place_up_and_no_place_is_no_mistake(town: Town) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    shown = town.somebody()
    town.joining.leave(shown)
    ticket = town.ticket(shown)
    assert len(town.joining.room) == 1
    town.joining.leave(with_ticket(shown, ticket))
    assert len(town.joining.room) == 0
    assert town.joining.line_up(with_ticket(shown, ticket), Answer(), TRACE) == ticket, "a place is not had twice"


async def test_it_lets_people_in_by_itself_until_it_is_stopped(town: Town) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    ticket = town.ticket(town.somebody())

    async def sleep(seconds: float) -> None:
        town.clock.advance(seconds)
        if town.joining.is_pass(ticket):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await town.joining.tick_now_and_then(sleep)
