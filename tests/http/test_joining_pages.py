"""Whoever wants an account is told what there is to do, in every state of registration."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.http.browsing import PASSWORD, Browser, House, field_tag, reason_told, text
from tests.http.queueing import ANA, FORM, PLACE, crowd, force, has_work, in_line, press, refresh_s, title, wait, worked
from tests.http.test_letters import PostHouse
from tests.newcomers import WORKED
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http.pages import CHALLENGE_HEADERS, HEADERS

POLICY = "content-security-policy"
SHUT = [
    (RegistrationMode.INVITE, Reason.INVITATION_REQUIRED, "New accounts need an invitation for now"),
    (RegistrationMode.CLOSED, Reason.SIGN_UP_CLOSED, "There are no new accounts for now"),
]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = await House().open()
    yield made
    await made.close()


@pytest.fixture
async def post_house() -> AsyncIterator[PostHouse]:
    made = PostHouse()
    await made.open()
    yield made
    await made.close()


# ---------------------------------------------------------------- calm, and pressed


async def test_in_calm_the_form_is_plain_and_runs_no_script(house: House) -> None:
    page = await Browser(house).get("/sign-up")
    assert (page.status, title(page)) == (200, "Create an account - Tidegate")
    assert not has_work(page)
    assert "<script" not in page.body.decode()
    assert page.headers[POLICY] == HEADERS[POLICY]


@pytest.mark.parametrize("mode", [RegistrationMode.OPEN, RegistrationMode.THROTTLED])
async def test_in_a_crowd_the_form_says_why_it_has_work_in_it_and_what_to_do_instead(
    house: House, mode: RegistrationMode
) -> None:
    force(house, mode)
    press(house)
    page = await Browser(house).get("/sign-up")
    assert page.status == 200
    assert has_work(page)
    assert page.headers[POLICY] == CHALLENGE_HEADERS[POLICY]
    assert "While you fill in the form, your device does a little work." in text(page)
    assert "Without it, please use “Wait instead” below." in text(page)
    assert 'action="/sign-up/line"' in page.body.decode()


async def test_who_sends_the_form_with_its_work_has_an_account(house: House) -> None:
    press(house)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post("/sign-up", {**FORM, **worked(page)})
    assert (visit.status, visit.headers["location"]) == (303, "/chat")
    assert ANA in text(await browser.get("/account"))


@pytest.mark.parametrize(
    ("mode", "path"), [(RegistrationMode.THROTTLED, "/sign-up"), (RegistrationMode.WAITING_ROOM, "/sign-up/line")]
)
async def test_work_that_a_page_took_in_place_of_what_ran_out_counts_in_its_form(
    house: House, mode: RegistrationMode, path: str
) -> None:
    """As its script does while somebody types for longer than a challenge lasts."""
    press(house)
    force(house, mode)
    browser = Browser(house)
    page = (await browser.get("/sign-up")).body.decode()
    found = re.search(r'data-again="([^"]+)"', page)
    assert found is not None
    house.clock.advance(660.0)
    press(house)
    told = (await browser.get(found[1], accept="application/json")).json()["challenge"]
    work = {"challenge": told["text"], "answer": WORKED * told["effort"], "solve_ms": "900"}

    visit = await browser.post(path, {**(FORM if path == "/sign-up" else {}), **work})
    assert (visit.status, reason_told(house)) == (303, None)


async def test_who_sends_it_without_is_told_what_was_missing_and_nothing_typed_is_lost(house: House) -> None:
    press(house)
    browser = Browser(house)
    visit = await browser.submit("/sign-up", FORM)
    assert visit.status == 403
    assert reason_told(house) is Reason.CHALLENGE_REQUIRED
    assert "so your device does a little work first." in text(visit)
    assert title(visit).startswith("Error: ")
    assert f'value="{ANA}"' in field_tag(visit, "email")
    assert PASSWORD not in visit.body.decode()
    assert (await browser.post("/sign-up", {**FORM, **worked(visit)})).status == 303, "and the page has new work"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"answer": "2b"}, "did not come out right"),
        ({"answer": "zz"}, "did not come out right"),
        ({"challenge": "w1.nonsense"}, "did not come out right"),
    ],
)
async def test_wrong_work_is_told_from_no_work_and_the_page_has_new(
    house: House, change: dict[str, str], sentence: str
) -> None:
    press(house)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post("/sign-up", {**FORM, **worked(page), **change})
    assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
    assert sentence in text(visit)
    assert has_work(visit)
    assert await house.accounts.users() == []


async def test_work_that_came_too_late_or_was_done_by_another_browser_is_said_to_be_too_late(house: House) -> None:
    press(house)
    mine, theirs = Browser(house), Browser(house)
    work = worked(await mine.get("/sign-up"))
    await theirs.get("/sign-up")
    for browser, seconds in ((theirs, 0.0), (mine, 86_400.0)):
        house.clock.advance(seconds)
        press(house)
        visit = await browser.post("/sign-up", {**FORM, **work})
        assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
        assert "came too late to count" in text(visit)


async def test_a_mistake_in_the_form_loses_neither_the_address_nor_the_work(house: House) -> None:
    press(house)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post("/sign-up", {**FORM, **worked(page), "password": "short"})
    assert visit.status == 400
    assert 'aria-invalid="true"' in field_tag(visit, "password")
    assert f'value="{ANA}"' in field_tag(visit, "email")
    assert not has_work(visit), "it is in the ticket now"
    assert "It is your turn. This form is kept for you for 15 minutes." in text(visit)
    assert (await browser.post("/sign-up", FORM)).headers["location"] == "/chat"


async def test_with_letters_the_work_leads_to_a_letter_and_no_password_is_asked_for(post_house: PostHouse) -> None:
    press(post_house)
    browser = Browser(post_house)
    page = await browser.get("/sign-up")
    assert 'name="password"' not in page.body.decode()
    refused = await browser.post("/sign-up", {"email": ANA})
    assert refused.status == 403
    await post_house.finish_later()
    assert post_house.mailer.sent == [], "no letter leaves before the work is done"
    visit = await browser.post("/sign-up", {"email": ANA, **worked(refused)})
    assert visit.status == 200
    assert f"A letter is on its way to {ANA} ." in text(visit)
    assert (await post_house.link()).startswith("/sign-up/confirm/")


# ---------------------------------------------------------------- the line


async def test_where_there_is_a_line_the_page_leads_into_it(house: House) -> None:
    force(house, RegistrationMode.WAITING_ROOM)
    page = await Browser(house).get("/sign-up")
    assert (page.status, title(page)) == (200, "Get in line - Tidegate")
    assert has_work(page)
    assert page.headers[POLICY] == CHALLENGE_HEADERS[POLICY]
    assert "The operator of this service has limited new accounts for a while. So that it goes on" in text(page)


async def test_the_form_itself_is_turned_away_into_the_line(house: House) -> None:
    """Whoever had it open before, or never opened it."""
    force(house, RegistrationMode.WAITING_ROOM)
    visit = await Browser(house).submit("/sign-up", FORM)
    assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
    assert "There is a line for new accounts" in text(visit)
    assert await house.accounts.users() == []


async def test_work_that_is_wrong_gets_nobody_into_the_line(house: House) -> None:
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post("/sign-up/line", {**worked(page), "answer": "2b"})
    assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
    assert "did not come out right" in text(visit)
    assert PLACE not in browser.cookies


async def test_in_line_the_page_says_how_it_is_and_asks_again_by_itself(house: House) -> None:
    crowd(house, 5)
    browser = await in_line(house)
    page = await browser.get("/sign-up/line")
    assert page.status == 200
    assert title(page) == "In line - Tidegate"
    assert "How long it takes cannot be told yet" in text(page)
    assert "Before you 5" in text(page)
    assert "close it and come back within 5 minutes: your place is kept" in text(page)
    assert refresh_s(page) is not None
    assert 16 <= (refresh_s(page) or 0) <= 24
    assert page.headers[POLICY] == HEADERS[POLICY]
    assert "autofocus" not in page.body.decode(), "a page that loads itself anew takes nobody's focus"
    assert (await browser.get("/sign-up")).headers["location"] == "/sign-up/line"


async def test_once_enough_was_seen_the_title_and_the_page_say_how_long_it_takes(house: House) -> None:
    crowd(house, 200)
    browser = await in_line(house)
    wait(house, 60)
    page = await browser.get("/sign-up/line")
    assert "In line, " in title(page)
    assert " minutes - Tidegate" in title(page)
    assert "It should be your turn in " in text(page)
    # The front page says the same of the line, to everybody.
    assert "New accounts: there is a line at present, " in text(await Browser(house).get("/"))


async def test_waiting_instead_of_work_counts_from_the_second_look_on(house: House) -> None:
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    await browser.get("/sign-up")
    visit = await browser.post("/sign-up/line", {"instead": "1"})
    assert visit.headers["location"] == "/sign-up/line"
    page = await browser.get("/sign-up/line")
    assert "Your place counts as soon as this page has asked once more." in text(page)
    assert "Before you" not in text(page)
    assert "Leave an address" not in text(page)
    wait(house, 20)
    page = await browser.get("/sign-up/line")
    assert "Before you 0" in text(page)


async def test_when_it_is_their_turn_the_line_leads_to_the_form_which_says_how_long_it_is_kept(house: House) -> None:
    browser = await in_line(house)
    wait(house, 5)
    assert (await browser.get("/sign-up/line")).headers["location"] == "/sign-up"
    page = await browser.get("/sign-up")
    assert "It is your turn. This form is kept for you for 15 minutes." in text(page)
    assert not has_work(page)
    visit = await browser.post("/sign-up", FORM)
    assert (visit.status, visit.headers["location"]) == (303, "/chat")


async def test_a_pass_is_good_for_one_account_and_a_place_for_one_person(house: House) -> None:
    browser = await in_line(house)
    ticket = browser.cookies[PLACE]
    wait(house, 5)
    await browser.submit("/sign-up", FORM)
    again = Browser(house)
    again.cookies[PLACE] = ticket
    visit = await again.submit("/sign-up", {**FORM, "email": "second@example.org"})
    assert visit.status == 403
    assert len(await house.accounts.users()) == 1


@pytest.mark.parametrize("ticket", ["nonsense", "", "p1." + "0" * 80])
async def test_who_brings_what_is_no_ticket_is_led_to_the_line_as_everybody_else(house: House, ticket: str) -> None:
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    browser.cookies[PLACE] = ticket
    assert (await browser.get("/sign-up/line")).headers["location"] == "/sign-up"
    assert title(await browser.get("/sign-up")) == "Get in line - Tidegate"


async def test_getting_in_line_twice_keeps_the_first_place(house: House) -> None:
    browser = await in_line(house)
    ticket = browser.cookies[PLACE]
    await browser.post("/sign-up/line", {"instead": "1"})
    assert browser.cookies[PLACE] == ticket
    assert len(house.joining.room) == 1


async def test_who_leaves_the_line_holds_nobody_up(house: House) -> None:
    browser = await in_line(house)
    await browser.get("/sign-up/line")
    visit = await browser.post("/sign-up/leave")
    assert (visit.status, visit.headers["location"]) == (303, "/")
    assert PLACE not in browser.cookies
    assert len(house.joining.room) == 0
    assert (await browser.post("/sign-up/leave")).status == 303, "once more does no harm"


@pytest.mark.parametrize(("mode", "reason", "heading"), SHUT)
async def test_who_is_in_line_keeps_the_place_while_nobody_is_let_in(
    house: House, mode: RegistrationMode, reason: Reason, heading: str
) -> None:
    del reason, heading
    browser = await in_line(house)
    force(house, mode)
    page = await browser.get("/sign-up/line")
    assert page.status == 200
    assert "The line stands still for now. Your place is kept." in text(page)
    assert refresh_s(page) is not None


# ---------------------------------------------------------------- invitations only, and closed


@pytest.mark.parametrize(("mode", "reason", "heading"), SHUT)
async def test_where_nobody_is_let_in_the_page_says_so_and_what_else_there_is(
    house: House, mode: RegistrationMode, reason: Reason, heading: str
) -> None:
    force(house, mode)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    assert (page.status, reason_told(house)) == (403, reason)
    assert title(page) == f"{heading} - Tidegate"
    assert 'href="/sign-in"' in page.body.decode()
    assert ("open the link in it" in text(page)) is (mode is RegistrationMode.INVITE)
    await browser.get("/sign-in")
    for path, fields in (("/sign-up", FORM), ("/sign-up/line", {"instead": "1"})):
        visit = await browser.post(path, fields)
        assert (visit.status, reason_told(house)) == (403, reason)
        assert heading in text(visit)
    assert await house.accounts.users() == []
    front = text(await Browser(house).get("/"))
    assert f"{heading}." in front


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (RegistrationMode.INVITE, "This service takes new people by invitation."),
        (RegistrationMode.CLOSED, "The operator of this service makes accounts for people."),
    ],
)
async def test_where_that_is_how_the_service_is_run_it_is_said_as_a_rule_and_not_as_trouble(
    setting: RegistrationMode, sentence: str
) -> None:
    house = await House(sign_up=setting).open()
    page = await Browser(house).get("/sign-up")
    await house.close()
    assert page.status == 403
    assert sentence in text(page)
    assert "just now" not in text(page)


async def test_an_invitation_goes_around_the_line_and_around_invite(house: House) -> None:
    for number, mode in enumerate((RegistrationMode.WAITING_ROOM, RegistrationMode.INVITE)):
        force(house, mode)
        _, code = await house.usher.invitations.create(None)
        browser = Browser(house)
        page = await browser.get(f"/invitation/{code}")
        assert (page.status, title(page)) == (200, "You are invited - Tidegate")
        weak = await browser.post(f"/invitation/{code}", {"email": f"p{number}@example.org", "password": "short"})
        assert weak.status == 400
        assert f'value="p{number}@example.org"' in field_tag(weak, "email")
        visit = await browser.post(f"/invitation/{code}", {"email": f"p{number}@example.org", "password": PASSWORD})
        assert (visit.status, visit.headers["location"]) == (303, "/chat")
        used = await Browser(house).get(f"/invitation/{code}")
        assert used.status == 410
        assert "Whoever sent it can send you another." in text(used)


async def test_closed_is_closed_for_invitations_too(house: House) -> None:
    _, code = await house.usher.invitations.create(None)
    force(house, RegistrationMode.CLOSED)
    assert (await Browser(house).get(f"/invitation/{code}")).status == 403
    assert reason_told(house) is Reason.SIGN_UP_CLOSED


# ---------------------------------------------------------------- only from our own pages


@pytest.mark.parametrize("path", ["/sign-up", "/sign-up/line", "/sign-up/leave", "/sign-up/address"])
async def test_no_form_is_taken_from_another_site_or_without_its_token(house: House, path: str) -> None:
    browser = await in_line(house)
    await browser.get("/sign-up/line")
    fields = {**FORM, "instead": "1"}
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await browser.post(path, fields, **elsewhere)).status == 403
    assert reason_told(house) is Reason.CROSS_SITE_REQUEST
    assert (await browser.post(path, {**fields, "csrf": "nonsense"})).status == 403
    assert reason_told(house) is Reason.INVALID_CSRF_TOKEN
    assert len(house.joining.room) == 1


async def test_whoever_reads_slowly_can_keep_the_page_from_renewing_itself(house: House) -> None:
    """What changes by itself must be stopped by whoever needs it to stand still (WCAG 2.2.1)."""
    browser = await in_line(house)
    page = await browser.get("/sign-up/line")
    assert "/sign-up/line?still=1" in page.body.decode()
    still = await browser.get("/sign-up/line?still=1")
    assert refresh_s(still) is None
    assert "This page stands still." in text(still)
    assert 'href="/sign-up/line?still=1">Ask again now' in still.body.decode()
