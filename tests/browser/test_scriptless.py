"""Everything but the chat itself works without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, new_address
from tests.browser.conftest import Visiting
from tests.integration.running import Instance

NEW_PASSWORD = "another tide, another harbour wall"


def enter(page: Page, email: str, password: str, button: str) -> None:
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name=button).click()


@pytest.fixture
def page(visit: Visiting, real: Instance) -> Page:
    """Signed up, on the chat's page, in a browser without JavaScript."""
    page = visit(real.public, java_script_enabled=False).foresee_status(401).page("/")
    page.get_by_role("link", name="Create an account").click()
    enter(page, new_address(), PASSWORD, "Create an account")
    page.wait_for_url("**/chat")
    return page


def test_the_chat_says_that_it_needs_javascript_and_leads_to_the_account(page: Page) -> None:
    said = page.locator("noscript p")
    expect(said).to_be_visible()
    assert said.inner_text().startswith("The chat needs JavaScript")
    page.get_by_role("link", name="account page").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_a_wrong_password_is_said_and_the_address_kept(page: Page) -> None:
    page.goto("/account")
    email = page.locator("dd").first.inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").first.click()
    enter(page, email, "not this one, surely", "Sign in")
    expect(page.get_by_role("alert")).to_have_text("The address or the password is wrong.")
    expect(page.get_by_label("Email address")).to_have_value(email)
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/chat")


def test_a_key_is_shown_once_works_and_is_revoked(page: Page, real: Instance) -> None:
    page.goto("/account")
    page.get_by_label("Name of the new key").fill("Harbour script")
    page.get_by_role("button", name="Create a key").click()
    key = page.get_by_role("textbox", name="Harbour script").input_value()
    assert real.ask("/v1/models", key=key).status == 200
    page.get_by_role("link", name="I have copied it").click()
    assert key not in page.content()
    expect(page.get_by_text("Harbour script")).to_be_visible()
    page.get_by_role("button", name="Revoke the key Harbour script").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked.")
    assert real.ask("/v1/models", key=key).status == 401


def test_a_new_password_replaces_the_old_one(page: Page) -> None:
    page.goto("/account")
    email = page.locator("dd").first.inner_text()
    page.get_by_label("Current password").fill("not this one, surely")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).to_have_text("This is not your current password.")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/sign-in")
    enter(page, email, PASSWORD, "Sign in")
    expect(page.get_by_role("alert")).to_be_visible()
    enter(page, email, NEW_PASSWORD, "Sign in")
    page.wait_for_url("**/chat")


def test_signing_out_ends_it_for_good(page: Page) -> None:
    page.goto("/account")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    page.goto("/account")
    page.wait_for_url(re.compile(r"/sign-in\?next="))
