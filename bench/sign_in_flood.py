"""Do people still sign in while strangers flood the door?

    python bench/sign_in_flood.py [--seconds 180] [--wrong 200] [--sign-ups 500] [--calm 30]

Against a running service with its shipped limits, over HTTP, everybody from a
loopback address of their own. People who were here before sign in now and then on
the devices that they use, a few on devices that they have never used; the latter
heed what they are told and come again. Others chat. Then the same, while attackers
post wrong passwords for these very people and sign up, a part of them with device
marks of accounts of their own. Everything shares this machine's cores, the
attackers too.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec
from accounts import PASSWORD, Accounts
from attackers import Compose, Flood
from load import Outcome, Person, offer, quantile
from service import cpu_s, report, running
from solving import Solver

KNOWN = 12
ELSEWHERE = 6
CHATTING = 4
ATTACKERS_OWN = 20
KNOWN_RATE = 2.0
CHAT_RATE = 0.5
GIVES_UP_S = 60.0
SOON_S = 30.0
_CSRF_FIELD = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_PAGE = {"sec-fetch-site": "same-origin", "accept": "text/html"}
_SEE_OTHER = 303
_TOO_MANY = 429
_FORBIDDEN = 403


class SignIn(msgspec.Struct, frozen=True):
    """What became of one: the last status, seconds of the last try and of all of it, and how many tries it took."""

    status: int
    post_s: float
    total_s: float
    tries: int

    @property
    def is_in(self) -> bool:
        """Whether it ended signed in."""
        return self.status == _SEE_OTHER


class Browser:
    """One device at one address; it keeps the mark that it was given, and nothing else."""

    def __init__(self, port: int, address: str, email: str, solver: Solver | None = None) -> None:
        """Nobody has signed in on it. Without `solver` it does no work that is asked for."""
        self._solver = solver
        self.email = email
        self._again = {_TOO_MANY} if solver is None else {_TOO_MANY, _FORBIDDEN}
        self._base = f"http://127.0.0.1:{port}/sign-in"
        self._address = address
        self.mark = ""

    async def sign_in(self, password: str = PASSWORD, gives_up_s: float = 0.0) -> SignIn:
        """Open the page and send it; refused, come again when it says so, for so long."""
        began_at, tries = time.perf_counter(), 0
        while True:
            status, post_s, wait_s = await self._try(password)
            tries += 1
            passed_s = time.perf_counter() - began_at
            # Asked for work that the page did not ask for yet: the next page does.
            if status not in self._again or passed_s + wait_s > gives_up_s:
                return SignIn(status, post_s, passed_s, tries)
            await asyncio.sleep(wait_s)

    async def _try(self, password: str) -> tuple[int, float, float]:
        connector = aiohttp.TCPConnector(local_addr=(self._address, 0))
        timeout = aiohttp.ClientTimeout(total=30.0)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
        ) as session:
            try:
                async with session.get(self._base, headers=_PAGE | self._cookie()) as page:
                    text = await page.text()
                    found = _CSRF_FIELD.search(text)
                    if found is None:
                        return page.status, 0.0, float(page.headers.get("retry-after", 1.0))
                    seed = "; ".join(f"{name}={morsel.value}" for name, morsel in page.cookies.items())
                work = None if self._solver is None else await self._solver.solve(text)
                fields = {"email": self.email, "password": password, "csrf": found[1], **(work.fields if work else {})}
                began_at = time.perf_counter()
                async with session.post(
                    self._base, data=fields, headers=_PAGE | self._cookie(seed), allow_redirects=False
                ) as answer:
                    post_s = time.perf_counter() - began_at
                    for name, morsel in answer.cookies.items():
                        if name.endswith("tidegate-device"):
                            self.mark = f"{name}={morsel.value}"
                    return answer.status, post_s, float(answer.headers.get("retry-after", 1.0))
            except (TimeoutError, aiohttp.ClientError):
                return 0, 0.0, 1.0

    def _cookie(self, seed: str = "") -> dict[str, str]:
        shown = "; ".join(filter(None, (seed, self.mark)))
        return {"cookie": shown} if shown else {}


class Phase(msgspec.Struct, kw_only=True):
    """What people had of it, calm or attacked."""

    known: list[SignIn]
    elsewhere: list[SignIn]
    chat: list[Outcome]
    service_cpu: float
    attackers: dict[str, dict[str, int]] = {}
    sent_per_s: dict[str, float] = {}

    def figures(self) -> dict[str, Any]:
        """As numbers."""
        done = [one for one in self.known if one.is_in]
        strange = [one for one in self.elsewhere if one.is_in]
        return {
            "known": len(self.known),
            "known_in": len(done),
            "known_statuses": dict(Counter(str(one.status) for one in self.known)),
            "known_p50_ms": round(quantile([one.post_s for one in done], 0.5) * 1000, 1),
            "known_p95_ms": round(quantile([one.post_s for one in done], 0.95) * 1000, 1),
            "known_total_p95_ms": round(quantile([one.total_s for one in done], 0.95) * 1000, 1),
            "elsewhere": len(self.elsewhere),
            "elsewhere_in": len(strange),
            "elsewhere_in_30_s": sum(one.total_s <= SOON_S for one in strange),
            "elsewhere_p50_s": round(quantile([one.total_s for one in strange], 0.5), 2),
            "elsewhere_p90_s": round(quantile([one.total_s for one in strange], 0.9), 2),
            "elsewhere_tries": sum(one.tries for one in self.elsewhere),
            "chat": len(self.chat),
            "chat_good": sum(one.is_good for one in self.chat),
            "chat_first_p95_s": round(quantile([one.first_s for one in self.chat if one.first_s], 0.95), 3),
            "service_cpu": round(self.service_cpu, 3),
            "attackers": self.attackers,
            "sent_per_s": self.sent_per_s,
        }


class Town:
    """A service, who lives there, and who comes to break in."""

    def __init__(self, port: int, pid: int, solver: Solver | None = None) -> None:
        """Empty."""
        self.solver = solver
        self.port = port
        self.pid = pid
        self.known: list[Browser] = []
        self.elsewhere: list[Browser] = []
        self.chatting: list[Person] = []
        self.marks: list[str] = []

    async def settle(self, accounts: Accounts) -> None:
        """Make everybody's account; those who are known sign in once."""
        for number in range(KNOWN):
            await self._live(accounts, f"known{number}", f"127.10.{number}.1", self.known)
        for number in range(ELSEWHERE):
            await self._live(accounts, f"elsewhere{number}", f"127.11.{number}.1", self.elsewhere)
        own: list[Browser] = []
        for number in range(ATTACKERS_OWN):
            await self._live(accounts, f"eve{number}", f"127.12.{number}.1", own, is_vouched=False)
        for browser in (*self.known, *own):
            made = await browser.sign_in(gives_up_s=GIVES_UP_S)
            if not made.is_in or not browser.mark:
                message = f"{browser.email} could not sign in at all: {made}"
                raise SystemExit(message)
        self.marks = [browser.mark for browser in own]
        for number in range(CHATTING):
            key = await accounts.key(f"chat{number}@example.org", 90.0)
            await asyncio.to_thread(accounts.vouch, f"chat{number}@example.org")
            self.chatting.append(Person(name=f"chat{number}", address=f"127.13.{number}.1", key=key))

    async def _live(
        self, accounts: Accounts, name: str, address: str, where: list[Browser], *, is_vouched: bool = True
    ) -> None:
        email = f"{name}@example.org"
        await accounts.user(email, is_vouched=is_vouched)
        where.append(Browser(self.port, address, email, self.solver))

    async def phase(self, seconds: float, floods: dict[str, Flood]) -> Phase:
        """Live for so long."""
        for flood in floods.values():
            flood.start()
        if floods:
            await asyncio.sleep(5.0)  # The time within which an attack is to be known as one.
        began_at, used_s = time.perf_counter(), cpu_s(self.pid)
        sent = {name: flood.sent for name, flood in floods.items()}
        known, elsewhere, chat = await asyncio.gather(
            self._sign_in_now_and_then(seconds),
            self._sign_in_elsewhere(seconds),
            offer(self.port, self.chatting, CHAT_RATE, seconds, seed=7),
        )
        wall_s = time.perf_counter() - began_at
        sent_per_s = {name: round((flood.sent - sent[name]) / wall_s, 1) for name, flood in floods.items()}
        used = (cpu_s(self.pid) - used_s) / wall_s
        for flood in floods.values():
            await flood.stop()
        return Phase(
            known=known,
            elsewhere=elsewhere,
            chat=chat,
            service_cpu=used,
            attackers={name: dict(flood.statuses) for name, flood in floods.items()},
            sent_per_s=sent_per_s,
        )

    async def _sign_in_now_and_then(self, seconds: float) -> list[SignIn]:
        began_at = time.perf_counter()
        running: list[asyncio.Task[SignIn]] = []
        for number in range(int(seconds * KNOWN_RATE)):
            await asyncio.sleep(began_at + number / KNOWN_RATE - time.perf_counter())
            running.append(asyncio.create_task(self.known[number % KNOWN].sign_in()))
        return list(await asyncio.gather(*running))

    async def _sign_in_elsewhere(self, seconds: float) -> list[SignIn]:
        async def after(number: int, browser: Browser) -> SignIn:
            await asyncio.sleep(number * seconds / 2 / ELSEWHERE)
            browser.mark = ""
            return await browser.sign_in(gives_up_s=GIVES_UP_S)

        return list(await asyncio.gather(*(after(*one) for one in enumerate(self.elsewhere))))

    async def floods(self, wrong: float, sign_ups: float) -> dict[str, Flood]:
        """Wrong passwords for the people who live here, a quarter with marks of the attackers' own, and sign-ups."""
        victims = [browser.email for browser in (*self.known, *self.elsewhere)]
        seed, csrf = await self.form()
        guess = posting("/sign-in", seed, csrf, victims, self.marks)
        join = posting("/sign-up", seed, csrf, [], self.marks)
        floods = {"wrong passwords": Flood(self.port, 400, wrong, guess)} if wrong else {}
        return floods | ({"sign-ups": Flood(self.port, 500, sign_ups, join)} if sign_ups else {})

    async def form(self) -> tuple[str, str]:
        """A stranger's form: its cookie and its token."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"http://127.0.0.1:{self.port}/sign-in", headers=_PAGE) as page,
        ):
            found = _CSRF_FIELD.search(await page.text())
            if found is None:
                message = "the page to sign in has no form"
                raise SystemExit(message)
            return "; ".join(f"{name}={morsel.value}" for name, morsel in page.cookies.items()), found[1]


def posting(path: str, seed: str, csrf: str, victims: list[str], marks: list[str]) -> Compose:
    """The forms that attackers send; one cookie and token of a stranger's form serves all of them."""
    numbers = itertools.count(1)

    def compose(attacker: int) -> bytes:
        number = next(numbers)
        email = victims[number % len(victims)] if victims else f"bot{number}@example.org"
        what = urlencode({"email": email, "password": f"a wrong guess, number {number}", "csrf": csrf}).encode()
        cookie = f"{seed}; {marks[attacker % len(marks)]}" if marks and not attacker % 4 else seed
        head = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\naccept: text/html\r\n"
            f"content-type: application/x-www-form-urlencoded\r\ncookie: {cookie}\r\n"
            f"content-length: {len(what)}\r\n\r\n"
        )
        return head.encode() + what

    return compose


