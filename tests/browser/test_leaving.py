"""Who is signed out sees nothing more, in any tab."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, ask, composer, finished, sign_in, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tidegate.testing.engine import saying

SIGN_IN = re.compile(r"/sign-in\?next=")


def test_signing_out_in_one_tab_takes_the_others_to_the_sign_in_page(
    visit: Visiting, scripted: ScriptedService
) -> None:
    here = visit(scripted.base).foresee_status(401)
    first = here.page()
    sign_up(first)
    second = here.page("/chat")
    expect(composer(second)).to_be_visible()
    first.get_by_role("button", name="Sign out").click()
    first.wait_for_url(scripted.base + "/")
    second.wait_for_url(SIGN_IN)
    expect(second.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_session_ended_from_elsewhere_leaves_the_chat_at_once(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base).foresee_status(401)
    chat = here.page()
    email = sign_up(chat)
    scripted.play(saying("Nobody", " else", " shall", " read", " this."))
    ask(chat, "A secret?")
    finished(chat)
    elsewhere = visit(scripted.base).page()
    sign_in(elsewhere, email)
    elsewhere.goto("/account")
    elsewhere.get_by_role("button", name="End all others").click()
    expect(elsewhere.get_by_role("status")).to_contain_text("All other sessions are ended.")
    chat.wait_for_url(SIGN_IN)
    expect(chat.get_by_text("Nobody else shall read this.")).to_have_count(0)
    sign_in(chat, email)
    expect(composer(chat)).to_be_visible()


def kept(page: Page) -> int:
    """How many things the tab keeps for this site."""
    found: int = page.evaluate("sessionStorage.length + localStorage.length")
    return found


def end_all_others(page: Page, email: str) -> None:
    sign_in(page, email)
    page.wait_for_url("**/chat")
    page.goto("/account")
    page.get_by_role("button", name="End all others").click()
    expect(page.get_by_role("status")).to_contain_text("All other sessions are ended.")


def enter(page: Page, email: str) -> None:
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_what_was_typed_waits_for_whoever_signs_in_again(visit: Visiting, scripted: ScriptedService) -> None:
    chat = visit(scripted.base).foresee_status(401).page()
    email = sign_up(chat)
    scripted.play(saying("Yes."))
    ask(chat, "May I write to you?")
    finished(chat)
    address = chat.url
    composer(chat).fill("Dear model,\nthis took me an hour.")
    assert kept(chat) == 0
    end_all_others(visit(scripted.base).page(), email)
    chat.wait_for_url(SIGN_IN)
    enter(chat, email)
    chat.wait_for_url(address)
    expect(composer(chat)).to_have_value("Dear model,\nthis took me an hour.")
    assert kept(chat) == 0


def test_what_was_typed_is_shown_to_nobody_else(visit: Visiting, scripted: ScriptedService) -> None:
    somebody = sign_up(visit(scripted.base).page())
    chat = visit(scripted.base).foresee_status(401).page()
    email = sign_up(chat)
    expect(chat.get_by_text("answers here")).to_be_visible()
    composer(chat).fill("Not for you.")
    end_all_others(visit(scripted.base).page(), email)
    chat.wait_for_url(SIGN_IN)
    assert kept(chat) == 1
    enter(chat, somebody)
    expect(chat.get_by_text(somebody)).to_be_visible()
    expect(composer(chat)).to_have_value("")
    assert kept(chat) == 0


def test_whoever_signs_out_leaves_nothing_typed_behind_in_any_tab(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base).foresee_status(401)
    first = here.page()
    sign_up(first)
    second = here.page("/chat")
    expect(second.get_by_text("answers here")).to_be_visible()
    composer(second).fill("A last word.")
    first.get_by_role("button", name="Sign out").click()
    second.wait_for_url(SIGN_IN)
    assert kept(second) == 0


def test_signing_in_leads_back_to_the_conversation(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    page = here.page()
    email = sign_up(page)
    scripted.play(saying("Here."))
    ask(page, "Where was I?")
    finished(page)
    address = page.url
    other = visit(scripted.base).page(address)
    other.wait_for_url(SIGN_IN)
    other.get_by_label("Email address").fill(email)
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url(address)
    expect(finished(other)).to_contain_text("Here.")
