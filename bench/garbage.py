"""What it costs to refuse a proof of work that is none, over HTTP: a few connections, as fast as they are refused.

    python bench/garbage.py [--seconds 10] [--rounds 3]

Forged challenges on the form to sign up, three ways: under the shipped settings, with a
gate that lets everything in, and there with the body in a piece of its own, which no
parser sees through: then the page is made that says what to do instead. Of the rounds
the median counts; what counts is processor time of the service, so that what else the
machine does matters little.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import secrets
import statistics
import time
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from attackers import Attacker, Flood
from service import Service, cpu_s, report, running

CONNECTIONS: Final = 16
WARM_UP_S: Final = 2.0
PRESSED_BY: Final = 8
"""Sign-ups that are more than calm: from then on work is asked for."""
_FORM = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_PAGE = {"sec-fetch-site": "same-origin", "accept": "text/html"}
_WIDE_OPEN: Final = """
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
"""
_WAYS: Final = {
    "shipped": ("", False),
    "wide_open": (_WIDE_OPEN, False),
    "wide_open_in_pieces": (_WIDE_OPEN, True),
}


class InPieces(Attacker):
    """Sends the body by itself, when the head has had time to arrive."""

    def begin(self) -> None:
        """Send the head, and the rest in the loop's next turn but one."""
        if self.transport.is_closing():
            return
        self._sent_at = time.monotonic()
        self.flood.sent += 1
        head, _, body = self.flood.compose(self.number).partition(b"\r\n\r\n")
        self.transport.write(head + b"\r\n\r\n")
        asyncio.get_running_loop().call_later(0.001, self.transport.write, body)


async def garbage(seconds: float, rounds: int = 1) -> dict[str, dict[str, Any]]:
    """For each way refusals a second, and what each costs the service in processor time: the median of the rounds."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in _WAYS}
    for _ in range(rounds):
        for way, (settings, is_in_pieces) in _WAYS.items():
            with running(settings) as service:
                found[way].append(await _refused(service, seconds, is_in_pieces=is_in_pieces))
    return {way: _median(each) for way, each in found.items()}


async def _refused(service: Service, seconds: float, *, is_in_pieces: bool) -> dict[str, Any]:
    compose = await _posting(service)
    flood = Flood(service.port, CONNECTIONS, 1e6, compose)
    if is_in_pieces:
        flood.kinds = [InPieces] * CONNECTIONS
    flood.start()
    await asyncio.sleep(WARM_UP_S)
    began_at, used_s, sent = time.perf_counter(), cpu_s(service.process.pid), flood.sent
    before = flood.statuses.copy()
    await asyncio.sleep(seconds)
    wall_s, used_s = time.perf_counter() - began_at, cpu_s(service.process.pid) - used_s
    sent, statuses = flood.sent - sent, flood.statuses - before
    await flood.stop()
    return {
        "per_s": round(sent / wall_s, 1),
        "per_core_s": round(sent / used_s, 1),
        "each_us": round(used_s / sent * 1e6, 1),
        "statuses": dict(statuses),
    }


def _median(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    middle = statistics.median_low([one["each_us"] for one in rounds])
    return {
        **next(one for one in rounds if one["each_us"] == middle),
        "each_us_of_rounds": [one["each_us"] for one in rounds],
    }


async def _posting(service: Service) -> Any:
    """The bytes of forms with a token that is right and a challenge that is none, once work is asked for."""
    base = f"http://127.0.0.1:{service.port}/sign-up"
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar) as session, session.get(base, headers=_PAGE) as page:
        text = await page.text()
        seed = "; ".join(f"{name}={morsel.value}" for name, morsel in page.cookies.items())
        found = _FORM.search(text)
        if found is None:
            message = "the page to sign up has no form"
            raise SystemExit(message)
        for number in range(PRESSED_BY):
            async with session.post(
                base,
                data={"csrf": found[1], "email": f"press{number}@example.org", "password": "x" * 20},
                headers={**_PAGE, "cookie": seed},
            ):
                pass
    csrf, numbers = found[1], itertools.count()

    def compose(attacker: int) -> bytes:
        del attacker
        challenge = f"wagner.sign_up.4.{int(time.time() * 1000)}.600.{secrets.token_hex(16)}.{'0' * 32}"
        fields = {"email": f"bot{next(numbers)}@example.org", "password": "x" * 20, "csrf": csrf}
        what = urlencode({**fields, "challenge": challenge, "answer": "0" * 320, "solve_ms": "900"}).encode()
        head = (
            "POST /sign-up HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\naccept: text/html\r\n"
            f"content-type: application/x-www-form-urlencoded\r\ncookie: {seed}\r\ncontent-length: {len(what)}\r\n\r\n"
        )
        return head.encode() + what

    return compose


def rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """What people read of it."""
    names = {
        "shipped": "garbage refused, 1/s/core",
        "wide_open": "  the gate wide open",
        "wide_open_in_pieces": "  and the body by itself",
    }
    targets = {"shipped": ">= 10,000", "wide_open": ">= 10,000"}
    return [
        (name, "", f"{found[way]['per_core_s']} ({found[way]['each_us']} us)", targets.get(way, "reported"))
        for way, name in names.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Garbage proofs, refused over HTTP.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each way and round")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    wish = parser.parse_args()
    found = asyncio.run(garbage(wish.seconds, wish.rounds))
    report("garbage proofs", found, [("", "", "a second and core", "target"), *rows(found)])


if __name__ == "__main__":
    main()
