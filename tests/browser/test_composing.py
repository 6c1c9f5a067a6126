"""What somebody writes is sent once, as soon as it can be, and they go on writing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.chatting import ask, composer, finished, running, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.watching import until
from tidegate.testing.engine import Hold, saying

SESSION = "**/api/session"
LIST = "**/api/conversations"


def test_an_early_enter_is_sent_when_the_page_knows_who_is_there(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    page = here.page()
    sign_up(page)
    waiting: list[Route] = []
    page.route(SESSION, lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto("/chat")
    until(page, lambda: waiting, "the page asks who is signed in")
    scripted.play(saying("Early", " bird."))
    composer(page).fill("Too early?")
    composer(page).press("Enter")
    expect(page.get_by_text("This is sent in a moment.")).to_be_visible()
    expect(composer(page)).to_have_value("Too early?")
    assert not [request for request in here.requests if request.method == "POST" and "/api/" in request.url]
    for route in waiting:
        route.continue_()
    expect(finished(page)).to_contain_text("Early bird.")
    expect(page.get_by_role("article", name="Your question")).to_have_text(["Too early?"])
    expect(composer(page)).to_have_value("")


def test_an_early_enter_outlives_a_service_that_was_away(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).foresee("ERR_CONNECTION_REFUSED").page()
    sign_up(page)
    page.route(SESSION, lambda route: route.abort("connectionrefused"))
    page.goto("/chat")
    composer(page).fill("Anybody there?")
    composer(page).press("Enter")
    expect(page.get_by_text("This is sent when the service can be reached again.")).to_be_visible()
    page.unroute(SESSION)
    scripted.play(saying("Here", " again."))
    page.get_by_role("button", name="Try again").click()
    expect(finished(page)).to_contain_text("Here again.")


def test_nothing_is_missed_of_an_answer_that_began_before_the_page_listened(
    visit: Visiting, scripted: ScriptedService
) -> None:
    here = visit(scripted.base)
    page = here.page()
    sign_up(page)
    streams: list[Route] = []
    taken: list[tuple[Route, APIResponse]] = []
    page.route("**/api/events", lambda route: streams.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto("/chat")
    # Asked for without waiting for the stream, which is late.
    expect(page.get_by_text("Your conversations will be listed here.")).to_be_visible()
    page.route(LIST, lambda route: taken.append((route, route.fetch())) if is_post(route) else route.continue_())
    scripted.play([*saying("One, ")[:1], Hold()])
    composer(page).fill("Count.")
    composer(page).press("Enter")
    until(page, lambda: taken, "the service has the question")
    until(page, lambda: scripted.engine.running, "the answer has begun")
    renewals = here.asked("/api/conversations")
    for stream in streams:
        stream.continue_()
    until(page, lambda: here.asked("/api/conversations") > renewals, "the stream says hello")
    for route, response in taken:
        route.fulfill(response=response)
    expect(running(page)).to_contain_text("One")
    page.get_by_role("button", name="Stop").click()
    finished(page)


def is_post(route: Route) -> bool:
    return route.request.method == "POST"


def test_whoever_writes_on_after_an_early_enter_decides_anew(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    waiting: list[Route] = []
    page.route(SESSION, lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright marks it
    page.goto("/chat")
    until(page, lambda: waiting, "the page asks who is signed in")
    composer(page).fill("Half a")
    composer(page).press("Enter")
    composer(page).press_sequentially(" thought")
    for route in waiting:
        route.continue_()
    expect(page.get_by_text("answers here")).to_be_visible()
    expect(composer(page)).to_have_value("Half a thought")
    expect(page.get_by_role("article")).to_have_count(0)


def test_enter_while_an_answer_is_written_says_why_it_waits(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    end = Hold()
    scripted.play([*saying("One, ")[:1], end, *saying("two.")])
    ask(page, "Count.")
    expect(running(page)).to_contain_text("One")
    composer(page).fill("And now?")
    composer(page).press("Enter")
    why = page.locator("#composer-hint").get_by_text("This answer is still being written.")
    expect(why).to_be_visible()
    expect(composer(page)).to_have_value("And now?")
    scripted.let(end)
    expect(finished(page)).to_contain_text("One, two.")
    expect(why).to_have_count(0)
    expect(composer(page)).to_be_focused()


def click_stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()


def press_escape(page: Page) -> None:
    composer(page).press("Escape")


def press_stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Space")


def escape_on_stop(page: Page) -> None:
    page.get_by_role("button", name="Stop").press("Escape")


@pytest.mark.parametrize("stop", [click_stop, press_escape, press_stop, escape_on_stop])
def test_whoever_stops_an_answer_goes_on_writing(
    stop: Callable[[Page], None], visit: Visiting, scripted: ScriptedService
) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    scripted.play([*saying("One, ")[:1], Hold()])
    ask(page, "Count.")
    expect(running(page)).to_contain_text("One")
    stop(page)
    expect(finished(page)).to_contain_text("You stopped this answer.")
    page.keyboard.type("Enough")
    expect(composer(page)).to_have_value("Enough")


def test_whoever_waits_at_the_stop_button_writes_on_when_the_answer_ends(
    visit: Visiting, scripted: ScriptedService
) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    end = Hold()
    scripted.play([*saying("One, ")[:1], end, *saying("two.")])
    ask(page, "Count.")
    page.get_by_role("button", name="Stop").focus()
    scripted.let(end)
    finished(page)
    expect(composer(page)).to_be_focused()
