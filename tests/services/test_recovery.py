"""A letter gives a new password, a sign-in or an end to all sessions: once, to whoever reads it, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.services.mailing import ANA, KEYS, NEW_PASSWORD, PASSWORD, SITE, TRACE, PostRoom
from tidegate.core.accounts import Role
from tidegate.core.credentials import Kind
from tidegate.core.events import AccountChanged, LoginOutcome, LoginTried, Tag
from tidegate.core.identifiers import UserId
from tidegate.core.mail import links
from tidegate.core.mail.budgets import DAY_S, MailPlan
from tidegate.core.mail.letter import LetterKind
from tidegate.core.mail.links import LASTS_S, Broken, Purpose
from tidegate.services.recovery import Recovery
from tidegate.services.sessions import WrongCredentialsError
from tidegate.services.verification import LinkInvalidError


@pytest.fixture
def room() -> Iterator[PostRoom]:
    made = PostRoom()
    yield made
    made.close()


def for_nobody(room: PostRoom, purpose: Purpose) -> str:
    """A link that is genuine, to an account that is no more."""
    return links.write(purpose, UserId.of(b"somebody").entropy, links.binding_of("", KEYS), KEYS, room.clock())


# An account whose address nobody has proved


async def test_who_made_an_account_with_anothers_address_has_nothing_of_it_once_a_letter_was_answered(
    room: PostRoom,
) -> None:
    """A link that signed in would put its reader beside whoever made it, who knows the password."""
    made, planted = await room.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    key = await room.clerk.create_key(ANA, "planted")
    room.letters.new_device(made.user)
    await room.letters.sign_in_link(ANA)
    token = await room.token()
    assert room.kinds()[-1] is LetterKind.RESET
    with pytest.raises(LinkInvalidError):
        await room.recovery.signing_in(token)

    await room.recovery.reset(token, NEW_PASSWORD, TRACE)

    assert await room.sessions.find(planted) is None
    with pytest.raises(WrongCredentialsError):
        await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    (kept,) = await room.clerk.keys(ANA)
    assert (kept.id, kept.revoked_at_s) == (key.key.id, room.clock())
    await room.letters.sign_in_link(ANA)
    await room.deliver()
    assert room.kinds()[-1] is LetterKind.SIGN_IN_LINK, "from now on it is its reader's"


async def test_keys_of_an_account_whose_address_is_proved_stay_with_a_new_password(room: PostRoom) -> None:
    await room.ana()
    await room.clerk.create_key(ANA, "a program's")
    await room.letters.reset_password(ANA)
    await room.recovery.reset(await room.token(), NEW_PASSWORD, TRACE)

    (kept,) = await room.clerk.keys(ANA)
    assert kept.revoked_at_s is None


async def test_a_proof_is_remembered_of_an_account_that_memory_has_forgotten(room: PostRoom) -> None:
    user = await room.ana()
    await room.letters.reset_password(ANA)
    await room.recovery.reset(await room.token(), NEW_PASSWORD, TRACE)

    record = room.clerk.reputation.register.record(user.id)
    assert record is not None
    assert record.is_verified


# A new password


async def test_a_reset_replaces_the_password_ends_all_sessions_begins_one_and_is_told(room: PostRoom) -> None:
    user = await room.ana()
    before, old_text = await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    await room.letters.reset_password(ANA)
    token = await room.token()
    assert (await room.recovery.resetting(token)) == user
    assert await room.sessions.find(old_text) is not None, "opening the link changes nothing"

    signed_in, text = await room.recovery.reset(token, NEW_PASSWORD, TRACE)

    assert await room.sessions.find(text) == signed_in
    assert await room.sessions.find(old_text) is None
    assert room.ended == [before.session.id]
    with pytest.raises(WrongCredentialsError):
        await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    await room.sessions.sign_in(ANA, NEW_PASSWORD, TRACE)
    await room.deliver()
    assert room.kinds() == [LetterKind.RESET, LetterKind.PASSWORD_CHANGED]
    assert Tag.ACCOUNT_PASSWORD_CHANGED in [event.event for event in room.journal.of(AccountChanged)]
    record = room.clerk.reputation.register.record(user.id)
    assert record is None or record.is_verified


async def test_a_reset_works_once_also_when_it_is_used_twice_at_once(room: PostRoom) -> None:
    await room.ana()
    await room.letters.reset_password(ANA)
    token = await room.token()
    made = await asyncio.gather(
        *(room.recovery.reset(token, f"{NEW_PASSWORD} {number}", TRACE) for number in range(3)), return_exceptions=True
    )

    refused = [one for one in made if isinstance(one, LinkInvalidError)]
    assert len(refused) == 2
    assert {one.why for one in refused} == {Broken.USED}
    with pytest.raises(LinkInvalidError):
        await room.recovery.resetting(token)


async def test_older_letters_end_with_the_password_that_they_were_written_under(room: PostRoom) -> None:
    await room.ana()
    await room.letters.reset_password(ANA)
    token = await room.token()
    await room.clerk.set_password(ANA, NEW_PASSWORD)

    with pytest.raises(LinkInvalidError) as refused:
        await room.recovery.reset(token, "yet another one, surely", TRACE)
    assert refused.value.why is Broken.USED


async def test_an_account_without_a_password_gets_its_first_one(room: PostRoom) -> None:
    await room.ana(password=None)
    await room.letters.reset_password(ANA)
    token = await room.token()
    await room.recovery.reset(token, NEW_PASSWORD, TRACE)

    await room.sessions.sign_in(ANA, NEW_PASSWORD, TRACE)
    with pytest.raises(LinkInvalidError):
        await room.recovery.reset(token, PASSWORD, TRACE)


async def test_a_password_that_is_no_good_leaves_the_link_good(room: PostRoom) -> None:
    await room.ana()
    await room.letters.reset_password(ANA)
    token = await room.token()

    with pytest.raises(ValueError, match=r"^password: "):
        await room.recovery.reset(token, "short", TRACE)
    await room.recovery.reset(token, NEW_PASSWORD, TRACE)


async def test_a_reset_ends(room: PostRoom) -> None:
    await room.ana()
    await room.letters.reset_password(ANA)
    token = await room.token()
    room.clock.advance(LASTS_S[Purpose.RESET])

    with pytest.raises(LinkInvalidError) as refused:
        await room.recovery.reset(token, NEW_PASSWORD, TRACE)
    assert refused.value.why is Broken.EXPIRED


async def test_a_forgery_is_turned_away_before_the_store_is_asked(room: PostRoom) -> None:
    async def never(_: object) -> None:
        pytest.fail("the store was asked")

    for name in ("user", "user_with_password", "user_by_email"):
        setattr(room.store, name, never)
    for use in (room.recovery.resetting, room.recovery.signing_in, room.recovery.ending, room.recovery.end_sessions):
        with pytest.raises(LinkInvalidError):
            await use("A" * 100)


async def test_a_link_to_an_account_that_is_no_more_does_nothing(room: PostRoom) -> None:
    for use, purpose in (
        (room.recovery.resetting, Purpose.RESET),
        (room.recovery.signing_in, Purpose.SIGN_IN),
        (room.recovery.end_sessions, Purpose.END_SESSIONS),
    ):
        with pytest.raises(LinkInvalidError):
            await use(for_nobody(room, purpose))


async def test_whoever_uses_up_the_letters_of_a_day_leaves_a_link_that_works_until_there_are_others(
    room: PostRoom,
) -> None:
    """Else six requests a day would keep anybody from ever choosing a new password."""
    await room.ana()
    for _ in range(2):
        for _ in range(5):
            await room.letters.reset_password(ANA)
            await room.letters.sign_in_link(ANA)
            await room.deliver()
        room.clock.advance(3600.0)
    resets = [letter for letter in room.mailer.sent if letter.kind is LetterKind.RESET]
    assert len(resets) == 6
    newest = resets[-1]
    assert "for 23 hours. Keep it" in newest.text()
    room.clock.advance(21 * 3600.0)
    await room.letters.reset_password(ANA)
    await room.deliver()
    assert len([letter for letter in room.mailer.sent if letter.kind is LetterKind.RESET]) == 6

    _, text = await room.recovery.reset(newest.url.rsplit("/", 1)[1], NEW_PASSWORD, TRACE)

    assert await room.sessions.find(text) is not None


# A sign-in


async def test_a_link_signs_in_once_and_the_log_knows(room: PostRoom) -> None:
    user = await room.ana()
    await room.letters.sign_in_link(ANA)
    token = await room.token()
    assert await room.recovery.signing_in(token) == user
    made = await asyncio.gather(*(room.recovery.sign_in(token, TRACE) for _ in range(3)), return_exceptions=True)

    good = [one for one in made if not isinstance(one, BaseException)]
    assert len(good) == 1
    assert await room.sessions.find(good[0][1]) is not None
    with pytest.raises(LinkInvalidError) as refused:
        await room.recovery.signing_in(token)
    assert refused.value.why is Broken.USED
    assert [event.outcome for event in room.journal.of(LoginTried)] == [LoginOutcome.OK]


async def test_a_used_link_stays_used_after_signing_out_and_is_forgotten_a_day_after_it_has_run_out(
    room: PostRoom,
) -> None:
    await room.ana()
    await room.letters.sign_in_link(ANA)
    token = await room.token()
    signed_in, _ = await room.recovery.sign_in(token, TRACE)
    await room.sessions.sign_out(signed_in)
    with pytest.raises(LinkInvalidError):
        await room.recovery.sign_in(token, TRACE)
    room.clock.advance(LASTS_S[Purpose.SIGN_IN] + DAY_S)
    await room.letters.sign_in_link(ANA)
    await room.recovery.sign_in(await room.token(), TRACE)

    assert len(room.recovery._used) == 1


async def test_a_clock_that_is_set_forward_and_back_opens_no_used_link_again(room: PostRoom) -> None:
    await room.ana()
    await room.letters.sign_in_link(ANA)
    used = await room.token()
    await room.recovery.sign_in(used, TRACE)
    room.clock.advance(3600.0)
    await room.letters.sign_in_link(ANA)
    await room.recovery.sign_in(await room.token(), TRACE)
    room.clock.advance(-3600.0)

    with pytest.raises(LinkInvalidError):
        await room.recovery.sign_in(used, TRACE)


async def test_links_that_sign_in_end_with_the_process_and_with_the_password(room: PostRoom) -> None:
    """Which of them were used is remembered in memory: another process must take none of them."""
    await room.ana()
    await room.letters.sign_in_link(ANA)
    token = await room.token()
    restarted = Recovery(room.sessions, room.a_start(MailPlan()))
    with pytest.raises(LinkInvalidError):
        await restarted.sign_in(token, TRACE)
    await room.clerk.set_password(ANA, NEW_PASSWORD)

    with pytest.raises(LinkInvalidError):
        await room.recovery.sign_in(token, TRACE)


async def test_a_password_that_is_changed_in_the_same_moment_wins(room: PostRoom) -> None:
    user = await room.ana()
    await room.letters.sign_in_link(ANA)
    token = await room.token()
    original = room.store.add_session

    async def late(*given: object, **named: object) -> object:
        await room.store.set_password_hash(user.id, "another")
        return await original(*given, **named)  # type: ignore[arg-type] # as it was called

    room.store.add_session = late  # type: ignore[method-assign,assignment] # the same, later
    with pytest.raises(LinkInvalidError) as refused:
        await room.recovery.sign_in(token, TRACE)
    assert refused.value.why is Broken.USED


async def test_no_link_and_no_credential_passes_for_another(room: PostRoom) -> None:
    user = await room.ana()
    _, session = await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    tokens = {}
    await room.letters.reset_password(ANA)
    tokens[Purpose.RESET] = await room.token()
    await room.letters.sign_in_link(ANA)
    tokens[Purpose.SIGN_IN] = await room.token()
    assert room.letters.new_device(user)
    tokens[Purpose.END_SESSIONS] = await room.token()
    uses = {
        Purpose.RESET: room.recovery.resetting,
        Purpose.SIGN_IN: room.recovery.signing_in,
        Purpose.END_SESSIONS: room.recovery.ending,
    }
    for purpose, use in uses.items():
        assert await use(tokens[purpose]) == user
        for other in (*(token for one, token in tokens.items() if one is not purpose), session, Kind.SESSION):
            with pytest.raises(LinkInvalidError):
                await use(other)


# An end to all sessions


async def test_it_was_not_me_ends_every_session_and_may_be_said_twice(room: PostRoom) -> None:
    user = await room.ana()
    _, text = await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    assert room.letters.new_device(user)
    token = await room.token()
    assert room.mailer.sent[-1].url.startswith(f"{SITE}/sessions/end/")
    assert await room.recovery.ending(token) == user
    assert await room.sessions.find(text) is not None

    assert await room.recovery.end_sessions(token) == user
    assert await room.sessions.find(text) is None
    assert await room.recovery.end_sessions(token) == user
    told = [event.event for event in room.journal.of(AccountChanged)]
    assert told.count(Tag.ACCOUNT_SESSIONS_ENDED) == 1
    assert len(room.ended) == 1
