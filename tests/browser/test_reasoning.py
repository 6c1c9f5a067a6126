"""What a model thinks before it answers is folded away, and says how long it took."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.chatting import ask, finished, running, sign_up
from tests.browser.conftest import Visiting
from tests.browser.scripted import ScriptedService
from tidegate.core.generation.call import Delta
from tidegate.testing.engine import Hold, Step, saying

THOUGHT = re.compile(r"^Thought for \d+ s$")


def test_thinking_is_folded_under_the_seconds_it_took(visit: Visiting, scripted: ScriptedService) -> None:
    page = visit(scripted.base).page()
    sign_up(page)
    thinking = Hold()
    script: list[Step] = [Delta(reasoning="First, the "), Delta(reasoning="**moon**."), thinking]
    scripted.play([*script, *saying("The ", "moon ", "does.")])
    ask(page, "What makes the tide?")
    expect(running(page).locator("summary")).to_have_text(re.compile(r"^Thinking… \d+ s$"))
    expect(page.get_by_text("First, the moon.")).to_have_count(0)
    scripted.let(thinking)
    answer = finished(page)
    expect(answer.locator("summary")).to_have_text(THOUGHT)
    expect(answer.locator(".prose")).to_have_text("The moon does.")
    answer.locator("summary").click()
    expect(answer.locator(".reasoning .prose")).to_have_text("First, the moon.")
    page.reload()
    expect(finished(page).locator("summary")).to_have_text(THOUGHT)
    expect(page.get_by_text("First, the moon.")).to_have_count(0)
