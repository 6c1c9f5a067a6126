"""While strangers try passwords, the sign-in page asks strangers for work, known devices for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.http.browsing import PASSWORD, Browser, House, field_tag, reason_told, text
from tests.http.queueing import ANA, FORM, force, has_work, title, worked
from tests.http.test_letters import PostHouse
from tests.services.test_entering import elsewhere
from tidegate.core.entering.entering import Entering, EnteringPlan
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http.pages import CHALLENGE_HEADERS, HEADERS
from tidegate.services.sessions import ChallengeNeededError, WrongCredentialsError

POLICY = "content-security-policy"


def guarded(house: House) -> None:
    """Asks strangers for work while many passwords are tried; real hashes would leave strangers so many a second."""
    house.passwords.capacity = lambda: 6.7  # type: ignore[method-assign] # as said
    house.sessions = msgspec.structs.replace(house.sessions, entering=Entering(EnteringPlan(has_challenge=True)))
    house.joining.sessions = house.sessions


async def flood(house: House) -> None:
    for number in range(60):
        with pytest.raises((WrongCredentialsError, ChallengeNeededError)):
            await house.sessions.sign_in(f"nobody{number}@example.org", "not the right one", elsewhere(number))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    guarded(made)
    await made.open()
    await made.clerk.create_user(ANA, password=PASSWORD)
    yield made
    await made.close()


async def test_in_calm_the_page_asks_for_nothing(house: House) -> None:
    page = await Browser(house).get("/sign-in")
    assert not has_work(page)
    assert page.headers[POLICY] == HEADERS[POLICY]


async def test_under_attack_a_stranger_is_told_why_and_gets_in_with_the_work_done(house: House) -> None:
    await flood(house)
    browser = Browser(house)
    page = await browser.get("/sign-in?next=/account")
    assert page.status == 200
    assert has_work(page)
    assert page.headers[POLICY] == CHALLENGE_HEADERS[POLICY]
    assert "many wrong passwords are being tried here" in text(page)

    visit = await browser.post("/sign-in", {**FORM, "next": "/account", **worked(page)})

    assert (visit.status, visit.headers["location"]) == (303, "/account")


async def test_who_sends_no_work_is_told_what_happens_and_keeps_the_address(house: House) -> None:
    await flood(house)
    browser = Browser(house)
    visit = await browser.submit("/sign-in", FORM)
    assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
    assert "please type it again and send the form once more" in text(visit)
    assert title(visit).startswith("Error: ")
    assert f'value="{ANA}"' in field_tag(visit, "email")
    assert PASSWORD not in visit.body.decode()
    assert (await browser.post("/sign-in", {**FORM, **worked(visit)})).status == 303


@pytest.mark.parametrize("change", [{"answer": "2b"}, {"challenge": "nonsense"}])
async def test_wrong_work_is_refused_and_the_page_has_new(house: House, change: dict[str, str]) -> None:
    await flood(house)
    browser = Browser(house)
    page = await browser.get("/sign-in")
    visit = await browser.post("/sign-in", {**FORM, **worked(page), **change})
    assert (visit.status, reason_told(house)) == (403, Reason.CHALLENGE_REQUIRED)
    assert has_work(visit)


async def test_work_for_an_account_does_not_count_for_a_password_and_none_counts_twice(house: House) -> None:
    await flood(house)
    force(house, RegistrationMode.WAITING_ROOM)
    browser = Browser(house)
    other = worked(await browser.get("/sign-up"))
    assert (await browser.submit("/sign-in", {**FORM, **other})).status == 403
    work = worked(await browser.get("/sign-in"))
    assert (await browser.post("/sign-in", {**FORM, "password": "not the right one", **work})).status == 401
    assert (await browser.post("/sign-in", {**FORM, **work})).status == 403


async def test_a_device_that_was_here_before_is_never_asked(house: House) -> None:
    browser = Browser(house)
    await browser.submit("/sign-in", FORM)
    await browser.get("/account")
    await browser.post("/sign-out")
    await flood(house)
    page = await browser.get("/sign-in")
    assert not has_work(page)
    assert page.headers[POLICY] == HEADERS[POLICY]
    assert (await browser.post("/sign-in", FORM)).headers["location"] == "/chat"


@pytest.mark.parametrize("mode", list(RegistrationMode))
async def test_no_mode_of_registration_stands_between_people_and_their_account(
    house: House, mode: RegistrationMode
) -> None:
    force(house, mode)
    visit = await Browser(house).submit("/sign-in", FORM)
    assert (visit.status, visit.headers["location"]) == (303, "/chat")


async def test_without_letters_the_page_says_what_to_do_where_no_script_runs(house: House) -> None:
    await flood(house)
    page = await Browser(house).get("/sign-in")
    assert "sign in where you have signed in before, or come back a little later" in text(page)
    assert "/sign-in/letter" not in page.body.decode()


async def test_with_letters_one_that_signs_in_is_the_way_around_the_work() -> None:
    house = PostHouse()
    guarded(house)
    await house.open()
    await house.clerk.create_user(ANA, password=PASSWORD)
    await flood(house)
    browser = Browser(house)
    page = await browser.get("/sign-in")
    assert "Without it, have a letter sent to you below." in text(page)

    sent = await browser.post("/sign-in/letter", {"email": ANA})

    assert sent.status == 200
    assert f"If {ANA} has an account here, a letter is on its way." in text(sent)
    visit = await browser.submit(await house.link(), {})
    await house.close()
    assert (visit.status, visit.headers["location"]) == (303, "/chat")
