"""Inviting people on one's own page, answering on the operators' those who asked, and saying that an account is new."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.http.browsing import PASSWORD, Browser, House, assert_blamed, text
from tidegate.core.accounts import Role, User
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.probation import Probation, ProbationPlan
from tidegate.core.registration.requests import RequestKind
from tidegate.core.standing.classes import Standing
from tidegate.services.join_requests import Approved
from tidegate.testing.standing import a_record

ANA = "ana@example.org"
BO = "bo@example.org"
LINK = re.compile(r"https?://tide\.example/invitation/(tg_invt_[0-9a-z]{79})")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


async def _signed_in(house: House, email: str, role: Role = Role.USER, standing: Standing | None = None) -> Browser:
    user = await house.clerk.create_user(email, role, password=PASSWORD)
    if standing is not None:
        house.clerk.reputation.register.change(a_record(user.id, standing, house.clock()))
    browser = Browser(house)
    visit = await browser.submit("/sign-in", {"email": email, "password": PASSWORD})
    assert visit.status == 303
    return browser


async def _user(house: House, email: str) -> User:
    user = await house.accounts.user_by_email(email)
    assert user is not None
    return user


async def test_a_known_person_makes_shows_and_revokes_an_invitation(house: House) -> None:
    """Its text stands on the page that answers, and nowhere afterwards."""
    ana = await _signed_in(house, ANA, standing=Standing.ESTABLISHED)
    assert "You can make 3 more: 3 in 30 days." in text(await ana.get("/account"))

    made = await ana.post("/account/invites", {"email": BO})
    found = LINK.search(made.body.decode())
    assert found is not None
    assert f"Send it to {BO}" in text(made)
    invite = await house.usher.invitations.look(found[1])
    assert invite is not None
    page = await ana.get("/account")
    assert f"For {BO} open" in text(page)
    assert "You can make 2 more" in text(page)
    assert found[1] not in page.body.decode()

    gone = await ana.post(f"/account/invites/{invite.id}/revoke")
    assert (gone.status, gone.headers["location"]) == (303, "/account?done=invite#invites")
    assert f"For {BO} revoked" in text(await ana.get("/account?done=invite"))
    assert await house.usher.invitations.look(found[1]) is None
    again = await ana.post(f"/account/invites/{invite.id}/revoke")
    assert again.status == 404


async def test_newcomers_see_nothing_of_invitations_and_make_none(house: House) -> None:
    """Also when they know the address of the form."""
    ana = await _signed_in(house, ANA, standing=Standing.NEWCOMER)

    assert "Invite people" not in text(await ana.get("/account"))
    refused = await ana.post("/account/invites", {"email": ""})
    assert refused.status == 400
    assert await house.usher.invitations.listed() == []


async def test_when_none_is_left_the_page_says_so(house: House) -> None:
    """And has no form for more."""
    ana = await _signed_in(house, ANA, standing=Standing.ESTABLISHED)
    user = await _user(house, ANA)
    for _ in range(3):
        await house.usher.invitations.create(user)

    page = await ana.get("/account")
    refused = await ana.post("/account/invites", {})

    assert "You have made as many as you may in 30 days." in text(page)
    assert 'action="/account/invites"' not in page.body.decode()
    assert refused.status == 400
    assert "You can make no more invitations for now." in text(refused)


async def test_a_wrong_address_is_said_beside_its_field(house: House) -> None:
    """What was typed stands there still."""
    olga = await _signed_in(house, "olga@example.org", Role.OPERATOR)
    await olga.get("/account")

    visit = await olga.post("/account/invites", {"email": "nonsense"})

    assert visit.status == 400
    assert_blamed(visit, "email", "Expected an address such as ana@example.org.")
    assert 'value="nonsense"' in visit.body.decode()


async def test_nobody_ends_anothers_invitation(house: House) -> None:
    """It does not exist for them; nor does what is no id."""
    ana = await _signed_in(house, ANA, standing=Standing.ESTABLISHED)
    invite, text_of_it = await house.usher.invitations.create(None)
    await ana.get("/account")

    for name in (invite.id, "nonsense"):
        assert (await ana.post(f"/account/invites/{name}/revoke")).status == 404
    assert await house.usher.invitations.look(text_of_it) == invite


async def test_operators_let_people_in_and_see_their_links_once(house: House) -> None:
    """One by one, where no mail is sent."""
    olga = await _signed_in(house, "olga@example.org", Role.OPERATOR)
    assert "Asked to be let in" not in text(await olga.get("/people"))
    await house.usher.requests.leave(BO, RequestKind.APPROVAL, note="I teach <b>physics</b>")
    await house.usher.requests.leave("cy@example.org", RequestKind.WAITING)
    page = await olga.get("/people")
    assert f"{BO} I teach <b>physics</b> Asked" in text(page)
    assert "1 left an address" in text(page)
    ((waiting,),) = [await house.usher.requests.listed()]

    answered = await olga.post("/people/requests", {"id": waiting.request.id, "answer": "approve"})

    found = LINK.search(answered.body.decode())
    assert found is not None
    invite = await house.usher.invitations.look(found[1])
    assert invite is not None
    assert invite.email == BO
    assert "Nobody of those waits" in text(
        await olga.post("/people/requests", {"id": waiting.request.id, "answer": "approve"})
    )
    assert LINK.search((await olga.get("/people")).body.decode()) is None


async def test_where_mail_is_sent_no_link_is_shown(house: House) -> None:
    """Whoever could not be mailed stands there with the link."""
    sent: list[str] = []

    async def deliver(approved: Approved) -> bool:
        sent.append(approved.email)
        return approved.email == BO

    house.usher = msgspec.structs.replace(house.usher, deliver=deliver)
    await house.open()
    olga = await _signed_in(house, "olga@example.org", Role.OPERATOR)
    for email in (BO, "cy@example.org"):
        await house.usher.requests.leave(email, RequestKind.APPROVAL)
    await olga.get("/people")

    page = text(await olga.post("/people/requests", {"domain": "example.org", "answer": "approve"}))

    assert sorted(sent) == [BO, "cy@example.org"]
    assert f"{BO} was sent an invitation by mail" in page
    assert page.count("/invitation/") == 1


async def test_many_are_refused_at_once_and_without_a_choice_nobody_is(house: House) -> None:
    """An empty form must not answer everybody."""
    olga = await _signed_in(house, "olga@example.org", Role.OPERATOR)
    for email in (BO, "cy@example.org", "dan@other.example"):
        await house.usher.requests.leave(email, RequestKind.APPROVAL)
    await olga.get("/people")

    nothing = await olga.post("/people/requests", {"domain": "", "net": "", "answer": "approve"})
    junk = await olga.post("/people/requests", {"net": "nonsense", "answer": "refuse"})
    refused = await olga.post("/people/requests", {"domain": "Example.ORG", "answer": "refuse"})

    assert (nothing.status, junk.status, refused.status) == (400, 400, 200)
    assert "Say which: ids, a domain, or a network." in text(nothing)
    assert "Refused: 2." in text(refused)
    assert [one.request.email for one in await house.usher.requests.listed()] == ["dan@other.example"]


async def test_a_new_account_is_told_its_limit_and_that_it_is_not_for_ever(house: House) -> None:
    """Whoever signed up themselves; half of it while nobody proved the address."""
    register = house.clerk.reputation.register
    house.quotas.ledger.probation = Probation(register, ProbationPlan(tokens=1000, days=3.0))
    ana = await Browser(house).sign_up(ANA)
    bo = await _signed_in(house, BO)

    hers, his = text(await ana.get("/account")), text(await bo.get("/account"))

    assert "This day: 0 of 500 tokens used" in hers
    assert "Your account is new" in hers
    assert "Your account is new" not in his


async def test_a_good_invitation_is_not_called_used_while_registration_is_closed(house: House) -> None:
    """Whoever has one is told to keep it; whether it is good is not told. Afterwards it works."""
    browser, room = Browser(house), house.joining.registration
    _, code = await house.usher.invitations.create(None, None)
    room.override(RegistrationMode.CLOSED, 3600.0)
    told = [await browser.get(f"/invitation/{one}") for one in (code, "tg_invt_" + "0" * 79)]
    assert [page.status for page in told] == [403, 403]
    assert all("Keep the link" in text(page) and "was used" not in text(page) for page in told)
    assert "With an invitation" not in text(await browser.get("/sign-up"))

    room.override(RegistrationMode.INVITE, 3600.0)
    assert "With an invitation nobody has to wait" in text(await browser.get("/sign-up"))
    assert "Create my account" in text(await browser.get(f"/invitation/{code}"))
    room.override(RegistrationMode.CLOSED, 3600.0)
    late = await browser.post(f"/invitation/{code}", {"email": BO, "password": PASSWORD})
    assert (late.status, "Keep the link" in text(late)) == (403, True)

    room.release()
    made = await browser.submit(f"/invitation/{code}", {"email": BO, "password": PASSWORD})
    assert (made.status, made.headers["location"]) == (303, "/chat")
    assert "This invitation was used" in text(await browser.get(f"/invitation/{code}"))
