"""What people do at the door of the installed program: the line and its way without JavaScript, by keyboard, enlarged.

How each state looks is in test_door.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chatting import new_address
from tests.browser.conftest import Visiting
from tests.browser.watching import Visit
from tests.integration.running import A_TOWN_BEHIND_ONE_ADDRESS, Instance

CONFIG = f"""
[mail]
delivery = "disk"
[registration]
let_in_per_min = 0.1
{A_TOWN_BEHIND_ONE_ADDRESS}"""
TICKET = "__Host-tidegate-place"


@pytest.fixture(scope="module")
def door(models: Path, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The installed program, keeping its letters, with few people let in a minute."""
    instance = Instance(tmp_path_factory.mktemp("door"), models, config=CONFIG)
    try:
        instance.ready()
        assert instance.verb("mode", "set", "waiting_room", "--for", "1h").returncode == 0
        while is_let_in(Visit(browser, instance.public)):
            pass  # As many as may come at once after a rest: from here on it takes ten minutes for each.
        yield instance
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()


def is_let_in(stranger: Visit) -> bool:
    """Gets somebody into the line, and tells whether their turn comes within a few ticks."""
    page = stranger.page("/sign-up")
    page.get_by_role("button", name="Get in line").click()
    # Their turn may come before a page has told them that they wait.
    turn = page.get_by_text("This form is kept for you")
    expect(page.get_by_role("heading", name="You are in line").or_(turn)).to_be_visible()
    is_over = False
    for _ in range(30):
        page.goto("/sign-up/line")
        is_over = page.url.endswith("/sign-up")
        if is_over:
            break
        page.wait_for_timeout(100)
    stranger.close()
    return is_over


@pytest.fixture
def mode(door: Instance) -> Iterator[Callable[[str], None]]:
    """Says, as an operator, how far registration is open."""

    def force(name: str) -> None:
        done = door.verb("mode", "set", name, "--for", "1h")
        assert done.returncode == 0, done.stderr

    yield force
    assert door.verb("mode", "auto").returncode == 0


def line_up(here: Visit) -> Page:
    """With the work done by the page itself."""
    page = here.page("/sign-up")
    page.get_by_role("button", name="Get in line").click()
    expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    return page


@pytest.fixture
def wide_door(models: Path, tmp_path: Path) -> Iterator[Instance]:
    """One at which it soon is somebody's turn."""
    instance = Instance(tmp_path, models, config=CONFIG.replace("= 0.1", "= 30"))
    try:
        yield instance.ready()
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()


def test_without_javascript_the_line_leads_to_an_account_by_itself(visit: Visiting, wide_door: Instance) -> None:
    """Nothing is pressed but what gets into the line: the page asks again by itself."""
    assert wide_door.verb("mode", "set", "waiting_room").returncode == 0
    page = visit(wide_door.public, java_script_enabled=False).page("/")
    page.get_by_role("link", name="Create an account").click()
    expect(page.locator("noscript p")).to_be_visible()
    page.get_by_role("button", name="Wait instead").click()
    expect(page.get_by_role("heading", name="You are in line")).to_be_visible()

    page.wait_for_url("**/sign-up", timeout=120_000)

    expect(page.get_by_text("It is your turn. This form is kept for you for")).to_be_visible()
    page.get_by_label("Email address").fill(new_address())
    page.get_by_role("button", name="Send me the letter").click()
    expect(page.get_by_role("status")).to_contain_text("A letter is on its way")


def test_who_is_in_line_keeps_the_place_and_the_focus_through_a_reload(
    visit: Visiting, door: Instance, mode: Callable[[str], None]
) -> None:
    mode("invite")
    mode("waiting_room")
    here = visit(door.public)
    page = line_up(here)
    ticket = {cookie["name"]: cookie["value"] for cookie in here.context.cookies()}[TICKET]
    mode("invite")  # Nobody's turn comes in between.
    page.reload()
    expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    assert {cookie["name"]: cookie["value"] for cookie in here.context.cookies()}[TICKET] == ticket
    assert page.evaluate("document.activeElement === document.body")
    assert re.match(r"In line.* - Tidegate", page.title())


def test_the_line_is_reached_and_left_by_keyboard_alone(
    visit: Visiting, door: Instance, mode: Callable[[str], None]
) -> None:
    mode("waiting_room")
    page = visit(door.public).page("/sign-up")
    expect(page.get_by_role("status")).to_have_text("The check is done.")
    tab_to(page, page.get_by_role("button", name="Get in line"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    # A page that renews itself takes the focus away from whoever is slow.
    tab_to(page, page.get_by_role("link", name="Do not renew it by itself"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("This page stands still.")).to_be_visible()
    mode("invite")
    tab_to(page, page.get_by_role("button", name="Leave the line"))
    page.keyboard.press("Enter")
    page.wait_for_url(door.public + "/")


def test_forced_colours_and_a_page_four_times_as_large_lose_nothing(
    visit: Visiting, door: Instance, mode: Callable[[str], None], pictures: Path
) -> None:
    """WCAG 2.2, 1.4.10: 1280 pixels at 400 % are 320."""
    mode("waiting_room")
    here = visit(door.public, forced_colors="active", viewport={"width": 320, "height": 640})
    page = here.page("/sign-up")
    expect(page.get_by_role("status")).to_have_text("The check is done.")
    page.screenshot(path=pictures / "door-line-forced-colours.png", full_page=True)
    page.get_by_role("button", name="Get in line").click()
    expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    page.screenshot(path=pictures / "door-waiting-forced-colours.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    status = page.get_by_role("status")
    assert status.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid", (
        "a border is left where colour is not"
    )


def test_the_status_page_says_how_it_is_for_new_people(
    visit: Visiting, door: Instance, mode: Callable[[str], None], pictures: Path
) -> None:
    mode("invite")
    page = visit(door.status).page("/")
    expect(
        page.get_by_text("New accounts need an invitation for now. Who has an account signs in as always.")
    ).to_be_visible()
    page.screenshot(path=pictures / "door-status.png", full_page=True)
    (component,) = door.ask("/api/v2/status.json", at=door.status).json["components"]
    assert (component["id"], component["status"]) == ("new_accounts", "partial_outage")


def tab_to(page: Page, wanted: Any) -> None:
    for _ in range(30):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            return
    message = "the keyboard does not get there"
    raise AssertionError(message)
