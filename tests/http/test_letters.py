"""What people do with letters, by forms alone: sign up, choose a new password, sign in, end all sessions."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import pytest

from tests.hashing import CHEAP
from tests.http.asgi import Visit
from tests.http.browsing import PASSWORD, Browser, House, assert_blamed, field_tag, reason_told, text
from tests.http.conftest import fingerprint
from tests.newcomers import a_joining
from tidegate.core.events import SignUpTried
from tidegate.core.mail.budgets import MailBudgets, MailPlan
from tidegate.core.mail.letter import LetterKind
from tidegate.core.mail.links import LASTS_S, Purpose
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http.accounts.room import Mail
from tidegate.services.asking import Asking
from tidegate.services.letters import Letters
from tidegate.services.outbox import Outbox
from tidegate.services.passwords import PasswordLane, PasswordsBusyError
from tidegate.testing.mail import MemoryMailer

ANA, NEW_PASSWORD = "ana@example.org", "and the moon pulls on"


class PostHouse(House):
    """Where letters are sent, to a mailer that keeps them."""

    def __init__(self, *, sign_up: RegistrationMode = RegistrationMode.OPEN) -> None:
        super().__init__(sign_up=sign_up, hasher=CHEAP)
        self.mailer = MemoryMailer()
        self.outbox = Outbox(self.mailer, self.journal, fingerprint, self.clock)
        self.letters = Letters(
            self.clerk, self.outbox, MailBudgets(MailPlan()), "https://tide.example", self._run_later
        )
        self.mail = Mail.of(self.letters, self.sessions)
        self.joining = a_joining(
            self.sessions, self.clock, letters=self.letters, invitations=self.usher.invitations, floor=sign_up
        )
        self.asking = Asking(self.joining, self.usher.requests, self.letters, self.clock)

    async def link(self) -> str:
        """The path of the link in the letter that arrives last."""
        await self.finish_later()
        while await self.outbox.step():
            pass
        return urlsplit(self.mailer.sent[-1].url).path

    async def ana(self) -> Browser:
        """Signed up by letter, and signed in."""
        browser = Browser(self)
        await browser.submit("/sign-up", {"email": ANA})
        path = await self.link()
        visit = await browser.submit(path, {"password": PASSWORD})
        assert (visit.status, visit.headers["location"]) == (303, "/chat"), visit.body
        return browser


@pytest.fixture
async def house() -> AsyncIterator[PostHouse]:
    made = PostHouse()
    await made.open()
    yield made
    await made.close()


# Bounds


@pytest.mark.parametrize("path", ["/forgot", "/sign-in/letter"])
async def test_one_network_has_a_part_of_the_links_only(house: PostHouse, path: str) -> None:
    house.letters.budgets = MailBudgets(MailPlan(per_hour=40))
    people = [await house.clerk.create_user(f"p{number}@example.org", password=PASSWORD) for number in range(5)]
    for person in people:
        visit = await Browser(house).submit(path, {"email": person.email}, "/forgot")
        assert visit.status == 200
    await house.link()
    assert len(house.mailer.sent) == 3


# Signing up


async def test_who_signs_up_is_asked_for_an_address_only_and_told_to_look_into_their_mail(house: PostHouse) -> None:
    browser = Browser(house)
    page = await browser.get("/sign-up")
    assert 'name="password"' not in page.body.decode()

    visit = await browser.post("/sign-up", {"email": f" {ANA} "})

    assert visit.status == 200
    assert f"A letter is on its way to {ANA} ." in text(visit)
    assert visit.headers["cache-control"] == "no-store"
    assert await house.accounts.users() == []


async def test_the_link_shows_a_form_and_only_the_form_makes_the_account(house: PostHouse) -> None:
    """Programs that look through mail open every link."""
    browser = Browser(house)
    await browser.submit("/sign-up", {"email": ANA})
    path = await house.link()
    await browser.get(path)
    page = await browser.get(path)
    assert page.status == 200
    assert f'value="{ANA}"' in page.body.decode()
    assert await house.accounts.users() == []

    visit = await browser.post(path, {"password": PASSWORD})

    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert ANA in text(await browser.get("/account"))


async def test_the_answer_is_the_same_byte_for_byte_for_known_and_unknown_addresses(house: PostHouse) -> None:
    await house.ana()
    for path in ("/sign-up", "/forgot"):
        seen = []
        for email in (ANA, "zoe@example.org"):
            visit = await Browser(house).submit(path, {"email": email})
            body = visit.body.decode().replace(email, "somebody")
            headers = {
                name: value for name, value in visit.headers.items() if name not in {"x-request-id", "content-length"}
            }
            seen.append((visit.status, body, headers))
        assert seen[0] == seen[1]
    assert house.journal.of(SignUpTried)[-1].reason is None, "nothing was told of the second asking"


async def test_the_answer_is_the_same_when_no_letter_is_left(house: PostHouse) -> None:
    answers = set()
    for _ in range(6):
        visit = await Browser(house).submit("/forgot", {"email": ANA})
        answers.add((visit.status, visit.body))
    assert len(answers) == 1


async def test_an_address_that_mail_cannot_go_to_is_blamed(house: PostHouse) -> None:
    visit = await Browser(house).submit("/sign-up", {"email": "a@example.org,b@example.org"})

    assert visit.status == 400
    assert_blamed(visit, "email", "Mail cannot be sent to this address; expected one such as ana@example.org.")
    assert reason_told(house) is Reason.INVALID_VALUE
    visit = await Browser(house).submit("/forgot", {"email": "ana"})
    assert visit.status == 400
    assert_blamed(visit, "email", "Expected an address such as ana@example.org.")


async def test_a_password_that_is_no_good_is_blamed_and_the_form_shown_again(house: PostHouse) -> None:
    browser = Browser(house)
    await browser.submit("/sign-up", {"email": ANA})
    path = await house.link()
    visit = await browser.submit(path, {"password": "short"})

    assert visit.status == 400
    assert "Between 15 and 1024 characters" in text(visit)
    assert "value=" not in field_tag(visit, "password")
    assert (await browser.post(path, {"password": PASSWORD})).status == 303


async def test_a_link_that_was_used_leads_to_signing_in(house: PostHouse) -> None:
    browser = Browser(house)
    await browser.submit("/sign-up", {"email": ANA})
    path = await house.link()
    await browser.submit(path, {"password": PASSWORD})
    late = Browser(house)
    await late.get("/sign-in")

    for visit in (await late.get(path), await late.post(path, {"password": NEW_PASSWORD})):
        assert visit.status == 409
        assert 'href="/sign-in"' in visit.body.decode()
        assert "There is an account already" in text(visit)
        assert "the link was used" in text(visit)
        assert ANA not in visit.body.decode()
    assert reason_told(house) is Reason.EMAIL_TAKEN


async def test_a_used_link_to_a_new_password_or_into_an_account_leads_to_signing_in(house: PostHouse) -> None:
    await house.ana()
    for ask, form in (
        (house.letters.sign_in_link, {}),
        (house.letters.reset_password, {"password": NEW_PASSWORD}),
    ):
        await ask(ANA)
        path = await house.link()
        assert (await Browser(house).submit(path, form)).status == 303
        late = Browser(house)
        await late.get("/sign-in")
        for visit in (await late.get(path), await late.post(path, {"password": PASSWORD})):
            assert visit.status == 410
            assert "used already" in text(visit)
            assert 'class="button second" href="/sign-in"' in visit.body.decode()
            assert ANA not in visit.body.decode()


async def test_a_letter_that_was_sent_counts_also_when_registration_was_closed_since() -> None:
    """Nobody who was let in is sent back by a mode; but no other letter is sent."""
    house = PostHouse()
    await house.open()
    browser = Browser(house)
    await browser.submit("/sign-up", {"email": ANA})
    path = await house.link()
    house.joining.registration.override(RegistrationMode.CLOSED, 3600.0)

    assert (await browser.post("/sign-up", {"email": "bo@example.org"})).status == 403
    assert (await browser.submit(path, {"password": PASSWORD})).headers["location"] == "/chat"
    assert [user.email for user in await house.accounts.users()] == [ANA]
    assert len(house.mailer.sent) == 1
    await house.close()


# Links that do not work


@pytest.mark.parametrize("path", ["/sign-up/confirm/", "/reset/", "/sign-in/link/", "/sessions/end/"])
async def test_a_link_that_does_not_work_says_why_and_where_to_get_another(house: PostHouse, path: str) -> None:
    browser = Browser(house)
    await browser.get("/sign-in")
    for visit in (await browser.get(path + "A" * 90), await browser.post(path + "A" * 90, {"password": PASSWORD})):
        assert visit.status == 410
        assert "This link does not work any more" in text(visit)
        assert "one line" in text(visit)
        assert re.search(r'href="/(sign-up|forgot|sign-in)"', visit.body.decode())
    assert reason_told(house) is Reason.LINK_INVALID


async def test_where_no_letters_are_sent_none_of_their_pages_is_there() -> None:
    house = await House().open()
    browser = Browser(house)
    await browser.get("/sign-in")
    for path in ("/forgot", "/reset/x", "/sign-up/confirm/x", "/sign-in/link/x", "/sessions/end/x"):
        for visit in (await browser.get(path), await browser.post(path, {"email": ANA, "password": PASSWORD})):
            assert visit.status == 404
            assert "operator can give you a new password" in text(visit)
    assert 'href="/forgot"' not in (await browser.get("/sign-in")).body.decode()
    await house.close()


# A new password


async def test_a_forgotten_password_is_replaced_and_everybody_else_is_signed_out(house: PostHouse) -> None:
    elsewhere = await house.ana()
    browser = Browser(house)
    assert 'href="/forgot"' in (await browser.get("/sign-in")).body.decode()
    visit = await browser.submit("/forgot", {"email": ANA.upper()})
    assert visit.status == 200
    path = await house.link()
    page = await browser.get(path)
    assert f'value="{ANA}"' in page.body.decode()

    visit = await browser.post(path, {"password": NEW_PASSWORD})

    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert (await browser.get("/account")).status == 200
    assert (await elsewhere.get("/account")).status == 303
    assert (await Browser(house).submit("/sign-in", {"email": ANA, "password": PASSWORD})).status == 401
    assert (await Browser(house).submit("/sign-in", {"email": ANA, "password": NEW_PASSWORD})).status == 303
    again = await Browser(house).submit(path, {"password": PASSWORD}, page="/sign-in")
    assert again.status == 410
    assert "used already" in text(again)


async def test_a_password_that_is_changed_on_the_account_page_is_told_by_letter(house: PostHouse) -> None:
    """Whoever sits at a browser that was left open and knows the password is noticed by the account's owner."""
    ana = await house.ana()
    await ana.get("/account")
    assert (
        await ana.post("/account/password", {"current": "not this one at all", "password": NEW_PASSWORD})
    ).status > 303
    assert (await ana.post("/account/password", {"current": PASSWORD, "password": NEW_PASSWORD})).status == 303
    assert await house.link() == "/forgot"

    assert [letter.kind for letter in house.mailer.sent].count(LetterKind.PASSWORD_CHANGED) == 1


