"""Whatever somebody can see at the door: each state as axe-core sees it, light and dark, narrow and wide.

One service and one browser for all of them; the installed program is met in test_joining.py and test_letters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, new_address
from tests.browser.conftest import Visiting
from tests.browser.door import Door
from tests.browser.looking import PHONE, Look
from tests.browser.test_accessibility import axe
from tests.browser.test_keyboard import tab_to
from tests.browser.watching import Visit
from tidegate.core.mail.letter import LetterKind

__all__ = ["axe"]

NEW_PASSWORD = "another tide, another harbour wall"
BUSY_S = 22.4
REFUSED = (400, 401, 403, 404, 409, 410, 429)
_STUCK = "window.Worker = class { postMessage() {} terminate() {} }"
"""A device on which the work takes longer than anybody looks."""
_BROKEN = "window.Worker = class { constructor() { throw new Error('no workers here') } }"
_PHONE = {"width": PHONE, "height": 844}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    door = Door(tmp_path_factory.mktemp("stage") / "data").start()
    yield door
    door.stop()


@pytest.fixture
def door(stage: Door) -> Iterator[Door]:
    """Calm and open."""
    yield stage
    stage.auto()
    stage.calm()


@pytest.fixture
def look(axe: str, pictures: Path) -> Iterator[Look]:
    one = Look(axe, pictures, "door")
    yield one
    assert one.wrongs() == {}


@pytest.fixture
def here(visit: Visiting, door: Door) -> Visit:
    # axe-core makes code of text, which pages with work in them allow nobody.
    return visit(door.base, viewport=_PHONE).foresee_status(*REFUSED).foresee("TrustedScript|VIOLATION")


@pytest.fixture
def scriptless(visit: Visiting, door: Door) -> Visit:
    return visit(door.base, viewport=_PHONE, java_script_enabled=False).foresee_status(*REFUSED)


def with_device(here: Visit, script: str) -> Page:
    page = here.page()
    page.add_init_script(script)
    return page


def is_done(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("The check is done.")


def send(page: Page, email: str) -> None:
    page.get_by_label("Email address").fill(email)
    page.get_by_role("button", name="Send me the letter").click()


def test_the_form_in_every_state_of_its_work(here: Visit, scriptless: Visit, door: Door, look: Look) -> None:
    early = here.page("/sign-up")
    expect(early.get_by_role("button", name="Send me the letter")).to_be_visible()
    look("form-calm", early)

    door.mode("throttled")
    send(early, new_address())
    expect(early.get_by_role("alert")).to_contain_text("please send the form once more")
    is_done(early)
    look("form-work-came-meanwhile", early)
    early.close()

    page = with_device(here, _STUCK)
    page.goto("/sign-up")
    expect(page.get_by_role("status")).to_contain_text("Checking your browser. You can go on meanwhile.")
    look("form-working", page)
    send(page, new_address())
    expect(page.get_by_role("status")).to_contain_text("Your form is sent by itself as soon as the check is done.")
    look("form-sent-early", page)
    page.get_by_role("button", name="Pause the check").click()
    look("form-paused", page)
    page.close()

    page = with_device(here, _BROKEN)
    page.goto("/sign-up")
    expect(page.get_by_role("status")).to_contain_text("Reload the page to try again, or use “Wait instead” below.")
    look("form-failed", page)
    page.close()

    page = with_device(here, _STUCK)
    page.clock.install()
    page.goto("/sign-up")
    page.clock.fast_forward("10:00")
    expect(page.get_by_role("status")).to_contain_text(
        "The check ran out of time. It begins anew as soon as you go on."
    )
    look("form-stale", page)
    page.get_by_label("Email address").fill(new_address())
    expect(page.get_by_role("status")).to_contain_text("Checking your browser.")
    page.close()

    page = scriptless.page("/sign-up")
    expect(page.locator("noscript p")).to_contain_text("This form needs JavaScript at the moment.")
    look("form-without-javascript", page, through=here.page())


def test_the_line_from_its_end_to_ones_turn(here: Visit, scriptless: Visit, door: Door, look: Look) -> None:
    door.mode("waiting_room")
    door.nothing_seen()
    door.crowd(40)
    page = here.page("/")
    look("front-page", page)
    page.get_by_role("link", name="Create an account").click()
    expect(page.get_by_role("heading", name="There is a line for new accounts")).to_be_visible()
    is_done(page)
    look("line", page)
    page.get_by_role("button", name="Get in line").click()
    expect(page.get_by_role("status")).to_contain_text("How long it takes cannot be told yet")
    look("waiting-unknown", page)

    patient = scriptless.page("/sign-up")
    expect(patient.locator("noscript p")).to_be_visible()
    look("line-without-javascript", patient, through=here.page())
    patient.get_by_role("button", name="Wait instead").click()
    expect(patient.get_by_role("status")).to_contain_text("Your place counts as soon as this page has asked once more.")
    look("waiting-not-counted", patient, through=here.page())
    patient.close()

    door.seen_letting_in(30, 240.0)
    page.reload()
    expect(page.get_by_role("status")).to_contain_text(
        re.compile(r"It should be your turn in \d+ to \d+ (minute|hour)s\.")
    )
    look("waiting-range", page)
    page.get_by_role("link", name="Do not renew it by itself").click()
    expect(page.get_by_text("This page stands still.")).to_be_visible()
    assert page.locator("meta[http-equiv=refresh]").count() == 0
    look("waiting-still", page)
    page.get_by_role("link", name="Leave an address").click()
    expect(page.get_by_role("heading", name="Leave an address instead of waiting")).to_be_visible()
    look("address", page)
    page.locator("#ask").evaluate("form => form.noValidate = true")
    page.get_by_label("Email address").fill("ana@[192.0.2.7].org")
    page.get_by_role("button", name="Write to me").click()
    expect(page.get_by_role("alert")).to_contain_text("Mail cannot be sent to this address")
    look("address-wrong", page)

    door.mode("invite")
    page.goto("/sign-up/line")
    expect(page.get_by_role("status")).to_contain_text("The line stands still for now. Your place is kept.")
    look("waiting-stands-still", page)

    door.mode("waiting_room")
    door.let_in(100)
    page.goto("/sign-up/line")
    expect(page.get_by_text("It is your turn. This form is kept for you for")).to_be_visible()
    look("turn", page)
    send(page, new_address())
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    look("letter-sent", page)


def test_what_is_said_where_nobody_gets_in_by_themselves(
    visit: Visiting, here: Visit, scriptless: Visit, door: Door, look: Look
) -> None:
    door.mode("waiting_room")
    page = here.page("/sign-up")
    is_done(page)
    page.get_by_role("button", name="Get in line").click()
    page.get_by_role("link", name="Leave an address").click()
    page.get_by_label("Email address").fill(new_address())
    page.get_by_role("button", name="Write to me").click()
    expect(page.get_by_role("heading", name="We write to you when it is your turn")).to_be_visible()
    look("asked-for-a-letter", page)

    door.mode("invite")
    page.goto("/sign-up")
    expect(page.get_by_role("heading", name="New accounts need an invitation for now")).to_be_visible()
    is_done(page)
    look("invitation-needed", page)
    page.get_by_label("Email address").fill(new_address())
    page.get_by_role("radio", name="Ask the operator to let me in before that").check()
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", name="The operator is asked")).to_be_visible()
    look("operator-asked", page)
    bare = scriptless.page("/sign-up")
    expect(bare.locator("noscript p")).to_contain_text("please look again later")
    look("invitation-needed-without-javascript", bare, through=here.page())

    others = visit(door.status, viewport=_PHONE).page("/")
    expect(others.get_by_text("New accounts need an invitation for now.")).to_be_visible()
    others.get_by_role("link", name="Do not renew it by itself").click()
    expect(others.get_by_text("This page stands still.")).to_be_visible()
    assert others.locator("meta[http-equiv=refresh]").count() == 0
    others.go_back()
    look("status", others)
    operator = visit(door.operator, viewport=_PHONE).page("/")
    expect(operator.get_by_text("Registration is by invitation only.")).to_be_visible()
    look("operator", operator)

    door.mode("closed")
    page.goto("/sign-up")
    expect(page.get_by_role("heading", name="There are no new accounts for now")).to_be_visible()
    look("closed", page)
    page.goto(door.invitation())
    expect(page.get_by_role("alert")).to_contain_text("There are no new accounts for now, not by invitation either.")
    look("invitation-while-closed", page)


def member(here: Visit, door: Door) -> str:
    """Somebody with an account, signed out."""
    email, page = new_address(), here.page("/sign-up")
    send(page, email)
    page.goto(door.link(LetterKind.CONFIRM, email))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url("**/chat")
    page.close()
    here.context.clear_cookies()
    return email


def test_links_in_letters_fresh_used_ended_and_broken(here: Visit, door: Door, look: Look) -> None:
    email, page = new_address(), here.page("/sign-up")
    send(page, email)
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    confirm = door.link(LetterKind.CONFIRM, email)
    page.goto(confirm)
    expect(page.get_by_role("heading", name="Choose a password")).to_be_visible()
    look("confirm", page)
    page.get_by_label("Password", exact=True).fill("tide tide tide tide")
    page.locator("main form").evaluate("form => form.noValidate = true")
    page.get_by_label("Password", exact=True).fill("too short")
    page.get_by_role("button", name="Create my account").click()
    expect(page.get_by_role("alert")).to_contain_text("Between 15 and 1024 characters.")
    look("confirm-wrong", page)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url("**/chat")
    here.context.clear_cookies()

    page.goto(confirm)
    expect(page.get_by_role("heading", name="There is an account already")).to_be_visible()
    look("confirm-used", page)
    page.goto(door.ended_link())
    expect(page.get_by_role("alert")).to_contain_text("This link is too old. Ask for a new letter")
    look("confirm-ended", page)
    page.goto(confirm[:-3])
    expect(page.get_by_role("alert")).to_contain_text("Copy all of it from the letter")
    look("confirm-broken", page)

    page.goto("/forgot")
    look("forgot", page)
    send(page, email)
    expect(page.get_by_role("status")).to_contain_text(f"If {email} has an account here, a letter is on its way.")
    look("forgot-letter-sent", page)
    reset = door.link(LetterKind.RESET, email)
    page.goto(reset)
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    look("reset", page)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Save and sign in").click()
    page.wait_for_url("**/chat")
    page.goto(reset)
    expect(page.get_by_role("alert")).to_contain_text("This link was used already")
    look("reset-used", page)


def test_an_invitation_fresh_and_used(here: Visit, door: Door, look: Look) -> None:
    path, page = door.invitation(), here.page()
    door.mode("invite")
    page.goto(path)
    expect(page.get_by_role("heading", name="You are invited")).to_be_visible()
    look("invitation", page)
    page.get_by_label("Email address").fill(new_address())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url("**/chat")
    here.context.clear_cookies()
    page.goto(path)
    expect(page.get_by_role("alert")).to_contain_text("This invitation was used, has ended, or is for another address.")
    expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
    expect(page.get_by_role("link", name="How to get an account")).to_be_visible()
    look("invitation-used", page)


def test_signing_in_while_strangers_guess_passwords(here: Visit, scriptless: Visit, door: Door, look: Look) -> None:
    email = member(here, door)
    page = here.page("/sign-in")
    look("sign-in", page)

    door.attack()
    enter(page, email)
    expect(page.get_by_role("alert")).to_contain_text("your device does a little work before yours is looked at")
    is_done(page)
    look("sign-in-work-came-meanwhile", page)
    stuck = with_device(here, _STUCK)
    stuck.goto("/sign-in")
    expect(stuck.get_by_role("status")).to_contain_text("Checking your browser.")
    look("sign-in-working", stuck)
    stuck.close()
    broken = with_device(here, _BROKEN)
    broken.goto("/sign-in")
    expect(broken.get_by_role("status")).to_contain_text("try again, or have a letter sent to you below.")
    look("sign-in-failed", broken)
    broken.close()
    bare = scriptless.page("/sign-in")
    expect(bare.locator("noscript p")).to_contain_text("Without it, have a letter sent to you below.")
    look("sign-in-without-javascript", bare, through=here.page())

    door.fill_passwords(BUSY_S)
    enter(page, email)
    expect(page.get_by_role("alert")).to_contain_text("Please try again in 23 seconds.")
    is_done(page)
    look("sign-in-busy", page)
    door.empty_passwords()
    enter(page, email)
    page.wait_for_url("**/chat")


def enter(page: Page, email: str) -> None:
    page.locator("#email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_a_letter_signs_in_without_a_password_once_and_another_ends_all_sessions(
    here: Visit, scriptless: Visit, door: Door, look: Look
) -> None:
    """Without JavaScript, while strangers guess: what is left to those whose browser cannot do the work."""
    email = member(here, door)
    door.attack()
    page = scriptless.page("/sign-in")
    page.locator("#letter-email").fill(email)
    page.get_by_role("button", name="Send me the letter").click()
    expect(page.get_by_role("status")).to_contain_text(email)
    path = door.link(LetterKind.SIGN_IN_LINK, email)
    page.goto(path)
    expect(page.get_by_text(f"You are about to sign in as {email} on this device.")).to_be_visible()
    look("sign-in-link", page, through=here.page())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/chat")
    elsewhere = here.page(path)
    expect(elsewhere.get_by_role("alert")).to_contain_text("This link was used already")
    look("sign-in-link-used", elsewhere)

    door.new_device(email)
    elsewhere.goto(door.link(LetterKind.NEW_DEVICE, email))
    expect(elsewhere.get_by_role("heading", name="Sign out everywhere?")).to_be_visible()
    look("end-sessions", elsewhere)
    tab_to(elsewhere, "Sign out everywhere")
    elsewhere.keyboard.press("Enter")
    expect(elsewhere.get_by_role("heading", name="You are signed out everywhere")).to_be_visible()
    look("sessions-ended", elsewhere)
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_has_no_mouse_signs_in_under_attack_and_is_told_how_the_work_goes(here: Visit, door: Door) -> None:
    email = member(here, door)
    door.attack()
    page = with_device(here, _STUCK)
    page.goto("/sign-in")
    status = page.get_by_role("status")
    expect(status).to_have_attribute("aria-live", "polite")
    tab_to(page, "Pause the check")
    page.keyboard.press("Enter")
    expect(status).to_have_text("The check is paused.")
    page.close()

    page = here.page("/sign-in")
    tab_to(page, "Email address")
    page.keyboard.type(email)
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    is_done(page)
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat")


_MOVING = """() => [...document.querySelectorAll("*")].filter((one) => {
  const { transitionDuration, animationName } = getComputedStyle(one);
  return animationName !== "none" || transitionDuration.split(",").some((length) => parseFloat(length) > 0);
}).length + document.getAnimations().length"""


def test_nothing_moves_for_who_asked_for_that(here: Visit, door: Door) -> None:
    door.mode("throttled")
    page = with_device(here, _STUCK)
    page.goto("/sign-up")
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(_MOVING) > 0, "for everybody else a little does, or this test sees nothing"
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Send me the letter").hover()
    assert page.evaluate(_MOVING) == 0
