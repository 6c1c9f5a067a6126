"""First load: what the chat's page asks for and weighs when the browser knows nothing, and when it was here before.

Counted by Chromium itself, with headers, as it comes over the wire under gzip.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright
from service import report, running

MOST_REQUESTS = 10
MOST_BYTES = 60_000
MOST_BYTES_AGAIN = 6_000
WITHIN_MS = 30_000
EMAIL, PASSWORD = "first@example.org", "tide pools at four in the morning"


class Meter:
    """Bytes by request, as they come in while a page is loaded."""

    def __init__(self, page: Page) -> None:
        self._paths: dict[str, str] = {}
        self._bytes: dict[str, int] = {}
        self.session = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.session.on("Network.requestWillBeSent", self._sent)
        self.session.on("Network.responseReceived", lambda event: self._add(event, event["response"]))
        self.session.on("Network.dataReceived", lambda event: self._add(event, event))
        self.session.on("Network.loadingFinished", self._finished)

    def by_path(self) -> dict[str, int]:
        """What each path weighed, all its requests together."""
        weighed: dict[str, int] = {}
        for request, path in self._paths.items():
            weighed[path] = weighed.get(path, 0) + self._bytes.get(request, 0)
        return weighed

    def _sent(self, event: dict[str, Any]) -> None:
        self._paths[event["requestId"]] = urlsplit(event["request"]["url"]).path

    def _add(self, event: dict[str, Any], part: dict[str, Any]) -> None:
        request = event["requestId"]
        self._bytes[request] = self._bytes.get(request, 0) + int(part["encodedDataLength"])

    def _finished(self, event: dict[str, Any]) -> None:
        # The whole of it, once it is whole. A stream never is.
        self._bytes[event["requestId"]] = int(event["encodedDataLength"])


def load(page: Page) -> dict[str, int]:
    """Open the chat and wait until it is ready to be written to."""
    meter = Meter(page)
    page.goto("/chat")
    expect(page.get_by_text("answers here")).to_be_visible()
    expect(page.get_by_text("Your conversations will be listed here.")).to_be_visible()
    page.wait_for_timeout(1_000)  # Whatever it asks for later counts as well.
    meter.session.detach()
    return meter.by_path()


def measure(browser: Browser, url: str) -> tuple[dict[str, int], dict[str, int]]:
    """Both visits: with an empty cache, and again in a new tab."""
    options: dict[str, Any] = {"base_url": url, "locale": "en", "extra_http_headers": {"accept-encoding": "gzip"}}
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto("/sign-up")
    page.get_by_label("Email address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    page.wait_for_url("**/chat")
    known = context.storage_state()
    context.close()
    # The session alone: nothing of what the pages before have left in any cache.
    context = browser.new_context(**options, storage_state=known)
    first = load(context.new_page())
    again = load(context.new_page())
    context.close()
    return first, again


def main() -> None:
    """Measure and report; fail above the limits."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, (shutil.which(name) for name in names if name)), None)
    if chromium is None:
        print("first load: skipped, no Chromium here (CHROMIUM=/path/to/chrome)")
        return
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=WITHIN_MS)
    with running() as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        first, again = measure(browser, service.url)
        browser.close()
    figures = {
        "first_requests": len(first),
        "first_bytes": sum(first.values()),
        "again_bytes": sum(again.values()),
        "most_requests": MOST_REQUESTS,
        "most_bytes": MOST_BYTES,
        "most_bytes_again": MOST_BYTES_AGAIN,
    }
    rows = [(path, f"{first.get(path, 0)}", f"{again.get(path, 0)}") for path in sorted({*first, *again})]
    total = (f"{len(first)} requests", f"{sum(first.values())}", f"{sum(again.values())}")
    report("first_load", figures, [("path", "first visit", "second visit"), *rows, total])
    is_light = sum(first.values()) <= MOST_BYTES and sum(again.values()) <= MOST_BYTES_AGAIN
    sys.exit(0 if is_light and len(first) <= MOST_REQUESTS else 1)


if __name__ == "__main__":
    main()
