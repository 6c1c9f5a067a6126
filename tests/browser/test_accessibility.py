"""axe-core finds nothing to complain about on any page, light or dark."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, composer, finished, new_address, sign_in, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.showing import OLDER, SAID, TITLE
from tidegate.core.generation.call import Delta
from tidegate.testing.engine import saying

_PLACES = (
    os.environ.get("AXE_CORE", ""),
    Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js",
)
_RUN = """() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then((found) =>
  found.violations.map(({ id, nodes }) => [id, nodes.map(({ target, any }) => `${target}: ${any[0]?.message}`)]))"""


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's script: a development dependency of web/."""
    found = next((Path(place) for place in _PLACES if place and Path(place).is_file()), None)
    if found is None:
        pytest.skip("axe-core is not here: cd web && npm ci, or AXE_CORE=/path/to/axe.min.js")
    return found.read_text("utf-8")


def violations(page: Page, axe: str) -> list[Any]:
    page.wait_for_load_state()  # all of a page that a click has just led to
    page.evaluate(axe)
    found: list[Any] = page.evaluate(_RUN)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_passes_wcag_2_2_aa(
    width: int, theme: str, axe: str, visit: Visiting, scripted: ScriptedService
) -> None:
    here = visit(scripted.base, color_scheme=theme, viewport={"width": width, "height": 800}).foresee_status(401, 404)
    page = here.page()
    found: dict[str, list[Any]] = {}

    def check(name: str) -> None:
        found[name] = violations(page, axe)

    page.goto("/")
    check("front")
    page.goto("/nowhere")
    check("refusal")
    page.goto("/sign-up")
    check("sign up")
    page.goto(scripted.setup_path)
    expect(page.get_by_role("heading", name="Set up this service")).to_be_visible()
    check("set-up")
    sign_in(page, "nobody@example.org")
    expect(page.get_by_role("alert")).to_be_visible()
    check("sign in, with an error")
    email = sign_up(page)
    for title, days_ago in OLDER:
        scripted.store_conversation(email, title, [(title, "Yes.")], days_ago=days_ago)
    path = scripted.store_conversation(email, TITLE, SAID)
    page.goto("/chat")
    expect(page.get_by_text("answers here")).to_be_visible()
    check("empty chat")
    page.goto(path)
    finished(page, 2)
    scripted.play([Delta(reasoning="The moon."), *saying("Because", " of", " the", " moon.")])
    composer(page).fill("Why?")
    page.get_by_role("button", name="Send").click()
    finished(page, 3)
    check("chat with answers")
    menu = page.get_by_role("button", name="Conversations", exact=True)
    if menu.is_visible():
        menu.click()
        expect(page.get_by_role("dialog", name="Conversations and account")).to_be_visible()
        check("drawer")
    page.get_by_role("searchbox", name="Search conversations").fill("tide")
    expect(page.get_by_role("navigation", name="Search results").get_by_role("link").first).to_be_visible()
    check("search results")
    page.goto("/account")
    check("account")
    page.get_by_role("button", name="Create a key").click()
    check("new key")
    operator = new_address()
    scripted.make_operator(operator, PASSWORD)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, operator)
    page.wait_for_url("**/chat")
    page.goto("/people")
    expect(page.get_by_role("row", name=operator)).to_contain_text("member since")
    expect(page.get_by_role("row", name=email)).not_to_contain_text("member since")
    check("people")
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
