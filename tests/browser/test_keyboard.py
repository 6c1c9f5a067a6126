"""Everything is reached without a mouse, and one always sees where one is."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.chatting import PASSWORD, composer, finished, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tidegate.testing.engine import saying

_FOCUSED = """() => {
  const at = document.activeElement;
  const shown = (element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow !== "none";
  };
  const around = at.closest("label, .field, .search, .item, form") ?? at;
  const { width, height } = at.getBoundingClientRect();
  const name = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent;
  return { name: name.trim(), isShown: shown(at) || shown(around), isThere: width * height > 0, tag: at.tagName };
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is there; fails where the focus cannot be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        at = page.evaluate(_FOCUSED)
        if at["tag"] == "BODY":
            continue
        assert at["isShown"], f"nobody sees that the focus is on {at}"
        if at["name"] == name:
            return
    message = f"no way to {name}"
    raise AssertionError(message)


def test_from_the_front_page_to_an_answer_without_a_mouse(visit: Visiting, scripted: ScriptedService) -> None:
    email = sign_up(visit(scripted.base).page())
    scripted.play(saying("Hands", " on", " the", " keys."))
    page = visit(scripted.base).page("/")
    tab_to(page, "Sign in")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")
    tab_to(page, "Email address")
    page.keyboard.type(email)
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(composer(page)).to_be_focused()
    page.keyboard.type("No mouse?")
    page.keyboard.press("Enter")
    expect(finished(page)).to_contain_text("Hands on the keys.")
    expect(composer(page)).to_be_focused()
    for name in ("Tidegate", "New chat", "Search conversations", "No mouse?", "Rename “No mouse?”", "Sign out"):
        page.locator("body").evaluate("() => document.activeElement.blur()")
        tab_to(page, name)


def test_the_first_tab_skips_to_the_message(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    expect(composer(page)).to_be_focused()
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "Skip to the message field")
    page.keyboard.press("Enter")
    expect(composer(page)).to_be_focused()


def test_shift_enter_starts_a_new_line(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    composer(page).press_sequentially("one")
    composer(page).press("Shift+Enter")
    composer(page).press_sequentially("two")
    expect(composer(page)).to_have_value("one\ntwo")
