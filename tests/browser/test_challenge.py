"""A browser solves a form's challenge while somebody fills the form in, and tells them how it stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Worker, expect

from tests.browser.challenging import EFFORT_MOST, ChallengeService
from tests.browser.conftest import Visiting
from tests.browser.watching import until
from tidegate.core.challenge.challenges import Failed, Solved, Why

_AXE = (
    os.environ.get("AXE_CORE", ""),
    Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js",
)
_RUN = """() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then((found) =>
  found.violations.map(({ id, nodes }) => [id, nodes.map(({ target, any }) => `${target}: ${any[0]?.message}`)]))"""
MUCH = EFFORT_MOST
"""Work that is not done while a test looks at the page."""
SOME = 100
"""Work of about a second for one worker."""
_ONE_WORKER = "Object.defineProperty(navigator, 'connection', { get: () => ({ saveData: true }) })"
_FEW = """
window.isFew = true;
let found = 0;
window.Worker = class extends Worker {
  set onmessage(hear) {
    super.onmessage = (event) => {
      if (window.isFew && found > 0) return;
      found += event.data.pieces.length;
      hear(event);
    };
  }
};"""
"""The page hears of one piece, and of no more until `isFew` is false: no device is done before somebody looks."""


@pytest.fixture
def service() -> Iterator[ChallengeService]:
    service = ChallengeService().start()
    yield service
    service.stop()


def join(page: Page) -> None:
    page.get_by_label("Email address").fill("ana@example.org")
    page.get_by_role("button", name="Create an account").click()


def test_the_check_runs_by_itself_and_the_form_counts(
    visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    page = visit(service.base).page("/")
    expect(page.get_by_role("status")).to_have_text("The check is done.")
    expect(page.locator(".work")).to_be_hidden()
    page.screenshot(path=pictures / "challenge-done.png")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Welcome")
    email, found, answered = service.outcomes[0]
    assert email == "ana@example.org"
    assert isinstance(found, Solved)
    assert 0 < answered.solve_ms <= found.age_s * 1000 + 1000


def test_a_form_that_is_sent_early_goes_when_the_check_is_done(visit: Visiting, service: ChallengeService) -> None:
    """One click is enough, and what was typed is what is sent."""
    service.effort = SOME
    page = visit(service.base).page("/")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Welcome")
    email, found, _ = service.outcomes[0]
    assert (email, isinstance(found, Solved)) == ("ana@example.org", True)
    assert len(service.outcomes) == 1


def test_the_page_says_how_far_it_is_and_that_the_form_will_go(
    visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    service.effort = MUCH
    page = visit(service.base).page("/")
    status = page.get_by_role("status")
    expect(status).to_contain_text("You can go on meanwhile")
    expect(status).to_contain_text("% done, about")
    assert 0 < float(page.get_by_role("progressbar").get_attribute("value") or 0) < 1
    page.screenshot(path=pictures / "challenge-working.png")
    join(page)

    expect(status).to_contain_text("Your form is sent by itself as soon as the check is done.")
    expect(page.get_by_label("Email address")).to_have_value("ana@example.org")
    assert service.outcomes == []


def test_it_can_be_paused_and_goes_on_where_it_was(visit: Visiting, service: ChallengeService) -> None:
    service.effort = SOME
    here = visit(service.base)
    here.context.add_init_script(_ONE_WORKER)
    here.context.add_init_script(_FEW)
    page = here.page("/")
    bar = page.get_by_role("progressbar")
    until(page, lambda: float(bar.get_attribute("value") or 0) > 0, "a piece was found")
    page.get_by_role("button", name="Pause the check").press("Enter")
    expect(page.get_by_role("status")).to_have_text("The check is paused.")
    page.evaluate("window.isFew = false")
    expect(page.get_by_role("button", name="Go on with the check")).to_be_focused()
    stood = bar.get_attribute("value")
    page.wait_for_timeout(300)  # longer than a piece takes
    assert bar.get_attribute("value") == stood
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Welcome")
    assert isinstance(service.outcomes[0][1], Solved)


def test_much_work_is_shared_by_workers_and_adds_up(visit: Visiting, service: ChallengeService) -> None:
    service.effort = SOME
    here = visit(service.base)
    here.context.add_init_script("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 8 })")
    page = here.page()
    hired: list[Worker] = []
    page.on("worker", lambda worker: hired.append(worker))  # noqa: PLW0108 - Playwright marks it
    page.goto("/")
    until(page, lambda: len(hired) == 4, "four workers are at it")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Welcome")


def test_who_saves_data_is_asked_for_one_worker(visit: Visiting, service: ChallengeService) -> None:
    service.effort = MUCH
    here = visit(service.base)
    here.context.add_init_script("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 8 })")
    here.context.add_init_script(_ONE_WORKER)
    page = here.page("/")
    until(page, lambda: float(page.get_by_role("progressbar").get_attribute("value") or 0) > 0, "a piece was found")

    assert len(page.workers) == 1


def test_a_browser_that_cannot_says_what_to_do_and_blocks_nothing(
    visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    service.breaks = lambda path: path.endswith("/worker.js")
    service.effort = MUCH
    page = visit(service.base).foresee_status(404).page("/")
    expect(page.get_by_role("status")).to_contain_text("Reload the page to try again, or wait instead.")
    expect(page.get_by_role("link", name="Wait in line instead")).to_be_visible()
    page.screenshot(path=pictures / "challenge-failed.png")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Not solved")
    assert service.outcomes[0][1] == Failed(Why.MALFORMED)


def test_a_check_that_ran_out_of_time_says_so_and_lets_the_form_go(visit: Visiting, service: ChallengeService) -> None:
    service.effort = MUCH
    service.plan_lifetime_s = 3
    page = visit(service.base).page("/")
    expect(page.get_by_role("status")).to_contain_text("The check has run out of time.")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Not solved")


def test_a_check_that_runs_out_while_somebody_types_begins_anew(
    visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    """Nothing that was typed is lost, and what is sent counts."""
    service.plan_lifetime_s, service.again = 4, "/again"
    page = visit(service.base).page("/")
    service.plan_lifetime_s = None  # of the next
    old = page.locator("input[name=challenge]").input_value()
    page.get_by_label("Email address").fill("ana@example")
    expect(page.get_by_role("status")).to_have_text("The check is done.")
    until(page, lambda: service.asked_again == 1, "another challenge was asked for")
    expect(page.locator("input[name=challenge]")).not_to_have_value(old)
    expect(page.get_by_role("status")).to_have_text("The check is done.")
    expect(page.get_by_label("Email address")).to_have_value("ana@example")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Welcome")
    assert isinstance(service.outcomes[0][1], Solved)


def test_a_page_that_was_left_open_works_again_only_when_somebody_comes_back(
    visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    service.effort, service.plan_lifetime_s, service.again = MUCH, 3, "/again"
    page = visit(service.base).page("/")
    expect(page.get_by_role("status")).to_contain_text("It begins anew as soon as you go on.")
    page.screenshot(path=pictures / "challenge-asleep.png")
    until(page, lambda: not page.workers, "nothing works any more")
    assert service.asked_again == 0
    service.effort, service.plan_lifetime_s = 1, None
    page.get_by_role("button", name="Create an account").evaluate("button => button.form.noValidate = true")
    page.get_by_role("button", name="Create an account").click()

    expect(page.get_by_role("heading")).to_have_text("Welcome")
    assert service.asked_again == 1


def test_where_no_other_challenge_is_had_the_form_goes_as_it_is(visit: Visiting, service: ChallengeService) -> None:
    service.effort, service.plan_lifetime_s, service.again = MUCH, 3, "/again"
    service.breaks = lambda path: path == "/again"
    page = visit(service.base).foresee_status(404).page("/")
    page.get_by_label("Email address").fill("ana@example.org")
    expect(page.get_by_role("status")).to_contain_text("Send the form to get a new one")
    join(page)

    expect(page.get_by_role("heading")).to_have_text("Not solved")


def test_without_javascript_the_page_says_what_to_do_instead(visit: Visiting, service: ChallengeService) -> None:
    page = visit(service.base, java_script_enabled=False).page("/")

    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_role("link", name="Wait in line instead")).to_be_visible()
    expect(page.get_by_role("button", name="Pause the check")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_every_state_passes_wcag_2_2_aa(
    width: int, theme: str, visit: Visiting, service: ChallengeService, pictures: Path
) -> None:
    found: dict[str, Any] = {}
    axe = next((Path(place) for place in _AXE if place and Path(place).is_file()), None)
    if axe is None:
        pytest.skip("axe-core is not here: cd web && npm ci, or AXE_CORE=/path/to/axe.min.js")
    here = visit(service.base, color_scheme=theme, viewport={"width": width, "height": 800}).foresee_status(404)
    here.foresee("TrustedScript|VIOLATION").context.set_default_timeout(20_000)
    states = {"done": (1, False), "working": (MUCH, False), "failed": (MUCH, True)}
    for name, (effort, is_broken) in states.items():
        service.effort = effort
        service.breaks = lambda path, is_broken=is_broken: is_broken and path.endswith("/worker.js")  # type: ignore[misc] # mypy sees no default
        page = here.page("/")
        expect(page.locator("[data-challenge]")).to_have_attribute("data-state", name)
        page.evaluate(axe.read_text("utf-8"))
        found[name] = page.evaluate(_RUN)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over the edge"
        page.screenshot(path=pictures / f"challenge-{name}-{theme}-{width}.png")
        page.close()

    assert {name: wrong for name, wrong in found.items() if wrong} == {}
