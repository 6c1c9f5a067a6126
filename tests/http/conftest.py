"""The applications as they are served, over fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from hashlib import sha256
from typing import Any

import argon2
import pytest

from tests.admitting import an_admission
from tests.budgets import a_quotas
from tests.http.asgi import Visit
from tests.inviting import an_usher
from tests.newcomers import a_joining
from tests.reputation import a_reputation
from tidegate.adapters.lists.carried import disposable_list
from tidegate.core.credentials import ServerKeys
from tidegate.core.events import RequestFinished
from tidegate.core.identifiers import Fingerprint
from tidegate.http.applications import Applications, build_applications
from tidegate.http.chat.events import encode
from tidegate.http.web.assets import Asset
from tidegate.services.accounts import Clerk
from tidegate.services.keyring import Keyring
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.passwords import PasswordLane
from tidegate.services.replies import Replies
from tidegate.services.sessions import Sessions
from tidegate.services.setup import Setup
from tidegate.services.writing import Desk
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.conversations import MemoryConversationStore
from tidegate.testing.engine import FakeEngine
from tidegate.testing.journal import RecordingJournal

MAX_BODY_BYTES = 4 << 20
CHAT: dict[str, Any] = {"model": "tide-1", "messages": [{"role": "user", "content": "Hello"}]}
TEXT: dict[str, Any] = {"model": "tide-1", "prompt": "Once"}
CHAT_PATH, TEXT_PATH = "/v1/chat/completions", "/v1/completions"


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


SETUP_CODE = "5e7" * 10 + "aa"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""What a hash costs is not what these tests are about."""
ASSETS = {
    "index.html": Asset("text/html; charset=utf-8", 'W/"page"', {"identity": b"<!doctype html><title>Chat</title>"}),
    "manifest.webmanifest": Asset("application/manifest+json", 'W/"manifest"', {"identity": b"{}"}),
    "challenge/page.js": Asset("text/javascript", 'W/"page"', {"identity": b"2;", "gzip": b"gz"}),
    "challenge/worker.js": Asset("text/javascript", 'W/"worker"', {"identity": b"3;"}),
    "assets/chat.js": Asset("text/javascript", 'W/"js"', {"identity": b"1;", "br": b"br", "gzip": b"gz"}),
}


class Service:
    """Everything that an answer is made of, open to a test."""

    def __init__(self, slots: int = 2, max_waiting: int = 1, max_per_owner: int = 100) -> None:
        self.clock = HandClock()
        self.journal = RecordingJournal()
        self.accounts = MemoryAccountStore()
        self.keys = ServerKeys(1, {1: b"k" * 32})
        self.keyring = Keyring(self.accounts, self.clock)
        self.quotas = a_quotas(self.accounts, self.clock)
        self.clerk = Clerk(
            accounts=self.accounts,
            server_keys=self.keys,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            keyring=self.keyring,
            passwords=PasswordLane(hasher=CHEAP),
            reputation=a_reputation(self.accounts, self.clock),
            quotas=self.quotas,
        )
        self.engine = FakeEngine()
        self.admission = an_admission(self.clock, slots, max_waiting, max_per_owner, quotas=self.quotas)
        self.scheduler = self.admission.scheduler
        self.lifecycle = Lifecycle()
        self.conversations = MemoryConversationStore(self.accounts)
        self.desk = Desk(
            engine=self.engine,
            admission=self.admission,
            conversations=self.conversations,
            lifecycle=self.lifecycle,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            ticks=self.clock,
        )
        self.replies = Replies(self.desk, encode)
        self.sessions = Sessions(
            clerk=self.clerk,
            session_s=30 * 86400.0,
            later=self._run_later,
            ended=self.replies.hang_up,
        )
        self.setup = Setup(self.sessions, SETUP_CODE)
        self.usher = an_usher(self.accounts, self.keys, self.clerk.reputation, self.journal, fingerprint, self.clock)
        self.joining = a_joining(self.sessions, self.clock, invitations=self.usher.invitations)
        self._later: list[asyncio.Task[None]] = []
        self.apps: Applications = build_applications(
            desk=self.desk,
            aliases=("deepseek-chat", "lab/tide"),
            clerk=self.clerk,
            keyring=self.keyring,
            sessions=self.sessions,
            setup=self.setup,
            replies=self.replies,
            assets=ASSETS,
            status_url=None,
            local_status_url="http://127.0.0.1:8081",
            max_body_bytes=MAX_BODY_BYTES,
            exposition=lambda: b"tidegate_engine_ready 1.0\n",
            later=self._run_later,
            joining=self.joining,
            usher=self.usher,
            disposable=disposable_list(),
        )
        self.key = ""

    def _run_later(self, work: Coroutine[Any, Any, None]) -> None:
        self._later.append(asyncio.ensure_future(work))

    async def open(self) -> Service:
        await self.clerk.create_user("ana@example.org")
        self.key = (await self.clerk.create_key("ana@example.org")).text
        return self

    async def finish_later(self) -> None:
        await asyncio.gather(*self._later)

    def visit(
        self,
        method: str,
        path: str,
        body: Any = b"",
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        client: tuple[str, int] | None = ("203.0.113.7", 40000),
        is_body_whole: bool = True,
    ) -> Visit:
        """A request to the public port; `body` is JSON unless it is bytes."""
        raw = body if isinstance(body, (bytes, list)) else json.dumps(body).encode()
        known = {"authorization": f"Bearer {self.key if key is None else key}", "host": "tide.example:8080"}
        return Visit(
            self.apps.public,
            method,
            path,
            headers={**known, **(headers or {})},
            body=raw,
            client=client,
            is_body_whole=is_body_whole,
        )

    async def ask(self, method: str, path: str, body: Any = b"", **options: Any) -> Visit:
        return await self.visit(method, path, body, **options).ask()

    async def chat(self, **fields: Any) -> Visit:
        return await self.ask("POST", CHAT_PATH, {**CHAT, **fields})

    async def text(self, **fields: Any) -> Visit:
        return await self.ask("POST", TEXT_PATH, {**TEXT, **fields})

    def finished(self) -> RequestFinished:
        """The newest request in the log."""
        return self.journal.of(RequestFinished)[-1]

    def assert_all_free(self) -> None:
        assert (self.engine.running, self.scheduler.running, self.scheduler.waiting) == (0, 0, 0)
        assert self.lifecycle.running == 0


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = await Service().open()
    yield made
    await made.finish_later()
    made.clerk.passwords.close()
    made.assert_all_free()
