"""The account pages as they are served, over fakes, and somebody with a browser in front of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import argon2

from tests.admitting import an_admission
from tests.budgets import a_quotas
from tests.hashing import CHEAP
from tests.http.asgi import Visit
from tests.http.conftest import fingerprint
from tests.inviting import an_usher
from tests.newcomers import a_joining
from tests.reputation import a_reputation
from tidegate.core.credentials import ServerKeys
from tidegate.core.events import RequestFinished
from tidegate.core.identifiers import SessionId
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http import front
from tidegate.http.accounts import routes as accounts
from tidegate.http.accounts.room import AccountsRoom, Mail
from tidegate.http.answering import Answering
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.routes import bind, router
from tidegate.http.status.newcomers import sentence
from tidegate.http.visitors import SessionDoor
from tidegate.services.accounts import Clerk
from tidegate.services.asking import Asking
from tidegate.services.keyring import Keyring
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.passwords import PasswordLane
from tidegate.services.sessions import Sessions
from tidegate.services.setup import Setup
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.engine import FakeEngine
from tidegate.testing.journal import RecordingJournal

PASSWORD = "a tide waits for nobody"
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SITE = "https://tide.example"


class House:
    """The pages' application, and everything behind it open to a test."""

    def __init__(
        self,
        *,
        sign_up: RegistrationMode = RegistrationMode.OPEN,
        session_s: float = 3600.0 * 24,
        hasher: argon2.PasswordHasher = CHEAP,
        calm_at_once: float = 1000.0,
    ) -> None:
        self.clock = HandClock()
        self.journal = RecordingJournal()
        self.accounts = MemoryAccountStore()
        self.passwords = PasswordLane(hasher=hasher)
        self.lifecycle = Lifecycle()
        self.ended: list[SessionId] = []
        self.quotas = a_quotas(self.accounts, self.clock)
        self.clerk = Clerk(
            accounts=self.accounts,
            server_keys=ServerKeys(1, {1: b"k" * 32}),
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            keyring=Keyring(self.accounts, self.clock),
            passwords=self.passwords,
            reputation=a_reputation(self.accounts, self.clock),
            quotas=self.quotas,
        )
        self.admission = an_admission(self.clock, 2, 4, 16, quotas=self.quotas)
        self._later: list[asyncio.Task[None]] = []
        self.sessions = Sessions(
            clerk=self.clerk,
            session_s=86400.0,
            later=self._run_later,
            ended=self.ended.extend,
        )
        self.setup = Setup(self.sessions, None)
        self.usher = an_usher(
            self.accounts, self.clerk.server_keys, self.clerk.reputation, self.journal, fingerprint, self.clock
        )
        self.joining = a_joining(
            self.sessions, self.clock, invitations=self.usher.invitations, floor=sign_up, calm_at_once=calm_at_once
        )
        self.asking = Asking(self.joining, self.usher.requests, None, self.clock)
        self.engine = FakeEngine()
        self.mail: Mail | None = None

    def _is_sign_up_open(self) -> bool:
        return self.joining.mode is not RegistrationMode.CLOSED

    async def open(self) -> House:
        self.setup = await Setup.prepare(self.sessions)
        door = SessionDoor(sessions=self.sessions, server_keys=self.clerk.server_keys, fingerprint=fingerprint)
        room = AccountsRoom(
            sessions=self.sessions,
            setup=self.setup,
            admission=self.admission,
            joining=self.joining,
            asking=self.asking,
            usher=self.usher,
            mail=self.mail,
            script="/challenge/0123456789abcdef/page.js",
        )
        front_room = front.FrontRoom(
            self.engine, self.engine.card.id, self._is_sign_up_open, newcomers=lambda: sentence(self.joining)
        )
        routes = [
            *bind(accounts.TABLE, room, door),
            *bind(front.TABLE, front_room, door),
            *bind(front.OPEN_TABLE, front.FrontRoom(self.engine, self.engine.card.id), open_door),
        ]
        answering = Answering(app=router(routes), journal=self.journal, lifecycle=self.lifecycle, clock=self.clock)
        self.app = Frame(
            app=answering, journal=self.journal, fingerprint=fingerprint, clock=self.clock, ticks=self.clock
        )
        return self

    async def close(self) -> None:
        await self.finish_later()
        self.passwords.close()

    async def finish_later(self) -> None:
        await asyncio.gather(*self._later)

    def _run_later(self, work: Coroutine[Any, Any, None]) -> None:
        self._later.append(asyncio.ensure_future(work))


class Browser:
    """Keeps cookies as a browser does on HTTPS, and sends forms with the token of the page that it looks at."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cookies: dict[str, str] = {}
        self.token = ""

    async def get(self, path: str, **headers: str) -> Visit:
        """Go there, without following."""
        return self._seen(await self._visit("GET", path, headers).ask())

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Visit:
        """Send a form; its token is that of the last page seen unless the fields bring their own."""
        body = urlencode({"csrf": self.token, **(fields or {})}).encode()
        typed = {"content-type": "application/x-www-form-urlencoded", "origin": SITE, **headers}
        return self._seen(await self._visit("POST", path, typed, body).ask())

    async def submit(self, path: str, fields: dict[str, str], page: str = "") -> Visit:
        """Open the page that holds the form, and send it."""
        await self.get(page or path)
        return await self.post(path, fields)

    async def sign_up(self, email: str, password: str = PASSWORD) -> Browser:
        visit = await self.submit("/sign-up", {"email": email, "password": password})
        assert (visit.status, visit.headers["location"]) == (303, "/chat"), visit.body
        return self

    def _visit(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Visit:
        known = {"host": "tide.example", "accept": HTML, "sec-fetch-site": "same-origin"}
        if self.cookies:
            known["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {name: value for name, value in {**known, **headers}.items() if value}
        return Visit(self.house.app, method, path, headers=sent, body=body)

    def _seen(self, visit: Visit) -> Visit:
        for line in visit.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                if morsel["max-age"] == "0":
                    del self.cookies[name]
        found = re.search(r'name="csrf" value="([^"]*)"', visit.body.decode("utf-8", "replace"))
        self.token = found.group(1) if found else self.token
        return visit


def text(visit: Visit) -> str:
    """What stands on a page."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", visit.body.decode(), flags=re.DOTALL)).split())


def reason_told(house: House) -> Reason | None:
    return house.journal.of(RequestFinished)[-1].reason


def field_tag(visit: Visit, name: str) -> str:
    """The field's own tag, as it stands on the page."""
    found = re.search(rf'<input [^>]*name="{name}"[^>]*>', visit.body.decode())
    assert found is not None
    return found.group()


def assert_blamed(visit: Visit, field: str, sentence: str) -> None:
    tag = field_tag(visit, field)
    assert 'aria-invalid="true"' in tag
    key = re.search(r'id="([^"]+)"', tag)
    described = re.search(r'aria-describedby="([^"]+)"', tag)
    assert key is not None
    assert described is not None
    assert f"{key.group(1)}-error" in described.group(1).split()
    error = f'<p class="error" id="{key.group(1)}-error" role="alert">{sentence}</p>'
    assert error in visit.body.decode()
    assert "<title>Error: " in visit.body.decode()
