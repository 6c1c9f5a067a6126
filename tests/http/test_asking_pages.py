"""Leaving an address instead of waiting, and asking the operator, as people see it."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator

import pytest

from tests.http.browsing import Browser, House, assert_blamed, field_tag, reason_told, text
from tests.http.queueing import ANA, PLACE, force, has_work, in_line, refresh_s, title, wait, worked
from tests.http.test_letters import PostHouse
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.requests import RequestKind, RequestPlan
from tidegate.http.pages import CHALLENGE_HEADERS, HEADERS

POLICY = "content-security-policy"
ADDRESS = "/sign-up/address"
WRITTEN = "We write to you when it is your turn"


@pytest.fixture
async def house() -> AsyncIterator[PostHouse]:
    """Where letters are sent."""
    made = PostHouse()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def silent() -> AsyncIterator[House]:
    """Where none are."""
    made = await House().open()
    yield made
    await made.close()


async def waiting(house: House) -> list[str]:
    return [one.request.email for one in await house.usher.requests.listed(RequestKind.WAITING)]


async def test_who_waits_may_leave_an_address_for_their_place(house: PostHouse) -> None:
    """On a page that does not load itself anew while they type."""
    browser = await in_line(house)
    line = await browser.get("/sign-up/line")
    assert f'href="{ADDRESS}"' in line.body.decode()
    page = await browser.get(ADDRESS)
    assert (page.status, title(page)) == (200, "Leave an address - Tidegate")
    assert refresh_s(page) is None
    assert not has_work(page)
    assert page.headers[POLICY] == HEADERS[POLICY]
    assert 'name="note"' not in page.body.decode()

    visit = await browser.post(ADDRESS, {"email": ANA})

    assert (visit.status, title(visit)) == (200, f"{WRITTEN[:15]} - Tidegate")
    assert f"A letter comes to {ANA} ." in text(visit)
    assert PLACE not in browser.cookies
    assert len(house.joining.room) == 0
    assert await waiting(house) == [ANA]


async def test_their_turn_comes_by_letter_and_its_link_makes_the_account(house: PostHouse) -> None:
    browser = await in_line(house)
    await browser.submit(ADDRESS, {"email": ANA})
    for _ in range(5):
        wait(house, 1)
        await house.asking.step()
    path = await house.link()
    assert path.startswith("/invitation/")
    visit = await browser.submit(path, {"email": ANA, "password": "a tide waits for nobody"})
    assert (visit.status, visit.headers["location"]) == (303, "/chat")


async def test_the_answer_is_the_same_for_known_and_unknown_addresses(house: PostHouse) -> None:
    """Nobody learns from it who has an account, or who has asked before."""
    await house.clerk.create_user("known@example.org")
    answers = []
    for email in ("known@example.org", "new@example.org", "new@example.org"):
        browser = await in_line(house)
        visit = await browser.submit(ADDRESS, {"email": email})
        answers.append((visit.status, visit.body.replace(email.encode(), b"").decode()))
    assert len(set(answers)) == 1


async def test_a_wrong_address_is_said_and_the_place_kept(house: PostHouse) -> None:
    browser = await in_line(house)
    visit = await browser.submit(ADDRESS, {"email": "ana@"})
    assert visit.status == 400
    assert reason_told(house) is Reason.INVALID_VALUE
    assert_blamed(visit, "email", "Expected an address such as ana@example.org.")
    assert 'value="ana@"' in field_tag(visit, "email")
    assert (await browser.get("/sign-up/line")).status == 200


async def test_where_no_more_addresses_are_kept_that_is_said_and_the_place_is_kept(house: PostHouse) -> None:
    """Nobody waits for a letter that cannot come."""
    for plan, sentence in (
        (RequestPlan(per_network=0), "From your network as many people have asked today as can be kept."),
        (RequestPlan(most=0), "As many people have asked as can be kept."),
    ):
        house.usher.requests.plan = plan
        browser = await in_line(house)
        visit = await browser.submit(ADDRESS, {"email": ANA})
        assert (visit.status, reason_told(house)) == (429, Reason.SLOW_DOWN)
        assert visit.headers["retry-after"] == "86400"
        assert sentence in text(visit)
        assert f'value="{ANA}"' in field_tag(visit, "email")
        assert PLACE in browser.cookies
        assert (await browser.get("/sign-up/line")).status == 200


async def test_without_a_place_that_counts_nothing_is_offered(house: PostHouse) -> None:
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    assert (await browser.get(ADDRESS)).headers["location"] == "/sign-up"
    await browser.submit("/sign-up/line", {"instead": "1"}, page="/sign-up")
    assert (await browser.get(ADDRESS)).headers["location"] == "/sign-up/line"
    visit = await browser.post(ADDRESS, {"email": ANA})
    assert (visit.status, visit.headers["location"]) == (303, "/sign-up/line")
    assert await waiting(house) == []


async def test_without_letters_nobody_in_line_is_promised_one(silent: House) -> None:
    browser = await in_line(silent)
    assert ADDRESS not in (await browser.get("/sign-up/line")).body.decode()
    assert (await browser.get(ADDRESS)).headers["location"] == "/sign-up/line"
    assert (await browser.post(ADDRESS, {"email": ANA})).headers["location"] == "/sign-up/line"
    assert await waiting(silent) == []


async def test_where_invitations_are_needed_people_choose_between_their_turn_and_the_operator(house: PostHouse) -> None:
    """For the price of some work."""
    force(house, RegistrationMode.INVITE)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    assert page.status == 403
    assert has_work(page)
    assert page.headers[POLICY] == CHALLENGE_HEADERS[POLICY]
    assert "Write to me when it is my turn" in text(page)

    visit = await browser.post(ADDRESS, {"email": ANA, "kind": "waiting", **worked(page)})
    assert visit.status == 200
    assert WRITTEN in text(visit)
    page = await browser.get("/sign-up")
    visit = await browser.post(ADDRESS, {"email": "bo@example.org", "kind": "approval", "note": "hi", **worked(page)})
    assert "sees your request for bo@example.org . If they let you in, a letter with a link comes" in text(visit)

    assert await waiting(house) == [ANA]
    (asked,) = await house.usher.requests.listed()
    assert (asked.request.email, asked.request.note) == ("bo@example.org", "hi")


async def test_without_work_nothing_is_taken_and_nothing_typed_is_lost(house: PostHouse) -> None:
    force(house, RegistrationMode.INVITE)
    browser = Browser(house)
    await browser.get("/sign-up")
    typed = {"email": ANA, "kind": "approval", "note": "I teach <physics>"}
    visit = await browser.post(ADDRESS, typed)
    assert (visit.status, reason_told(house)) == (403, Reason.INVITATION_REQUIRED)
    assert title(visit).startswith("Error: ")
    assert f'value="{ANA}"' in field_tag(visit, "email")
    assert 'value="I teach &lt;physics&gt;"' in field_tag(visit, "note")
    assert 'value="approval" checked' in visit.body.decode()
    assert await house.usher.requests.listed() == []
    assert (await browser.post(ADDRESS, {**typed, **worked(visit)})).status == 200


async def test_a_note_that_is_too_long_is_said_beside_it(house: PostHouse) -> None:
    force(house, RegistrationMode.INVITE)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    visit = await browser.post(ADDRESS, {"email": ANA, "kind": "approval", "note": "x" * 301, **worked(page)})
    assert visit.status == 400
    assert_blamed(visit, "note", "At most 300 characters, and no control characters.")


async def test_without_letters_the_operator_is_asked_and_answers_by_a_link_of_their_own(silent: House) -> None:
    force(silent, RegistrationMode.INVITE)
    browser = Browser(silent)
    page = await browser.get("/sign-up")
    assert "Write to me" not in text(page)
    assert "Ask the operator" in text(page)
    visit = await browser.post(ADDRESS, {"email": ANA, "kind": "approval", "note": "", **worked(page)})
    assert (visit.status, title(visit)) == (200, "The operator is asked - Tidegate")
    assert "they send you a link themselves" in text(visit)
    assert "A letter" not in text(visit)
    assert [one.request.email for one in await silent.usher.requests.listed()] == [ANA]


async def test_a_kind_that_does_not_exist_is_refused(silent: House) -> None:
    force(silent, RegistrationMode.INVITE)
    browser = Browser(silent)
    page = await browser.get("/sign-up")
    visit = await browser.post(ADDRESS, {"email": ANA, "kind": "nonsense", **worked(page)})
    assert (visit.status, reason_told(silent)) == (400, Reason.INVALID_VALUE)


async def test_closed_offers_nothing_and_takes_nothing(house: PostHouse) -> None:
    force(house, RegistrationMode.CLOSED)
    browser = Browser(house)
    page = await browser.get("/sign-up")
    assert ADDRESS not in page.body.decode()
    await browser.get("/sign-in")
    visit = await browser.post(ADDRESS, {"email": ANA, "kind": "approval"})
    assert (visit.status, reason_told(house)) == (403, Reason.SIGN_UP_CLOSED)
    assert await house.usher.requests.listed() == []


async def test_nothing_of_an_address_goes_into_the_log(house: PostHouse) -> None:
    browser = await in_line(house)
    await browser.submit(ADDRESS, {"email": ANA})
    assert "ana" not in html.escape(repr(house.journal.events)).casefold().replace("manage", "")
