"""Debian's Chromium, the real service with its real model, and one whose model says what a test wrote for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.scripted import ScriptedService
from tests.browser.watching import WITHIN_MS, Visit
from tests.integration.conftest import models
from tests.integration.running import Instance

__all__ = ["models"]

_PICTURES = pytest.StashKey[Path]()
# A browser of tests calls nobody, and does not ask to be anybody's default.
_QUIET = (
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-default-apps", "--disable-domain-reliability", "--disable-features=HttpsUpgrades"),
    # A name that is not this machine's, for what differs where the connection is not trusted.
    *("--host-resolver-rules=MAP tide.test 127.0.0.1", "--force-color-profile=srgb", "--font-render-hinting=none"),
)
_NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
_MISSING = (
    "No Chromium here: browser tests are skipped. On Debian and Ubuntu: sudo apt install chromium. "
    "Elsewhere, name one: CHROMIUM=/path/to/chrome make test"
)


@pytest.hookimpl(tryfirst=True)  # before anybody looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this room needs Chromium, and speaks to services over the network."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that tests may drive."""
    found = next(filter(None, (shutil.which(name) for name in _NAMES if name)), None)
    if found is None:
        pytest.skip(_MISSING)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for each file.

    Not one for all of them: while Playwright is up its event loop counts as
    running in this thread, and tests elsewhere that need one of their own fail.
    """
    expect.set_options(timeout=WITHIN_MS)
    arguments = [*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


class Visiting(Protocol):
    """Opens a browser profile of its own at a service; it is closed with the test."""

    def __call__(self, base: str, **options: Any) -> Visit: ...


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visiting]:
    """Browser profiles, each watched: a test in which something forbidden happened has failed."""
    visits: list[Visit] = []

    def begin(base: str, **options: Any) -> Visit:
        visits.append(Visit(browser, base, **options))
        return visits[-1]

    yield begin
    wrongs = [wrong for one in visits for wrong in one.wrongs]
    for one in visits:
        one.close()
    assert wrongs == []


@pytest.fixture(scope="session")
def real(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """The installed program with the demonstration model, on an empty data directory."""
    instance = Instance(tmp_path_factory.mktemp("real"), models)
    try:
        yield instance.ready()
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    """A service whose model says what a test wrote for it."""
    service = ScriptedService(tmp_path_factory.mktemp("scripted") / "data").start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Where pictures of the pages go; the run says where that is."""
    return pytestconfig.stash.setdefault(_PICTURES, tmp_path_factory.mktemp("pictures"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the pictures are."""
    folder = config.stash.get(_PICTURES, None)
    if folder is not None:
        terminalreporter.write_line(f"pictures of the pages: {folder}")
