"""There is no account before its owner has read the letter; then there is one, and it is known to be theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.mailing import ANA, NEW_PASSWORD, PASSWORD, TRACE, PostRoom, fingerprint
from tidegate.core.events import AddressVerified, VerifyOutcome
from tidegate.core.mail.links import Broken
from tidegate.core.reasons import Reason
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.verification import LinkInvalidError


@pytest.fixture
def room() -> Iterator[PostRoom]:
    made = PostRoom()
    yield made
    made.close()


async def test_the_link_makes_the_account_verified_and_signed_in_and_the_log_says_how_long_it_took(
    room: PostRoom,
) -> None:
    await room.letters.confirm_sign_up(ANA)
    token = await room.token()
    assert await room.store.users() == [], "no account, and no password, before the link is used"
    assert room.verification.read(token).email == ANA
    assert await room.store.users() == [], "opening it changes nothing"
    room.clock.advance(90.0)

    signed_in, text = await room.verification.finish(token, PASSWORD, TRACE)

    assert await room.sessions.find(text) == signed_in
    record = room.clerk.reputation.register.record(signed_in.user.id)
    assert record is not None
    assert record.is_verified
    assert record.cohort == f"net:{TRACE.net}"
    (event,) = room.journal.of(AddressVerified)
    assert (event.outcome, event.latency_s, event.acct) == (VerifyOutcome.OK, 90.0, fingerprint(signed_in.user.id))
    assert event.mail_domain == fingerprint("example.org")


async def test_a_second_use_makes_nothing_and_changes_no_password(room: PostRoom) -> None:
    await room.letters.confirm_sign_up(ANA)
    token = await room.token()
    await room.verification.finish(token, PASSWORD, TRACE)

    with pytest.raises(EmailTakenError):
        await room.verification.finish(token, NEW_PASSWORD, TRACE)
    assert len(await room.store.users()) == 1
    await room.sessions.sign_in(ANA, PASSWORD, TRACE)
    last = room.journal.of(AddressVerified)[-1]
    assert (last.outcome, last.reason) == (VerifyOutcome.REFUSED, Reason.EMAIL_TAKEN)


@pytest.mark.parametrize(("after_s", "changed", "why"), [(24 * 3600.0, "", Broken.EXPIRED), (0.0, "x", Broken.FORGED)])
async def test_a_link_that_is_too_old_or_was_changed_makes_nothing(
    room: PostRoom, after_s: float, changed: str, why: Broken
) -> None:
    await room.letters.confirm_sign_up(ANA)
    token = changed + await room.token()
    room.clock.advance(after_s)

    with pytest.raises(LinkInvalidError) as refused:
        await room.verification.finish(token, PASSWORD, TRACE)
    assert refused.value.why is why
    with pytest.raises(LinkInvalidError):
        room.verification.read(token)
    assert await room.store.users() == []
    assert room.journal.of(AddressVerified)[-1].reason is Reason.LINK_INVALID


async def test_a_password_that_is_no_good_leaves_the_link_good(room: PostRoom) -> None:
    await room.letters.confirm_sign_up(ANA)
    token = await room.token()

    with pytest.raises(ValueError, match=r"^password: "):
        await room.verification.finish(token, "short", TRACE)
    await room.verification.finish(token, PASSWORD, TRACE)
