"""A browser profile at one service that writes down whatever must never happen on our pages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Self

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, WebError

WITHIN_MS = 30_000
"""Far above what anything takes, also on a machine that is busy with other things."""

_SOON_S = 60.0

_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error("VIOLATION", event.violatedDirective, event.blockedURI, event.sample));
"""
_LOCAL = ("data:", "blob:", "about:")


class Visit:
    """One browser profile: cookies, cache and tabs of its own.

    `wrongs` gathers errors on the console, violations of the policy, exceptions
    in scripts, dialogs, and requests to anywhere but the service.
    """

    def __init__(self, browser: Browser, base: str, **options: Any) -> None:
        self.base = base
        self.wrongs: list[str] = []
        self.requests: list[Request] = []
        self._foreseen: list[re.Pattern[str]] = []
        options.setdefault("viewport", {"width": 1280, "height": 800})
        self.context = browser.new_context(base_url=base, locale="en", reduced_motion="reduce", **options)
        self.context.set_default_timeout(WITHIN_MS)
        self.context.add_init_script(_TELL_VIOLATIONS)
        self.context.on("console", self._console)
        self.context.on("weberror", self._error)
        self.context.on("dialog", self._dialog)
        self.context.on("request", self._request)

    def page(self, path: str | None = None) -> Page:
        """Open another tab, at `path` if there is one."""
        page = self.context.new_page()
        if path is not None:
            page.goto(path)
        return page

    def foresee_status(self, *statuses: int) -> Self:
        """Browsers put every refused request on the console: these belong to what the test does."""
        self._foreseen += [re.compile(rf"the server responded with a status of {status}\b") for status in statuses]
        return self

    def foresee(self, pattern: str) -> Self:
        """Let something on the console pass that belongs to what the test does."""
        self._foreseen.append(re.compile(pattern))
        return self

    def asked(self, path: str) -> int:
        """How often the tabs asked for a path, up to now."""
        return sum(request.url == self.base + path for request in self.requests)

    def close(self) -> None:
        """Close all of its tabs and forget everything."""
        self.context.close()

    def _wrong(self, what: str) -> None:
        if not any(pattern.search(what) for pattern in self._foreseen):
            self.wrongs.append(what)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._wrong(f"console: {message.text} ({message.location.get('url')})")

    def _error(self, error: WebError) -> None:
        self._wrong(f"exception: {error.error}")

    def _dialog(self, dialog: Dialog) -> None:
        self.wrongs.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.base + "/", *_LOCAL)):
            self.wrongs.append(f"request: {request.url}")


def stand_still(page: Page) -> None:
    """No time goes by on the page until `page.clock.resume`: what it shows for seconds waits for a slow test."""
    page.clock.install()
    page.clock.pause_at(time.time() + _SOON_S)


def until(page: Page, is_so: Callable[[], object], what: str) -> None:
    """Wait for it while the browser's events come in; fails when it does not come."""
    for _ in range(WITHIN_MS // 20):
        if is_so():
            return
        page.wait_for_timeout(20)
    message = f"not within {WITHIN_MS} ms: {what}"
    raise AssertionError(message)
