"""A browser as the pages see it: one address, cookies, a form's fields. It shows nothing and runs no scripts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lines import Lines, Request

PATIENCE_S: Final = 30.0
_CSRF: Final = re.compile(rb'name="csrf" value="([0-9a-f]{1,200})"')
_CHALLENGE: Final = re.compile(rb'name="challenge" value="([^"]{1,1000})"')
_REFRESH: Final = re.compile(rb'http-equiv="refresh" content="(\d{1,4})"')


class Seen:
    """One page: what it is and what it asks for."""

    def __init__(self, heard: Heard) -> None:
        """Read it."""
        self.heard = heard
        self.status = heard.status
        self.to = urlsplit(heard.location).path if heard.location else ""
        csrf, challenge = _CSRF.search(heard.body), _CHALLENGE.search(heard.body)
        refresh = _REFRESH.search(heard.body)
        self.csrf = csrf[1].decode() if csrf else ""
        self.challenge = challenge[1].decode("latin-1") if challenge else ""
        self.refresh_s = float(refresh[1]) if refresh else None
        self.is_line = b'id="line"' in heard.body


class Browser:
    """One person's, or one program's that plays one."""

    def __init__(
        self, lines: Lines, source: str, agent: str, lang: str, noted: Callable[[Heard], object] = lambda _: None
    ) -> None:
        """Nothing was opened yet. `noted` is told of each answer."""
        self._lines = lines
        self._noted = noted
        self._source = source
        self._said = f"host: 127.0.0.1\r\nuser-agent: {agent}\r\naccept-language: {lang}\r\nsec-fetch-site: same-origin"
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, accept: str = "text/html") -> Seen:
        """Open a page."""
        return await self._ask(f"GET {path} HTTP/1.1\r\n{self._head(accept)}\r\n".encode())

    async def post(self, path: str, fields: dict[str, str]) -> Seen:
        """Send a form. What it leads to is not opened."""
        body = urlencode(fields).encode()
        kind = f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n"
        return await self._ask(f"POST {path} HTTP/1.1\r\n{self._head('text/html')}{kind}\r\n".encode() + body)

    def _head(self, accept: str) -> str:
        shown = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return f"{self._said}\r\naccept: {accept}\r\n" + (f"cookie: {shown}\r\n" if shown else "")

    async def _ask(self, content: bytes) -> Seen:
        heard = await answer_of(self._lines, content, self._source)
        self._noted(heard)
        for cookie in heard.cookies:
            name, _, value = cookie.decode("latin-1").partition("=")
            self.cookies[name.strip()] = value
        return Seen(heard)


async def answer_of(lines: Lines, content: bytes, source: str, patience_s: float = PATIENCE_S) -> Heard:
    """Ask, and wait for what becomes of it."""
    over: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def told(heard: Heard) -> None:
        if not over.done():
            over.set_result(heard)

    lines.ask(Request(content, source, told, patience_s=patience_s, limit_s=patience_s))
    return await over