async def test_a_new_password_that_is_no_good_is_blamed(house: PostHouse) -> None:
    await house.ana()
    browser = Browser(house)
    await browser.submit("/forgot", {"email": ANA})
    path = await house.link()
    visit = await browser.submit(path, {"password": "short"})

    assert visit.status == 400
    assert "Between 15 and 1024 characters" in text(visit)
    assert (await browser.post(path, {"password": NEW_PASSWORD})).status == 303


async def test_a_busy_password_lane_is_told_and_the_link_stays_good(
    house: PostHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.ana()
    browser = Browser(house)
    await browser.submit("/forgot", {"email": ANA})
    path = await house.link()

    async def busy(lane: PasswordLane, password: str, email: str = "") -> str:
        raise PasswordsBusyError(2.0)

    with monkeypatch.context() as patch:
        patch.setattr(PasswordLane, "hash", busy)
        visit = await browser.submit(path, {"password": NEW_PASSWORD})
    assert (visit.status, visit.headers["retry-after"]) == (429, "2")
    assert (await browser.post(path, {"password": NEW_PASSWORD})).status == 303


async def test_a_link_that_has_run_out_says_so(house: PostHouse) -> None:
    await house.ana()
    browser = Browser(house)
    await browser.submit("/forgot", {"email": ANA})
    path = await house.link()
    house.clock.advance(LASTS_S[Purpose.RESET])

    assert "too old" in text(await browser.get(path))


# A sign-in by link, and an end to all sessions


async def test_a_link_shows_a_button_and_only_the_button_signs_in(house: PostHouse) -> None:
    await house.ana()
    await house.letters.sign_in_link(ANA)
    path = await house.link()
    browser = Browser(house)
    page = await browser.get(path)
    assert ANA in text(page)
    assert (await browser.get("/account")).status == 303

    await browser.get(path)
    visit = await browser.post(path)
    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert (await browser.get("/account")).status == 200
    assert (await Browser(house).submit(path, {}, page="/sign-in")).status == 410


async def test_it_was_not_me_signs_everybody_out_and_leads_to_a_new_password(house: PostHouse) -> None:
    thief = await house.ana()
    (user,) = await house.accounts.users()
    assert house.letters.new_device(user)
    path = await house.link()
    browser = Browser(house)
    await browser.get(path)
    assert (await thief.get("/account")).status == 200
    visit = await browser.post(path)

    assert visit.status == 200
    assert "Nobody is signed in" in text(visit)
    assert 'href="/forgot"' in visit.body.decode()
    assert (await thief.get("/account")).status == 303


@pytest.mark.parametrize(
    "ask",
    [
        lambda house: house.letters.reset_password(ANA),
        lambda house: house.letters.sign_in_link(ANA),
    ],
)
async def test_another_sites_page_cannot_use_a_link(house: PostHouse, ask: Callable[[PostHouse], object]) -> None:
    await house.ana()
    await ask(house)  # type: ignore[misc] # a lambda of the parameters
    path = await house.link()
    browser = Browser(house)
    await browser.get(path)

    def refused(visit: Visit) -> bool:
        return visit.status == 403 and not any("session=" in line for line in visit.set_cookies)

    assert refused(await browser.post(path, {"password": NEW_PASSWORD}, **{"sec-fetch-site": "cross-site"}))
    assert refused(await browser.post(path, {"password": NEW_PASSWORD, "csrf": "0" * 32}))
