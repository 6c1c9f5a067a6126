"""What it costs to refuse a proof of work that is none, over HTTP: a few connections, as fast as they are refused."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
from attackers import Compose, Flood
from service import cpu_s, running

CONNECTIONS = 16
WARM_UP_S = 2.0
_FORM = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_PAGE = {"sec-fetch-site": "same-origin", "accept": "text/html"}
_WIDE_OPEN = """
[gate]
address_rate = 1e6
address_burst = 1e6
network_rate = 1e6
network_burst = 1e6
strangers_rate = 1e6
strangers_burst = 1e6
account_address_rate = 1e6
account_address_burst = 1e6
account_strangers_rate = 1e6
account_strangers_burst = 1e6

[registration]
calm_per_min = 0.1
calm_at_once = 1
"""


async def garbage(seconds: float) -> dict[str, Any]:
    """Refusals a second, and what each costs the service in processor time, with a gate that lets everything in."""
    with running(_WIDE_OPEN) as service:
        base = f"http://127.0.0.1:{service.port}/sign-up"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(base, headers=_PAGE) as page,
        ):
            found = _FORM.search(await page.text())
            seed = "; ".join(f"{name}={morsel.value}" for name, morsel in page.cookies.items())
        if found is None:
            message = "the page to sign up has no form"
            raise SystemExit(message)
        flood = Flood(service.port, CONNECTIONS, 1e6, _posting(seed, found[1]))
        flood.start()
        await asyncio.sleep(WARM_UP_S)
        began_at, used_s, sent = time.perf_counter(), cpu_s(service.process.pid), flood.sent
        await asyncio.sleep(seconds)
        wall_s, used_s = time.perf_counter() - began_at, cpu_s(service.process.pid) - used_s
        sent = flood.sent - sent
        await flood.stop()
    return {
        "per_s": round(sent / wall_s, 1),
        "per_core_s": round(sent / used_s, 1),
        "each_us": round(used_s / sent * 1e6, 1),
        "statuses": dict(flood.statuses),
    }


def _posting(seed: str, csrf: str) -> Compose:
    numbers = itertools.count()

    def compose(attacker: int) -> bytes:
        del attacker
        challenge = f"wagner.sign-up.4.{int(time.time() * 1000)}.600.{secrets.token_hex(16)}.{'0' * 32}"
        fields = {"email": f"bot{next(numbers)}@example.org", "password": "x" * 20, "csrf": csrf}
        what = urlencode({**fields, "challenge": challenge, "answer": "0" * 320, "solve_ms": "900"}).encode()
        head = (
            "POST /sign-up HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\naccept: text/html\r\n"
            f"content-type: application/x-www-form-urlencoded\r\ncookie: {seed}\r\ncontent-length: {len(what)}\r\n\r\n"
        )
        return head.encode() + what

    return compose
