"""How the pages look: pictures for people, and no page that must be scrolled sideways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, composer, finished, new_address, sign_in, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.showing import OLDER, SAID, TITLE

SIZES = {"desktop": (1280, 860), "phone": (390, 844), "narrow": (320, 640)}
# What stands on pictures.
ADDRESSES = (f"{name}@example.org" for name in ("ada", "grace", "lise", "emmy", "hedy", "rosa", "maud", "ines"))
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3

_BACKGROUND = "getComputedStyle(document.documentElement).backgroundColor"
_PAPER = "getComputedStyle(document.body).backgroundColor"
_SIDEWAYS = """() => {
  const page = document.scrollingElement;
  const wide = [...document.querySelectorAll("body *")].filter((element) => {
    const { right, width } = element.getBoundingClientRect();
    return width > 0 && right > innerWidth + 1 && !element.closest(".wide, pre, .scroll, .unseen");
  });
  return { by: page.scrollWidth - page.clientWidth, wide: wide.map((element) => element.outerHTML.slice(0, 90)) };
}"""

_OUT_OF_CARD = """() => [...document.querySelectorAll(".card td")].filter((cell) =>
  cell.getBoundingClientRect().right > cell.closest(".card").getBoundingClientRect().right - 16).length"""


@pytest.fixture(params=[(size, theme) for size in SIZES for theme in ("light", "dark")], ids="-".join)
def look(
    request: pytest.FixtureRequest, visit: Visiting, scripted: ScriptedService, pictures: Path
) -> tuple[Page, Callable[[str], None]]:
    """A page of one size and theme, and what takes its picture."""
    size, theme = request.param
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    here = visit(
        scripted.base, viewport=viewport, color_scheme=theme, has_touch=size != "desktop", is_mobile=size != "desktop"
    )
    page = here.foresee_status(401).page()

    def take(name: str) -> None:
        page.screenshot(path=pictures / f"{name}-{size}-{theme}.png", full_page=name not in {"chat", "empty", "drawer"})
        assert page.evaluate(_SIDEWAYS) == {"by": 0, "wide": []}, name

    return page, take


def test_no_page_is_wider_than_its_window(look: tuple[Page, Callable[[str], None]], scripted: ScriptedService) -> None:
    page, take = look
    page.goto("/")
    take("front")
    page.goto("/sign-up")
    take("sign-up")
    sign_in(page, "nobody@example.org")
    expect(page.get_by_role("alert")).to_be_visible()
    take("sign-in-error")
    email = sign_up(page, next(ADDRESSES))
    for title, days_ago in OLDER:
        scripted.store_conversation(email, title, [(title, "Yes.")], days_ago=days_ago)
    path = scripted.store_conversation(email, TITLE, SAID)
    page.goto("/chat")
    expect(page.get_by_text("answers here")).to_be_visible()
    take("empty")
    page.goto(path)
    finished(page, 2)
    expect(composer(page)).to_be_visible()
    take("chat")
    menu = page.get_by_role("button", name="Conversations", exact=True)
    if menu.is_visible():
        menu.click()
        expect(page.get_by_role("dialog", name="Conversations and account")).to_be_visible()
        take("drawer")
    page.goto(scripted.store_conversation(email, LONG_WORD, [(LONG_WORD, f"{LONG_WORD} `{LONG_WORD}`")]))
    finished(page)
    take("long-word")
    page.goto("/account")
    take("account")
    page.get_by_label("Name of the new key").fill("Harbour script")
    page.get_by_role("button", name="Create a key").click()
    take("new-key")


def test_the_drawer_closes_with_escape_and_gives_the_focus_back(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base, viewport={"width": 390, "height": 844}, has_touch=True).page()
    sign_up(page)
    menu = page.get_by_role("button", name="Conversations", exact=True)
    menu.click()
    drawer = page.get_by_role("dialog", name="Conversations and account")
    expect(drawer.get_by_role("link", name="Tidegate")).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(menu).to_be_focused()


def test_the_theme_that_one_chose_stays(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base, color_scheme="light").page()
    sign_up(page)
    light = page.evaluate(_BACKGROUND)
    page.get_by_role("radio", name="Dark").check()
    dark = page.evaluate(_BACKGROUND)
    assert dark != light
    page.reload()
    expect(composer(page)).to_be_visible()
    assert page.evaluate(_BACKGROUND) == dark
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    page.goto("/account")
    assert page.evaluate(_PAPER) == dark
    page.goto("/chat")
    page.get_by_role("radio", name="Auto").check()
    assert page.evaluate(_BACKGROUND) == light
    assert "tidegate-theme" not in {cookie.get("name") for cookie in page.context.cookies()}
    page.goto("/account")
    assert page.evaluate(_PAPER) == light


def test_a_new_key_can_be_read_whole_on_the_narrowest_phone(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base, viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True).page()
    sign_up(page)
    page.goto("/account")
    page.get_by_role("button", name="Create a key").click()
    key = page.get_by_role("textbox", name="Key")
    expect(key).to_be_visible()
    assert key.evaluate("(field) => field.scrollHeight - field.clientHeight") <= 0
    assert key.evaluate("(field) => field.scrollWidth - field.clientWidth") <= 0


def test_whoever_is_signed_in_has_a_header_of_one_line_on_a_phone(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base, viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True).page()
    operator = new_address()
    scripted.make_operator(operator, PASSWORD)
    sign_in(page, operator)
    page.wait_for_url("**/chat")
    page.goto("/people")
    expect(page.get_by_role("link", name="Tidegate")).to_be_visible()
    links = page.get_by_role("banner").locator("a:visible, button").all()
    middles = [box["y"] + box["height"] / 2 for link in links if (box := link.bounding_box()) is not None]
    assert len(middles) == 5
    assert max(middles) - min(middles) < 4


@pytest.mark.parametrize("width", [1280, 820, 320])
def test_the_accounts_stay_within_their_card(
    width: int, visit: Visiting, scripted: ScriptedService, pictures: Path
) -> None:
    sign_up(visit(scripted.base).page())  # Who has a budget, beside an operator who has none.
    page = visit(scripted.base, viewport={"width": width, "height": 800}).page()
    operator = f"a.rather.long.name.{new_address().replace('@', '@the.department.')}"
    scripted.make_operator(operator, PASSWORD)
    sign_in(page, operator)
    page.wait_for_url("**/chat")
    page.goto("/people")
    expect(page.get_by_role("region", name="Accounts", exact=True).get_by_role("row", name=operator)).to_be_visible()
    page.screenshot(path=pictures / f"people-{width}.png", full_page=True)
    assert page.evaluate(_OUT_OF_CARD) == 0
