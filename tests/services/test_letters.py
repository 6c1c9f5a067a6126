"""Letters keep within their budgets, lead to this service and nowhere else, and tell nobody who has an account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.mailing import ANA, PASSWORD, SITE, TRACE, PostRoom, fingerprint
from tidegate.core.events import LetterHandled, MailOutcome
from tidegate.core.mail.budgets import Bound, MailBudgets, MailPlan
from tidegate.core.mail.letter import LetterKind


@pytest.fixture
def room() -> Iterator[PostRoom]:
    made = PostRoom()
    yield made
    made.close()


async def test_who_has_no_account_gets_the_link_that_makes_one_and_who_has_one_word_of_it(room: PostRoom) -> None:
    await room.ana()
    await room.letters.confirm_sign_up(" ANA@example.org")
    await room.letters.confirm_sign_up("bob@example.org")
    await room.deliver()

    assert [(letter.kind, letter.recipient) for letter in room.mailer.sent] == [
        (LetterKind.HAVE_ACCOUNT, ANA),
        (LetterKind.CONFIRM, "bob@example.org"),
    ]
    assert all(letter.url.startswith(SITE + "/") for letter in room.mailer.sent)
    assert "//" not in room.mailer.sent[1].url.removeprefix("https://"), "the setting may end with a slash"


async def test_nothing_is_looked_up_or_sent_before_the_request_is_answered(room: PostRoom) -> None:
    """So the answer's time cannot tell who has an account."""
    await room.ana()
    asked: list[str] = []

    store = room.store
    for name in ("user_by_email", "user_with_password"):
        original = getattr(store, name)

        async def watched(email: str, original: object = original) -> object:
            asked.append(email)
            return await original(email)  # type: ignore[operator] # a bound method

        setattr(store, name, watched)
    for email in (ANA, "nobody@example.org"):
        await room.letters.confirm_sign_up(email)
        await room.letters.reset_password(email)
        await room.letters.sign_in_link(email)

    assert asked == []
    assert room.outbox.report().waiting == 0
    await room.deliver()
    assert asked == [ANA] * 3 + ["nobody@example.org"] * 3, "each asks the store once, known or not"


async def test_an_address_that_mail_cannot_go_to_is_refused_whoever_has_it(room: PostRoom) -> None:
    for email in ("a@example.org,b@example.org", "ana", f"{'ö' * 60}@{'.'.join(['ö' * 20] * 8)}.example"):
        with pytest.raises(ValueError, match=r"^email: "):
            await room.letters.confirm_sign_up(email)

    assert room.later == []


async def test_a_flood_of_addresses_asks_the_store_for_no_more_than_letters_are_left_for() -> None:
    room = PostRoom(plan=MailPlan(per_hour=10, per_day=10, reserve=0.5, domain_part=1.0))
    asked = 0
    original = room.store.user_by_email

    async def counted(email: str) -> object:
        nonlocal asked
        asked += 1
        return await original(email)

    room.store.user_by_email = counted  # type: ignore[method-assign,assignment] # the same, counted
    for number in range(50):
        await room.letters.confirm_sign_up(f"p{number}@d{number}.example")
    await room.deliver()

    assert asked == len(room.mailer.sent) == 5
    withheld = [event for event in room.journal.of(LetterHandled) if event.outcome is MailOutcome.WITHHELD]
    assert {event.bound for event in withheld} == {Bound.STRANGERS}
    assert withheld[0].mail_domain == fingerprint("d5.example")
    assert room.letters.budget_left() == 0.0
    room.close()


async def test_nobody_is_bombed_and_asking_for_unknown_addresses_uses_up_nothing(room: PostRoom) -> None:
    await room.ana()
    for _ in range(10):
        await room.letters.reset_password(ANA)
        await room.letters.reset_password("nobody@example.org")
        await room.letters.confirm_sign_up(ANA)
    await room.deliver()

    assert room.kinds().count(LetterKind.RESET) == 3
    assert room.kinds().count(LetterKind.HAVE_ACCOUNT) == 3
    assert set(room.outcomes()) == {MailOutcome.SENT, MailOutcome.WITHHELD}
    assert {letter.recipient for letter in room.mailer.sent} == {ANA}


async def test_who_asks_from_one_network_for_everybodys_links_leaves_some_to_others(room: PostRoom) -> None:
    room.letters.budgets = MailBudgets(MailPlan(per_hour=40, network_part=0.05))
    people = [await room.clerk.create_user(f"p{number}@example.org", password=PASSWORD) for number in range(6)]
    for person in people:
        await room.letters.reset_password(person.email, "here")
        await room.letters.sign_in_link(person.email, "here")
    await room.deliver()

    assert len(room.mailer.sent) == 3
    withheld = [event for event in room.journal.of(LetterHandled) if event.outcome is MailOutcome.WITHHELD]
    assert {event.bound for event in withheld} == {Bound.NETWORK}
    await room.letters.reset_password(people[-1].email, "there")
    await room.deliver()
    assert room.mailer.sent[-1].recipient == people[-1].email


async def test_letters_that_other_parts_write_keep_within_the_same_budgets(room: PostRoom) -> None:
    user = await room.ana()
    assert room.letters.invite("Bob@example.org", f"{SITE}/join/abc", 3600.0)
    assert room.letters.turn_came("cat@example.org", f"{SITE}/join/def")
    assert room.letters.new_device(user)
    assert room.letters.password_changed(user)
    await room.deliver()

    assert room.kinds() == [
        LetterKind.NEW_DEVICE,
        LetterKind.PASSWORD_CHANGED,
        LetterKind.INVITATION,
        LetterKind.TURN_CAME,
    ]
    assert "12 January 1970, 13:46 UTC" in room.mailer.sent[0].text()
    assert "12 January 1970, 14:46 UTC" in room.mailer.sent[2].text()
    assert [room.letters.turn_came("cat@example.org", SITE) for _ in range(3)] == [True, True, False]
    for write in (room.letters.invite, room.letters.turn_came):
        with pytest.raises(ValueError, match=r"^email: "):
            write("no address", SITE, 3600.0)


async def test_an_account_whose_name_is_no_mail_address_gets_no_letter_and_breaks_nothing(room: PostRoom) -> None:
    user = await room.clerk.create_user('"a b"@exa_mple.org'.replace(" ", ""), password=PASSWORD)
    assert not room.letters.new_device(user)
    await room.letters.reset_password(user.email)
    await room.letters.reset_password("no address at all")
    await room.deliver()

    assert room.mailer.sent == []


async def test_without_mail_nothing_is_sent_and_everybody_can_ask_whether() -> None:
    room = PostRoom(is_on=False)
    user = await room.ana()
    await room.letters.confirm_sign_up("bob@example.org")

    assert not room.letters.is_on
    assert room.letters.budget_left() is None
    assert not room.letters.new_device(user)
    await room.deliver()
    assert room.mailer.sent == []
    assert room.letters.verified_share(room.clock()) == (1.0, 0)
    room.close()


async def test_the_share_of_confirmed_addresses_counts_what_was_sent_and_answered(room: PostRoom) -> None:
    for number in range(4):
        await room.letters.confirm_sign_up(f"p{number}@example.org")
    token = await room.token()
    await room.letters.confirm_sign_up("zoe@example.org")
    room.clock.advance(60.0)
    await room.verification.finish(token, PASSWORD, TRACE)
    room.clock.advance(600.0)

    assert room.letters.verified_share(room.clock()) == (0.25, 4), "a letter that is not handed over does not count"
    await room.deliver()
    room.clock.advance(360.0)
    assert room.letters.verified_share(room.clock()) == (0.2, 5)
