"""The page of a rehearsal, opened from a file: plots are drawn, nothing is fetched, and it is read without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visiting
from tests.browser.looking import DESKTOP, Look
from tests.browser.test_accessibility import axe
from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.judge import Judge, Result, Run, Staging
from tidegate.lab.report.page import page as written

__all__ = ["axe"]

PLOTS = 8


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    findings = played(Judge(scenario())).findings(Staging(scenario_text=TEXT, calibration="cpu-smollm2"))
    path: Path = tmp_path_factory.mktemp("report") / "page.html"
    path.write_text(
        written(Result(findings=findings, run=Run(machine="2 cores")), "tidegate lab run staged-flood"), "utf-8"
    )
    return path.as_uri()


def folder_of(address: str) -> str:
    """All that may be asked for."""
    return address.rpartition("/")[0]


def drawn(page: Page) -> Page:
    expect(page.locator("canvas")).to_have_count(PLOTS)
    return page


def test_it_draws_its_plots_and_asks_nobody_for_anything(visit: Visiting, address: str) -> None:
    here = visit(folder_of(address))
    page = here.page()
    page.goto(address)

    drawn(page)

    assert [request.url for request in here.requests] == [address]
    expect(page.get_by_role("heading", level=1)).to_have_text("A flood in a busy hour")


def test_the_pointer_tells_the_values_of_every_plot_at_that_moment(visit: Visiting, address: str) -> None:
    page = visit(folder_of(address)).page()
    page.goto(address)
    over = drawn(page).locator("#plot-offered .u-over")
    box = over.bounding_box()
    assert box is not None

    over.hover(position={"x": box["width"] * 1000 / 1800, "y": 50})

    figure = page.locator("figure", has=page.get_by_role("heading", name="Offered"))
    expect(figure.locator('[data-value="attacker"]')).to_have_text("10.4 k tok/s")
    goodput = page.locator("figure", has=page.get_by_role("heading", name="Goodput", exact=True))
    expect(goodput.locator('[data-value="established"]')).to_have_text("100 %")


def test_it_is_clean_light_and_dark_wide_and_narrow(visit: Visiting, address: str, axe: str, pictures: Path) -> None:
    look = Look(axe, pictures, "lab-report")
    # axe-core is put in from outside, which the page's own policy would not let happen.
    page = visit(folder_of(address), bypass_csp=True).page()
    page.goto(address)
    look("plots", drawn(page))
    for summary in page.locator("summary").all():
        summary.click()
    look("opened", page)

    assert look.wrongs() == {}


def test_plots_are_as_wide_as_there_is_room_and_follow_the_theme(visit: Visiting, address: str) -> None:
    page = visit(folder_of(address)).page()
    page.goto(address)
    wide = drawn(page).locator("#plot-offered canvas").evaluate("(canvas) => canvas.clientWidth")
    before = page.locator("#plot-offered canvas").evaluate("(canvas) => canvas.toDataURL()")

    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "(before) => document.querySelector('#plot-offered canvas')?.toDataURL() !== before", arg=before
    )
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("(wide) => document.querySelector('#plot-offered canvas').clientWidth < wide", arg=wide)

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert wide < DESKTOP


def test_without_scripts_the_tables_say_all(visit: Visiting, address: str) -> None:
    page = visit(folder_of(address), java_script_enabled=False).page()
    page.goto(address)

    expect(page.get_by_role("region", name="Course").get_by_role("row")).not_to_have_count(0)
    expect(page.get_by_role("row", name="Established")).not_to_have_count(0)
    expect(page.get_by_role("heading", name="What happened, and when")).to_be_hidden()
    page.get_by_text("The scenario's file").click()
    expect(page.get_by_text('family = "request_flood"')).to_be_visible()
