"""An answer is text: whatever it holds, nothing runs, nothing loads, and no link leads anywhere odd."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import answers, ask, listed, said, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.vectors import ACT, all_vectors
from tidegate.testing.engine import saying

FINE = "[fine](https://example.org/path) **strong** `code`"
PIECE = 7
"""Characters at a time: addresses and tags arrive in parts."""

# Everything below an answer, as the browser has it.
_ELEMENTS = """(root) => [...root.querySelectorAll("*")].map((element) => ({
  tag: element.localName,
  space: element.namespaceURI,
  attributes: Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value])),
}))"""
_XHTML = "http://www.w3.org/1999/xhtml"
_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "div"),
    *("button", "table", "thead", "tbody", "tr", "th", "td", "h2", "h3", "h4", "h5", "h6", "input"),
}
_ATTRIBUTES = {
    *("class", "title", "href", "target", "rel", "tabindex", "role", "scope", "type", "disabled", "checked", "start"),
    *("aria-label", "dir", "lang"),
}
_HREF = re.compile(r"(?:https?://|mailto:|#[\w-]*$)")


def faults(elements: list[dict[str, Any]]) -> list[str]:
    """What may not stand below an answer."""
    found = []
    for element in elements:
        attributes = element["attributes"]
        if element["tag"] not in _TAGS or element["space"] != _XHTML:
            found.append(f"element {element['tag']}")
        found += [f"attribute {element['tag']}.{name}" for name in attributes if name not in _ATTRIBUTES]
        href = attributes.get("href")
        if href is not None and (not _HREF.match(href) or "@" in href.partition("?")[0].removeprefix("mailto:")):
            found.append(f"address {href}")
        if href is not None and not href.startswith("#") and "noopener" not in attributes.get("rel", ""):
            found.append(f"no noopener: {href}")
        if element["tag"] == "input" and (attributes.get("type"), "disabled" in attributes) != ("checkbox", True):
            found.append("input that is no dead checkbox")
        if element["tag"] == "button" and attributes.get("aria-label") != "Copy code":
            found.append("button that is not ours")
    return found


def dead(page: Page, count: int) -> None:
    """Assert that every one of `count` answers is nothing but text in our own elements."""
    expect(answers(page)).to_have_count(count)
    for prose in page.locator("article.answer .prose").all():
        elements = prose.evaluate(_ELEMENTS)
        assert faults(elements) == [], prose.inner_text()[:200]


def test_the_check_itself_sees_what_is_alive() -> None:
    alive = [("script", {}), ("a", {"href": "javascript:alert(1)", "rel": "noopener"}), ("img", {"src": "x"})]
    alive += [
        ("p", {"onclick": ACT}),
        ("a", {"href": "https://a@b/", "rel": "noopener"}),
        ("button", {}),
        ("input", {}),
    ]
    for tag, attributes in alive:
        assert faults([{"tag": tag, "space": _XHTML, "attributes": attributes}])
    assert faults([{"tag": "a", "space": "http://www.w3.org/2000/svg", "attributes": {}}])
    assert faults([{"tag": "a", "space": _XHTML, "attributes": {"href": "https://a/", "rel": "noopener"}}]) == []


def test_no_stored_answer_comes_to_life(visit: Visiting, scripted: ScriptedService) -> None:
    vectors = all_vectors()
    assert len(vectors) >= 100
    here = visit(scripted.base)
    page = here.page()
    email = sign_up(page)
    stored = [(vector, f"{vector}\n\n{FINE}") for vector in vectors]
    path = scripted.store_conversation(email, vectors[0], stored)
    page.goto(path)
    expect(page).to_have_title(f"{vectors[0]} · Tidegate")
    dead(page, len(vectors))
    fine = page.locator("article.answer .prose a[href='https://example.org/path']")
    # Some leave a block open that takes in what follows; most do not, and there the link is alive.
    assert fine.count() > 0.8 * len(vectors)
    questions = page.locator("article.question .bubble")
    assert questions.evaluate_all("(all) => all.reduce((sum, one) => sum + one.childElementCount, 0)") == 0
    expect(questions.first).to_have_text(vectors[0])
    expect(listed(page).first).to_have_text(vectors[0])
    assert len(here.context.pages) == 1


@pytest.mark.parametrize("part", range(4))
def test_no_answer_comes_to_life_while_it_is_written(part: int, visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    page = here.page()
    sign_up(page)
    text = "\n\n".join(["[fine](https://fine.example/)", *all_vectors()[part::4]])
    scripted.play(saying(*(text[at : at + PIECE] for at in range(0, len(text), PIECE))))
    ask(page, f"<img src=x onerror={ACT}>")
    assert said(page)
    dead(page, 1)
    assert page.locator("article.answer .prose a[href='https://fine.example/']").count() == 1
    assert len(here.context.pages) == 1


def test_search_and_titles_show_markup_as_text(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    email = sign_up(page)
    title = f"<img src=x onerror={ACT}> herring"
    scripted.store_conversation(email, title, [("Herring?", f"<b onclick={ACT}>herring</b> <script>{ACT}</script>")])
    page.goto("/chat")
    page.get_by_role("searchbox", name="Search conversations").fill("herring <script>")
    results = page.get_by_role("navigation", name="Search results")
    expect(results.get_by_role("link")).to_contain_text("<script>")
    assert results.locator("img, script, b").count() == 0
    page.get_by_role("searchbox", name="Search conversations").press("Escape")
    expect(listed(page)).to_have_text([title])
    page.get_by_role("link", name=title).hover()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".notice")).to_contain_text(title)
    assert page.locator(".notice img").count() == 0
