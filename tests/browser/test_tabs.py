"""Several tabs of one person: one stream for all of them, whoever closes first."""

from __future__ import annotations

from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.browser.chatting import answers, ask, finished, listed, running, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tests.browser.watching import WITHIN_MS, until
from tidegate.services.watching import MOST_STREAMS
from tidegate.testing.engine import Hold, Step, saying

EVENTS = "/api/events"


def in_parts(*parts: str) -> tuple[list[Step], list[Hold]]:
    """Script an answer that waits after each part but the last."""
    holds = [Hold() for _ in parts[1:]]
    script: list[Step] = [saying(parts[0])[0]]
    for hold, part in zip(holds, parts[1:], strict=True):
        script += [hold, saying(part)[0]]
    return [*script, *saying()], holds


def test_a_second_tab_sees_the_same_answer_grow_on_one_stream(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    first = here.page()
    sign_up(first)
    script, (middle, end) = in_parts("The tide comes in, ", "stays a while, ", "and goes out.")
    scripted.play(script)
    ask(first, "What does the tide do?")
    second = here.page(first.url)
    for page in (first, second):
        expect(running(page)).to_contain_text("comes in")
    scripted.let(middle)
    for page in (first, second):
        expect(running(page)).to_contain_text("stays a while")
    scripted.let(end)
    for page in (first, second):
        expect(finished(page)).to_contain_text("The tide comes in, stays a while, and goes out.")
    assert here.asked(EVENTS) == 1


def test_when_the_tab_with_the_stream_closes_another_takes_over(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    first = here.page()
    sign_up(first)
    script, (middle, end) = in_parts("One. ", "Two. ", "Three.")
    scripted.play(script)
    ask(first, "Count.")
    second = here.page(first.url)
    expect(running(second)).to_contain_text("One.")
    first.close()
    # Said while nobody listens: the one who takes over asks for all of it.
    scripted.let(middle)
    expect(running(second)).to_contain_text("One. Two.")
    until(second, lambda: here.asked(EVENTS) == 2, "the second tab's stream")
    scripted.let(end)
    expect(finished(second)).to_contain_text("One. Two. Three.")
    scripted.play(saying("On", " its", " own", " now."))
    ask(second, "And you?")
    expect(finished(second, 2)).to_contain_text("On its own now.")
    assert here.asked(EVENTS) == 2


def test_eight_tabs_at_once_all_work(visit: Visiting, scripted: ScriptedService) -> None:
    """A browser opens six connections to a host: a stream for each tab would leave none to ask with."""
    here = visit(scripted.base)
    pages = [here.page()]
    sign_up(pages[0])
    scripted.play(saying("Eight", " of", " us."))
    ask(pages[0], "How many?")
    finished(pages[0])
    pages += [here.page(pages[0].url) for _ in range(7)]
    for page in pages:
        expect(finished(page)).to_contain_text("Eight of us.")
    script, (hold,) = in_parts("Still ", "eight.")
    scripted.play(script)
    ask(pages[7], "And now?")
    for page in pages:
        expect(running(page)).to_contain_text("Still")
    scripted.let(hold)
    for page in pages:
        expect(finished(page, 2)).to_contain_text("Still eight.")
    assert here.asked(EVENTS) == 1


def test_what_one_tab_changes_the_others_show(visit: Visiting, scripted: ScriptedService) -> None:
    here = visit(scripted.base)
    first = here.page()
    sign_up(first)
    scripted.play(saying("Yes."))
    ask(first, "Is the harbour open?")
    finished(first)
    second = here.page("/chat")
    expect(listed(second)).to_have_text(["Is the harbour open?"])
    rename(first, "Is the harbour open?", "Harbour")
    expect(listed(second)).to_have_text(["Harbour"])
    ask(second, "Is the bridge open?")
    expect(listed(first)).to_have_text(["Is the bridge open?", "Harbour"])
    expect(answers(first)).to_have_count(1)


def rename(page: Page, title: str, new: str) -> None:
    page.get_by_role("link", name=title).hover()
    page.get_by_role("button", name=f"Rename “{title}”").click()
    field = page.get_by_label("New name of the conversation")
    field.fill(new)
    field.press("Enter")


def test_without_a_trusted_connection_each_tab_listens_and_the_page_warns(
    visit: Visiting, scripted: ScriptedService
) -> None:
    """Over plain HTTP from another machine there are no locks between tabs and no Secure cookies."""
    base = scripted.base.replace("127.0.0.1", "tide.test")
    here = visit(base).foresee("Cross-Origin-Opener-Policy header has been ignored")
    page = here.page()
    sign_up(page)
    expect(page.get_by_text("This connection is not protected")).to_be_visible()
    assert page.evaluate("isSecureContext") is False
    scripted.play(saying("Heard."))
    ask(page, "Do you hear me?")
    expect(finished(page)).to_contain_text("Heard.")
    expect(page.get_by_role("button", name="Copy answer")).to_be_visible()


def another_device(page: Page, base: str, closing: ExitStack) -> HTTPResponse:
    """One more stream of the same account; the answer has begun."""
    connection = HTTPConnection(urlsplit(base).netloc, timeout=WITHIN_MS / 1000)
    closing.callback(connection.close)
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    connection.request("GET", EVENTS, headers={"Cookie": cookies})
    answer = connection.getresponse()
    assert b"hello" in told(answer)
    return answer


def told(stream: HTTPResponse) -> bytes:
    """The next event, past what only keeps a quiet line open."""
    return next(line for line in iter(stream.readline, b"") if line.startswith(b"data:"))


def test_a_page_that_gave_way_to_newer_ones_comes_back_when_somebody_is_there(
    visit: Visiting, scripted: ScriptedService
) -> None:
    """Not by itself: many pages that all did would chase each other for ever."""
    here = visit(scripted.base)
    page = here.page()
    with page.expect_response(f"**{EVENTS}"):  # From here on it is the oldest.
        sign_up(page)
    page.clock.install()
    with ExitStack() as closing:
        others = [another_device(page, scripted.base, closing) for _ in range(MOST_STREAMS)]
        lost = page.get_by_role("status").filter(has_text="Reconnecting")
        expect(lost).to_be_visible()
        page.clock.run_for(120_000)
        assert here.asked(EVENTS) == 1

        page.keyboard.press("Shift")

        until(page, lambda: here.asked(EVENTS) == 2, "it is back")
        assert b"replaced" in told(others[0]), "the oldest of the others is told instead"
        expect(lost).to_have_count(0)
