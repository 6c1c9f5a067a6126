"""A person and the real model."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.chatting import (
    GREETING,
    STORY,
    ask_again_until,
    composer,
    finished,
    listed,
    running,
    said,
    sign_in,
    sign_up,
    stored,
    words,
)
from tests.browser.conftest import Visiting
from tests.browser.watching import until
from tests.integration.running import Instance


def test_a_conversation_is_there_again_after_signing_out_and_in(visit: Visiting, real: Instance) -> None:
    here = visit(real.public).foresee_status(401)
    page = here.page()
    email = sign_up(page)
    made = ask_again_until(page, GREETING, it_ends=True)
    answer = said(page)
    assert answer.strip()
    address = page.url
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(real.public + "/")
    sign_in(page, email)
    expect(listed(page)).to_have_count(made)
    listed(page).first.click()
    page.wait_for_url(address)
    assert said(page) == answer


def test_an_answer_grows_while_one_watches(visit: Visiting, real: Instance) -> None:
    page = visit(real.public).page()
    sign_up(page)
    ask_again_until(page, STORY, it_ends=False)
    seen = [words(running(page))]
    for _ in range(3):
        until(page, lambda: len(words(running(page))) > len(seen[-1]) + 20, "more of the answer")
        seen.append(words(running(page)))
    assert seen == sorted(seen, key=len)
    assert seen[3].startswith(seen[1][:-10])
    page.get_by_role("button", name="Stop").click()
    finished(page)


def test_stop_keeps_what_was_said_so_far(visit: Visiting, real: Instance) -> None:
    page = visit(real.public).page()
    sign_up(page)
    ask_again_until(page, STORY, it_ends=False)
    before = words(running(page))
    page.get_by_role("button", name="Stop").click()
    stopped = finished(page)
    expect(stopped).to_contain_text("You stopped this answer.")
    kept = said(page)
    assert kept.startswith(before[:-10])
    page.reload()
    again = finished(page)
    expect(again).to_contain_text("You stopped this answer.")
    assert said(page) == kept
    assert stored(page)["messages"][-1]["ending"] == "stopped"


def test_escape_stops_an_answer(visit: Visiting, real: Instance) -> None:
    page = visit(real.public).page()
    sign_up(page)
    ask_again_until(page, STORY, it_ends=False)
    composer(page).press("Escape")
    expect(finished(page)).to_contain_text("You stopped this answer.")


def test_an_answer_goes_on_while_the_page_is_loaded_again(visit: Visiting, real: Instance) -> None:
    page = visit(real.public).page()
    sign_up(page)
    ask_again_until(page, STORY, it_ends=False)
    before = stored(page)["reply"]["content"]
    page.reload()
    until(page, lambda: running(page).count() == 1, "the answer that is being written")
    until(page, lambda: len(words(running(page))) > len(before) + 60, "more of the answer, without asking again")
    seen = words(running(page))
    page.get_by_role("button", name="Stop").click()
    assert said(page).startswith(seen[:-10])
    tree = stored(page)
    assert tree["reply"] is None
    assert [message["author"] for message in tree["messages"]] == ["user", "assistant"]
    assert tree["messages"][-1]["content"].startswith(before)
