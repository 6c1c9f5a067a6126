"""An account begins with a letter and a forgotten password ends with one: without JavaScript, for everybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chatting import PASSWORD, new_address
from tests.browser.conftest import Visiting
from tests.browser.test_accessibility import axe, violations
from tests.browser.watching import until
from tests.integration.running import Instance

__all__ = ["axe"]

NEW_PASSWORD = "another tide, another harbour wall"
CONFIG = """
[mail]
delivery = "disk"
[gate]
account_address_rate = 10000
account_address_burst = 100000
"""


@pytest.fixture(scope="module")
def posting(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The installed program, keeping its letters."""
    instance = Instance(tmp_path_factory.mktemp("posting"), models, config=CONFIG)
    try:
        yield instance.ready()
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()


@pytest.fixture
def opened(visit: Visiting, posting: Instance) -> Callable[[str, str], str]:
    """Opens the newest letter with a subject on the operator's port; answers the path of its link."""
    operator = visit(posting.operator).page()

    def link(to: str, subject: str) -> str:
        row = operator.get_by_role("listitem").filter(has_text=f"to {to}").filter(has_text=subject).first
        load_until(operator, row)
        row.get_by_role("link").click()
        address = operator.get_by_role("link", name="Open the link").get_attribute("href")
        assert address is not None
        assert address.startswith(posting.public)
        return address.removeprefix(posting.public)

    return link


def load_until(page: Page, row: Locator) -> None:
    """Letters are written beside the request that asked for them: the page is loaded until it is there."""

    def is_there() -> int:
        page.goto("/mail")
        return row.count()

    until(page, is_there, "the letter")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_letters_make_an_account_and_replace_a_password_on_pages_that_pass_wcag_2_2_aa(
    width: int,
    theme: str,
    axe: str,
    visit: Visiting,
    posting: Instance,
    opened: Callable[[str, str], str],
    pictures: Path,
) -> None:
    options = {"color_scheme": theme, "viewport": {"width": width, "height": 800}}
    here = visit(posting.public, **options).foresee_status(400, 401, 409, 410)
    page, email = here.page(), new_address()
    found: dict[str, list[Any]] = {}

    def check(name: str) -> None:
        found[name] = violations(page, axe)
        page.screenshot(path=pictures / f"letters-{name}-{theme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the screen"

    page.goto("/sign-up")
    check("sign-up")
    page.get_by_label("Email address").fill("ana@[192.0.2.7].org")
    page.locator("form").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Send me the letter").click()
    expect(page.get_by_role("alert")).to_contain_text("Mail cannot be sent to this address")
    check("sign-up-wrong")
    page.get_by_label("Email address").fill(email)
    page.get_by_role("button", name="Send me the letter").click()
    expect(page.get_by_role("status")).to_contain_text(f"A letter is on its way to {email}")
    check("letter-sent")

    path = opened(email, "Finish creating your account")
    page.goto(path)
    expect(page.get_by_label("Email address")).to_have_value(email)
    check("choose-password")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create my account").click()
    page.wait_for_url("**/chat")

    other = visit(posting.public, java_script_enabled=False, **options).foresee_status(409, 410).page(path)
    expect(other.get_by_role("heading", name="There is an account already")).to_be_visible()
    other.screenshot(path=pictures / f"letters-confirm-used-{theme}-{width}.png", full_page=True)
    other.get_by_role("link", name="Sign in").click()
    other.get_by_role("link", name="Forgotten your password?").click()
    other.get_by_label("Email address").fill(email)
    other.get_by_role("button", name="Send me the letter").click()
    expect(other.get_by_role("status")).to_contain_text(email)
    path = opened(email, "Choose a new password")
    other.goto(path)
    other.get_by_label("New password").fill(NEW_PASSWORD)
    other.get_by_role("button", name="Save and sign in").click()
    other.wait_for_url("**/chat")
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page.goto("/forgot")
    check("forgot")
    page.goto(path)
    expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
    check("link-used")
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_operator_reads_kept_letters_on_pages_that_pass_wcag_2_2_aa(
    theme: str, axe: str, visit: Visiting, posting: Instance, pictures: Path
) -> None:
    public = visit(posting.public).page("/sign-up")
    public.get_by_label("Email address").fill(new_address())
    public.get_by_role("button", name="Send me the letter").click()
    page = visit(posting.operator, color_scheme=theme).page("/")
    expect(page.get_by_text("Letters are kept on this machine, and reach nobody.")).to_be_visible()
    found = {"operator": violations(page, axe)}
    page.screenshot(path=pictures / f"operator-mail-{theme}.png", full_page=True)
    page.get_by_role("link", name="Read the letters").click()
    row = page.get_by_role("listitem").filter(has_text="Finish creating your account").first
    load_until(page, row)
    found["letters"] = violations(page, axe)
    page.screenshot(path=pictures / f"operator-letters-{theme}.png", full_page=True)
    row.get_by_role("link").click()
    expect(page.get_by_text(re.compile("somebody, probably you, asked for an account"))).to_be_visible()
    found["letter"] = violations(page, axe)
    page.screenshot(path=pictures / f"operator-letter-{theme}.png", full_page=True)

    assert {name: wrong for name, wrong in found.items() if wrong} == {}
