"""Who is signed out sees nothing more, in any tab."""

from __future__ import annotations

import re

from playwright.sync_api import expect

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
