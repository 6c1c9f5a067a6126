"""What a person does on the pages, in the words that stand on them."""

from __future__ import annotations

import itertools
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.watching import until

PASSWORD = "tide pools at four in the morning"
IN_CONVERSATION = re.compile(r"/chat/cnv_[0-9a-f]+$")
GREETING = "Say hello."
STORY = "Write a very long story about the sea, with many chapters."
_numbers = itertools.count(1)
_TRIES = 8
_LONG = 200


def new_address() -> str:
    """An address that no other test uses."""
    return f"person{next(_numbers)}@example.org"


def sign_up(page: Page, email: str | None = None) -> str:
    """Make an account on the page, which leads to the chat; answers the address."""
    email = email or new_address()
    page.goto("/sign-up")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    expect(composer(page)).to_be_visible()
    return email


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the sign-in form and send it."""
    page.goto("/sign-in")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def composer(page: Page) -> Locator:
    """Where one writes."""
    return page.get_by_role("textbox", name="Message")


def ask(page: Page, text: str) -> None:
    """Write a message and send it; the conversation's address is there when this returns."""
    composer(page).fill(text)
    composer(page).press("Enter")
    page.wait_for_url(IN_CONVERSATION)
    expect(page.get_by_role("article", name="Your question").last).to_have_text(text)


def ask_again_until(page: Page, text: str, *, it_ends: bool) -> int:
    """Ask the real model, in a new conversation each time, until an answer ends by itself, or until one does not.

    How long a small model talks is chance: six greetings of a hundred went on until
    the model was full, and one long story of 380 was over with a word. Answers the
    number of conversations that it took.
    """
    written = answers(page).locator(".prose")
    speechless = page.get_by_role("log").get_by_role("alert")
    for tried in range(1, _TRIES + 1):
        page.goto("/chat")
        ask(page, text)
        until(page, lambda: answers(page).or_(speechless).count() > 0, "an answer, or that there is none")
        until(
            page,
            lambda: running(page).count() == 0 or len("".join(written.all_inner_texts())) > _LONG,
            "some of the answer",
        )
        if (running(page).count() == 0) is it_ends and "".join(written.all_inner_texts()):
            return tried
        composer(page).press("Escape")
        expect(running(page)).to_have_count(0)
    message = f"{_TRIES} answers to {text!r}, and none {'ended by itself' if it_ends else 'went on'}"
    raise AssertionError(message)


def answers(page: Page) -> Locator:
    """Every answer of the conversation."""
    return page.get_by_role("article", name="Answer")


def words(answer: Locator) -> str:
    """What an answer says, as it stands on the page."""
    return answer.locator(".prose").last.inner_text()


def running(page: Page) -> Locator:
    """The answer that is being written."""
    return page.locator("article[aria-busy=true]")


def finished(page: Page, count: int = 1) -> Locator:
    """The newest of `count` answers, once nothing is written any more."""
    expect(answers(page)).to_have_count(count)
    expect(running(page)).to_have_count(0)
    return answers(page).last


def said(page: Page, count: int = 1) -> str:
    """What the newest of `count` answers says in the end."""
    answer = finished(page, count)
    # Words are written once a frame: the last of them may still be on their way.
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return words(answer)


def listed(page: Page) -> Locator:
    """The conversations at the side."""
    return page.get_by_role("navigation", name="Conversations").get_by_role("link")


def stored(page: Page) -> dict[str, Any]:
    """The open conversation as the service has it."""
    path = page.url.rsplit("/", 1)[-1].partition("#")[0]
    found: dict[str, Any] = page.evaluate("(id) => fetch(`/api/conversations/${id}`).then((r) => r.json())", path)
    return found
