"""Whoever waits is told where they stand; whoever had to make room, that nothing of it is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chatting import (
    PASSWORD,
    answers,
    ask,
    composer,
    finished,
    new_address,
    running,
    said,
    sign_in,
    sign_up,
)
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.watching import stand_still, until
from tidegate.core.generation.call import Delta
from tidegate.testing.engine import Hold, saying

_ASK = """async (content) => {
  const { csrf_token } = await (await fetch("/api/session")).json();
  const headers = { "content-type": "application/json", "x-csrf-token": csrf_token };
  const response = await fetch("/api/conversations", { method: "POST", headers, body: JSON.stringify({ content }) });
  return [response.status, (await response.json()).conversation?.id];
}"""
_SPOKEN = """() => {
  window.spoken = [];
  const voice = document.querySelector("[aria-live=polite]");
  new MutationObserver(() => window.spoken.push(voice.innerText)).observe(voice, { childList: true, subtree: true });
}"""
LINE = re.compile(r"You are third in line\. (About (\d+ (seconds|minutes)|a minute)|Any moment now)\.")
CROWDED_OUT = "The service became very busy, and this answer had to make room. What was written is kept."


def ask_elsewhere(page: Page, count: int) -> None:
    """Begin conversations that the page does not show."""
    for number in range(count):
        assert page.evaluate(_ASK, f"Question {number}")[0] == 201


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedService]:
    """One of its own: what a model that pauses for a test teaches about its speed is nobody else's."""
    service = ScriptedService(tmp_path / "data").start()
    yield service
    service.stop()


@pytest.fixture(params=[("desktop", "light"), ("phone", "dark")], ids="-".join)
def look(
    request: pytest.FixtureRequest, visit: Visiting, scripted: ScriptedService, pictures: Path
) -> tuple[Page, Callable[[str], None]]:
    """A page of one size and theme, and what takes its picture."""
    size, theme = request.param
    viewport = {"width": 1280, "height": 860} if size == "desktop" else {"width": 390, "height": 844}
    is_phone = size == "phone"
    here = visit(scripted.base, viewport=viewport, color_scheme=theme, has_touch=is_phone, is_mobile=is_phone)
    page = here.foresee_status(429).page()

    def take(name: str) -> None:
        page.screenshot(path=pictures / f"{name}-{size}-{theme}.png")

    return page, take


def send(page: Page, text: str) -> None:
    """Ask, also where Enter begins a new line."""
    composer(page).fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article", name="Your question").last).to_have_text(text)


def test_a_page_says_in_words_where_its_answer_stands(
    look: tuple[Page, Callable[[str], None]], scripted: ScriptedService
) -> None:
    page, take = look
    hold = Hold()
    scripted.play([hold, *saying("Here", " it", " is.")])
    sign_up(page)
    ask_elsewhere(page, 3)
    page.evaluate(_SPOKEN)

    send(page, "And mine?")

    expect(running(page)).to_have_text(LINE)
    take("waiting")
    until(
        page, lambda: page.evaluate("window.spoken.some((said) => said.startsWith('You are third in line.'))"), "said"
    )
    # Seconds go by on the page, and nobody is told of each of them.
    shown = running(page).inner_text()
    until(page, lambda: running(page).inner_text() != shown, "less to wait")
    assert page.evaluate("window.spoken.filter((said) => said.includes('in line')).length") == 1
    page.reload()
    expect(running(page)).to_have_text(LINE)
    scripted.let(hold)
    assert said(page) == "Here it is."


def test_an_answer_that_had_to_make_room_is_kept_and_can_be_asked_for_again(
    look: tuple[Page, Callable[[str], None]], visit: Visiting, scripted: ScriptedService
) -> None:
    page, take = look
    hold = Hold()
    scripted.play([Delta(content="Half of it"), hold, *saying(" and the rest.")])
    sign_up(page)
    ask_elsewhere(page, 3)
    send(page, "And mine?")
    until(page, lambda: running(page).locator(".prose").last.inner_text().startswith("Half"), "half of the answer")
    operator = new_address()
    scripted.make_operator(operator, PASSWORD)
    other = visit(scripted.base).page()
    sign_in(other, operator)
    expect(composer(other)).to_be_visible()

    ask(other, "Make room, please.")

    cut = finished(page)
    expect(cut).to_contain_text(CROWDED_OUT)
    expect(cut.locator(".prose").last).to_have_text("Half of it")
    expect(cut.get_by_role("button", name="Try again")).to_be_visible()
    take("crowded-out")
    scripted.let(hold)
    assert said(other).startswith("Half of it")
    page.reload()
    expect(finished(page)).to_contain_text(CROWDED_OUT)
    scripted.play(saying("All of it."))
    finished(page).get_by_role("button", name="Try again").click()
    until(page, lambda: answers(page).last.locator(".prose").last.inner_text() == "All of it.", "another answer")


def test_a_refusal_counts_down_until_it_may_be_tried_again(
    look: tuple[Page, Callable[[str], None]], scripted: ScriptedService
) -> None:
    page, take = look
    hold = Hold()
    scripted.play([hold, *saying("Here.")])
    sign_up(page)
    ask_elsewhere(page, 4)
    stand_still(page)

    composer(page).fill("One too many?")
    page.get_by_role("button", name="Send").click()

    again = page.get_by_role("button", name=re.compile("Try again in"))
    expect(again).to_be_disabled()
    expect(page.get_by_role("alert")).to_contain_text("4 requests")
    take("refused")
    scripted.let(hold)
    until(page, lambda: scripted.engine.ended == 4, "there is room")
    page.clock.resume()
    now = page.get_by_role("button", name="Try again", exact=True)
    expect(now).to_be_enabled()
    now.click()
    assert said(page) == "Here."
