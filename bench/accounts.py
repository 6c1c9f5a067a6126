"""Accounts for a measurement.

People's are made through the control socket, as `tidegate users` and `tidegate
keys` make them. Attackers sign up like anybody, each from an address of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

DAY_S = 86400.0
PASSWORD = "a tide gate opens by itself"  # noqa: S105 - of accounts that end with the measurement
_CSRF_FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_SEE_OTHER = 303


class Accounts:
    """Makes accounts in a running service. Use it as an async context."""

    def __init__(self, control_socket: str, data_dir: str) -> None:
        """The service that owns both."""
        self._data_dir = data_dir
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(control_socket))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def key(self, email: str, age_days: float = 0.0) -> str:
        """Make an account that is so old, and a key of it."""
        member_since_s = time.time() - age_days * DAY_S if age_days else None
        await self._act(act="create_user", email=email, member_since_s=member_since_s)
        made = await self._act(act="create_key", email=email)
        text: str = made["text"]
        return text

    async def user(self, email: str, password: str = PASSWORD, *, is_vouched: bool = False) -> None:
        """Make an account whose owner signs in with a password, and that an operator may vouch for."""
        await self._act(act="create_user", email=email, password=password)
        if is_vouched:
            await self._act(act="vouch", email=email)

    async def keys(self, count: int, prefix: str, age_days: float = 0.0) -> list[str]:
        """Make so many, one after the other."""
        return [await self.key(f"{prefix}{number}@example.org", age_days) for number in range(count)]

    async def signed_up(self, port: int, source: str, email: str) -> str | None:
        """Sign up over HTTP from this address, and answer a key of the account; None where that was refused."""
        connector = aiohttp.TCPConnector(local_addr=(source, 0))
        base, headers = f"http://127.0.0.1:{port}/sign-up", {"sec-fetch-site": "same-origin", "accept": "text/html"}
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as browser:
            async with browser.get(base, headers=headers) as page:
                found = _CSRF_FIELD.search(await page.text())
                cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in page.cookies.items())
            if found is None:
                return None
            fields = {"email": email, "password": PASSWORD, "csrf": found[1]}
            async with browser.post(
                base, data=fields, headers={**headers, "cookie": cookies}, allow_redirects=False
            ) as answer:
                if answer.status != _SEE_OTHER:
                    return None
        text: str = (await self._act(act="create_key", email=email))["text"]
        return text

    async def _act(self, **act: Any) -> dict[str, Any]:
        async with self._http.post("http://control/acts", data=msgspec.json.encode(act)) as response:
            response.raise_for_status()
            made: dict[str, Any] = await response.json()
            return made

    def vouch(self, email: str) -> bool:
        """Let the operator vouch for an account; False where this service knows no such verb."""
        command = [sys.executable, "-m", "tidegate", "users", "vouch", email, "--data", self._data_dir]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
