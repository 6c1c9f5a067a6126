"""Those who want an account and take the way that they are shown: people on their devices, and programs that solve.

What they do is what the pages say: the form, the work in it or the wait beside it,
the line that asks again by itself, and the form once more when it is one's turn.
A refusal is heeded: come again when it says so.
"""

from __future__ import annotations

import asyncio
import re
import time
from enum import StrEnum

import aiohttp
import msgspec
from accounts import PASSWORD
from solving import Solver, Work

TYPING_S = 2.0
_CSRF_FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_REFRESH = re.compile(r'http-equiv="refresh" content="(\d+)"')
_PAGE = {"sec-fetch-site": "same-origin", "accept": "text/html"}
_SEE_OTHER = 303
_OK = 200
_LINE = "/sign-up/line"
_IN_A_PAGE = 4.0  # What a page needs of what the native solver does (docs/challenge.md).
_LONGEST_RETRY_S = 60.0


class Device(StrEnum):
    """What one comes with."""

    BROWSER = "browser"
    PHONE = "throttled phone"
    SCRIPTLESS = "no JavaScript"
    PROGRAM = "program"


_SLOWER = {Device.BROWSER: _IN_A_PAGE, Device.PHONE: 6 * _IN_A_PAGE, Device.PROGRAM: 0.0, Device.SCRIPTLESS: 0.0}


class Visit(msgspec.Struct, kw_only=True):
    """What became of one. Times are seconds after they came; `told_p90_s` is what they were first told, and when."""

    device: Device
    is_in: bool = False
    waited_s: float = 0.0
    told_p90_s: float | None = None
    told_at_s: float = 0.0
    lined_up_s: float | None = None
    refused: int = 0
    statuses: dict[str, int] = {}
    solve_cpu_s: float = 0.0
    ended_as: str = ""

    @property
    def is_as_told(self) -> bool:
        """Whether they have an account, within what they were first told where they were told anything."""
        return self.is_in and (self.told_p90_s is None or self.waited_s - self.told_at_s <= self.told_p90_s)


class Newcomer:
    """One browser at one address."""

    def __init__(self, port: int, address: str, email: str, device: Device, solver: Solver) -> None:
        """Nothing was asked yet."""
        self._base = f"http://127.0.0.1:{port}"
        self._address = address
        self._email = email
        self._solver = solver
        self._cookies: dict[str, str] = {}
        self.visit = Visit(device=device)

    async def join(self, gives_up_s: float) -> Visit:
        """Get an account, or give up."""
        self._began_at = time.perf_counter()
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0), force_close=True)
        timeout = aiohttp.ClientTimeout(total=30.0)
        async with aiohttp.ClientSession(
            self._base, connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
        ) as self._http:
            try:
                async with asyncio.timeout(gives_up_s):
                    path = "/sign-up"
                    while path:
                        path = await (self._wait() if path == _LINE else self._form(path))
            except TimeoutError:
                self.visit.ended_as = "gave up"
        self.visit.waited_s = time.perf_counter() - self._began_at
        return self.visit

    async def _form(self, path: str) -> str:
        """Fill in what the page shows, and answer where that leads; nowhere when the account is there."""
        status, page, to = await self._ask("GET", path)
        if status == _SEE_OTHER:
            return to
        token = _CSRF_FIELD.search(page)
        if status != _OK or token is None:
            await asyncio.sleep(5.0)
            return path
        is_line, csrf = 'id="line"' in page, {"csrf": token[1]}
        asks_work = 'name="challenge"' in page
        if self.visit.device is Device.SCRIPTLESS and asks_work:
            return await self._send(_LINE, {**csrf, "instead": "1"})
        work = await self._fill_in(page, typing_s=0.0 if is_line else TYPING_S)
        fields = {**csrf, **(work.fields if work else {})}
        if is_line:
            return await self._send(_LINE, fields)
        return await self._send("/sign-up", {**fields, "email": self._email, "password": PASSWORD})

    async def _fill_in(self, page: str, *, typing_s: float) -> Work | None:
        """Type, while the device works."""
        device = self.visit.device
        began_at = time.perf_counter()
        work = await self._solver.solve(page)
        solve_s = 0.0 if work is None else work.cpu_s * _SLOWER[device]
        if work is not None:
            self.visit.solve_cpu_s += work.cpu_s
        if device is not Device.PROGRAM:
            await asyncio.sleep(max(typing_s, solve_s) - (time.perf_counter() - began_at))
        return work

    async def _send(self, path: str, fields: dict[str, str]) -> str:
        status, page, to = await self._ask("POST", path, fields)
        if status == _SEE_OTHER and not to.startswith("/sign-up"):
            self.visit.is_in, self.visit.ended_as = True, "in"
            return ""
        if status == _SEE_OTHER:
            return to
        del page
        return "/sign-up"

    async def _wait(self) -> str:
        """Look how the line is, as often as the page says."""
        if self.visit.lined_up_s is None:
            self.visit.lined_up_s = time.perf_counter() - self._began_at
        status, page, to = await self._ask("GET", _LINE)
        if status == _SEE_OTHER:
            return to
        if self.visit.told_p90_s is None and "It should be your turn in" in page:
            await self._hear()
        refresh = _REFRESH.search(page)
        await asyncio.sleep(float(refresh[1]) if refresh else 5.0)
        return _LINE

    async def _hear(self) -> None:
        """What the page tells in words, as a number."""
        status, state, _ = await self._ask("GET", "/api/sign-up")
        if status == _OK:
            told = msgspec.json.decode(state, type=_Told)
            if told.wait_p90_s is not None:
                self.visit.told_p90_s = told.wait_p90_s
                self.visit.told_at_s = time.perf_counter() - self._began_at

    async def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
        """One request; a refusal is waited out, and asked again."""
        while True:
            headers = _PAGE | {"cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
            try:
                async with self._http.request(
                    method, path, data=fields, headers=headers, allow_redirects=False
                ) as answer:
                    text = await answer.text()
                    self._cookies |= {name: morsel.value for name, morsel in answer.cookies.items()}
            # TimeoutError is of this request here: who gives up is cancelled.
            except (aiohttp.ClientError, ConnectionError, TimeoutError):
                self._count("broken")
                await asyncio.sleep(1.0)
                continue
            self._count(f"{method} {path} {answer.status}")
            if answer.status in {429, 503}:
                self.visit.refused += 1
                await asyncio.sleep(min(float(answer.headers.get("retry-after", 1.0)), _LONGEST_RETRY_S))
                continue
            return answer.status, text, answer.headers.get("location", "")

    def _count(self, what: str) -> None:
        self.visit.statuses[what] = self.visit.statuses.get(what, 0) + 1


class _Told(msgspec.Struct):
    wait_p90_s: float | None = None
