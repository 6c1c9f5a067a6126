"""Newcomers in a real Chromium: they open the page, fill it in, press the button that it has for them, and wait.

A page has no say in the local address that its browser connects from. So each newcomer
goes by a forwarder of their own, which does: it listens on a port of this machine and
connects onwards from the newcomer's network. The bytes pass as they are, so the browser
says as Host and Origin where it went, and that is all the service needs.

A phone is a page six times slower, as Chromium slows pages down. It does not do so with
workers, where the work is done: what they find reaches the page six times later.

The browser's work is done by this machine's cores, which everything else shares: with
many of them at once the times say more of the machine than of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from typing import Final

from accounts import PASSWORD
from newcomers import TYPING_S, Device, Visit
from playwright.async_api import Browser, Page, Response, async_playwright
from playwright.async_api import Error as BrowserError

PHONE_SLOWER: Final = 6
LONGEST_RETRY_S: Final = 60.0
_TURNED_AWAY: Final = frozenset({429, 503})
_CHUNK_BYTES: Final = 65_536
_REST_S: Final = 1.0
_IN_WORDS: Final = re.compile(r"your turn in (?:less than a (minute)|(?:about |\d+ to )(\d+) (minute|hour)s?)\.")
_SLOW_WORKERS: Final = f"""
const Quick = window.Worker;
window.Worker = class extends Quick {{
  begunAt = performance.now();
  set onmessage(hear) {{
    const later = () => {PHONE_SLOWER - 1} * (performance.now() - this.begunAt);
    super.onmessage = (event) => setTimeout(() => hear(event), later());
  }}
}};"""
_UNIT_S: Final = {"minute": 60.0, "hour": 3600.0}


def program() -> str | None:
    """The path of a Chromium, if there is one."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, (shutil.which(name) for name in names if name)), None)


@contextlib.asynccontextmanager
async def browser(path: str) -> AsyncIterator[Browser]:
    """One browser for all of them: each has a profile of their own in it."""
    arguments = ["--no-first-run", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield launched
        await launched.close()


@contextlib.asynccontextmanager
async def way(port: int, address: str) -> AsyncIterator[str]:
    """Where a browser goes that is to come to the service on `port` from `address`."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onwards = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        except OSError:
            writer.close()  # As the service refused it.
            return
        await asyncio.gather(pump(reader, onwards[1]), pump(onwards[0], writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class Person:
    """Somebody in front of a page, who does what it says."""

    def __init__(self, browser: Browser, email: str, device: Device) -> None:
        """They have not come yet."""
        self._browser = browser
        self._email = email
        self.visit = Visit(device=device)

    async def join(self, base: str, gives_up_s: float) -> Visit:
        """Get an account at `base`, or give up."""
        self._began_at = time.perf_counter()
        has_scripts = self.visit.device is not Device.SCRIPTLESS
        context = await self._browser.new_context(base_url=base, java_script_enabled=has_scripts, locale="en")
        context.set_default_timeout(gives_up_s * 1000.0)
        try:
            async with asyncio.timeout(gives_up_s):
                await self._go_in(await context.new_page())
        except TimeoutError:
            self.visit.ended_as = "gave up"
        finally:
            await context.close()
        self.visit.waited_s = time.perf_counter() - self._began_at
        return self.visit

    async def _go_in(self, page: Page) -> None:
        if self.visit.device is Device.PHONE:
            session = await page.context.new_cdp_session(page)
            await session.send("Emulation.setCPUThrottlingRate", {"rate": PHONE_SLOWER})
            await page.add_init_script(_SLOW_WORKERS)
        is_there = await self._open(page)
        while not page.url.endswith("/chat"):
            try:
                await (self._step(page) if is_there else asyncio.sleep(_REST_S))
                is_there = is_there or await self._open(page)
            except BrowserError:
                is_there = False  # A connection broke, or the page went while it was read: load it anew.
                self._count("broken")
        self.visit.is_in, self.visit.ended_as = True, "in"

    async def _open(self, page: Page) -> bool:
        """Load the page where one gets an account; False when there was none."""
        try:
            await self._heed(await page.goto("/sign-up"), page)
        except BrowserError:
            self._count("broken")
            return False
        return True

    async def _step(self, page: Page) -> None:
        """Do what this page is for."""
        if await page.locator("#join").count():
            await self._fill_in(page)
        elif await page.locator("#line").count():
            await self._press(page, "#line button.wide-button")
        elif page.url.endswith("/sign-up/line"):
            await self._wait(page)
        else:
            await asyncio.sleep(_REST_S)
            await self._open(page)

    async def _fill_in(self, page: Page) -> None:
        if self.visit.device is not Device.SCRIPTLESS or not await page.locator("[name=challenge]").count():
            await page.locator("#join [name=email]").fill(self._email)
            await page.locator("#join [name=password]").fill(PASSWORD)
            await asyncio.sleep(TYPING_S)
        await self._press(page, "#join button.wide-button")

    async def _press(self, page: Page, button: str) -> None:
        """Press the button; without JavaScript, where work is asked for, the one that waits instead."""
        if self.visit.device is Device.SCRIPTLESS and await page.locator("[name=challenge]").count():
            button = ".instead-form button"
        # With work that is not done yet, the page sends the form by itself as soon as it is.
        async with page.expect_navigation() as gone:
            await page.locator(button).click()
        await self._heed(await gone.value, page)

    async def _wait(self, page: Page) -> None:
        """Read how the line is; the page asks again by itself."""
        passed_s = time.perf_counter() - self._began_at
        if self.visit.lined_up_s is None:
            self.visit.lined_up_s = passed_s
        said = _IN_WORDS.search(await page.locator("[role=status]").inner_text())
        if said and self.visit.told_p90_s is None:
            self.visit.told_p90_s = float(said[2] or 1) * _UNIT_S[said[1] or said[3]]
            self.visit.told_at_s = passed_s
        async with page.expect_navigation() as gone:
            pass
        await self._heed(await gone.value, page)

    async def _heed(self, answer: Response | None, page: Page) -> None:
        """Count what came, and come again when a refusal says so."""
        while answer is not None:
            self._count(f"{answer.request.method} {page.url.partition('//')[2].partition('/')[2]} {answer.status}")
            if answer.status not in _TURNED_AWAY:
                return
            self.visit.refused += 1
            await asyncio.sleep(min(float(answer.headers.get("retry-after", "1")), LONGEST_RETRY_S))
            answer = await page.goto("/sign-up")

    def _count(self, what: str) -> None:
        self.visit.statuses[what] = self.visit.statuses.get(what, 0) + 1


async def visit(browser: Browser, port: int, address: str, email: str, device: Device, gives_up_s: float) -> Visit:
    """What becomes of one who comes from this address to the service on this port."""
    async with way(port, address) as base:
        return await Person(browser, email, device).join(base, gives_up_s)