async def measure(wish: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Calm, then attacked, in the same service."""
    with running() as service:
        town = Town(service.port, service.process.pid)
        async with Accounts(service.control_socket, str(service.data_dir)) as accounts:
            await town.settle(accounts)
        calm = await town.phase(wish.calm, {})
        attacked = await town.phase(wish.seconds, await town.floods(wish.wrong, wish.sign_ups))
    return {"calm": calm.figures(), "attacked": attacked.figures()}


def rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """What people read."""
    names = ("", "known in", "post p50/p95 ms", "elsewhere in", "within p50/p90 s", "chat good", "service cpu")
    return [
        names,
        *(
            (
                name,
                f"{one['known_in']}/{one['known']}",
                f"{one['known_p50_ms']}/{one['known_p95_ms']}",
                f"{one['elsewhere_in']}/{one['elsewhere']}",
                f"{one['elsewhere_p50_s']}/{one['elsewhere_p90_s']}",
                f"{one['chat_good']}/{one['chat']}",
                f"{one['service_cpu']:.0%}",
            )
            for name, one in found.items()
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Signing in while strangers flood the door.")
    parser.add_argument("--seconds", type=float, default=180.0, help="of the attack")
    parser.add_argument("--calm", type=float, default=60.0, help="seconds before it")
    parser.add_argument("--wrong", type=float, default=200.0, help="wrong passwords a second")
    parser.add_argument("--sign-ups", type=float, default=500.0, help="sign-ups a second")
    wish = parser.parse_args()
    found = asyncio.run(measure(wish))
    report("signing in under attack", found, rows(found))


if __name__ == "__main__":
    main()
