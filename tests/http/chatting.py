"""A signed-in person's page, calling the web chat's API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.http.asgi import Visit
from tests.http.conftest import Service
from tidegate.core import csrf
from tidegate.core.events import RequestFinished, RouteKind
from tidegate.services.sessions import SignedIn
from tidegate.testing.clock import until


class Page:
    """One browser of one person. `stray` headers replace its own."""

    def __init__(self, service: Service, signed_in: SignedIn, cookie: str) -> None:
        self.service = service
        self.signed_in = signed_in
        self.owner = signed_in.user.id
        self.headers = {
            "authorization": "",
            "cookie": f"__Host-tidegate-session={cookie}",
            "sec-fetch-site": "same-origin",
            "x-csrf-token": csrf.token(signed_in.digest, service.keys),
        }

    @classmethod
    async def of(cls, service: Service, email: str) -> Page:
        """Sign somebody in, who gets an account first if need be."""
        user = await service.accounts.user_by_email(email) or await service.clerk.create_user(email)
        return cls(service, *(await service.sessions.begin(user)))

    def visit(self, method: str, path: str, body: Any = b"", **stray: str) -> Visit:
        headers = {**self.headers, **{name.replace("_", "-"): value for name, value in stray.items()}}
        return self.service.visit(method, path, body, headers=headers)

    async def call(self, method: str, path: str, body: Any = b"", **stray: str) -> Visit:
        return await self.visit(method, path, body, **stray).ask()

    async def begin(self, content: str = "Why?") -> Any:
        """Ask in a new conversation; the answer goes on."""
        visit = await self.call("POST", "/api/conversations", {"content": content})
        assert visit.status == 201, visit.body
        return visit.json()

    async def talk(self, content: str = "Why?") -> Any:
        """Ask in a new conversation, and wait for the whole answer."""
        asked = await self.begin(content)
        await self.answered()
        return asked

    async def answered(self) -> None:
        await until(lambda: self.service.lifecycle.running == 0)

    async def watch(self) -> Watching:
        """Open the page's event stream, and wait for its first event."""
        watching = Watching(self.visit("GET", "/api/events").start())
        await watching.seen(1)
        return watching


class Watching:
    """An open event stream."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    @property
    def events(self) -> list[Any]:
        return self.visit.events()

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def seen(self, count: int) -> list[Any]:
        """Wait until so many events came."""
        await until(lambda: len(self.visit.events()) >= count or self.visit.is_complete)
        assert len(self.events) >= count, self.visit.body
        return self.events

    async def seen_type(self, kind: str) -> Any:
        await until(lambda: kind in self.types)
        return next(event for event in self.events if event["type"] == kind)

    async def leave(self) -> None:
        self.visit.leave()
        await self.visit.finish()

    async def ended(self) -> bytes:
        """Wait until the service ends it; answers everything that was sent."""
        async with asyncio.timeout(5):
            await self.visit.finish()
        assert self.visit.is_complete
        return self.visit.body


async def refused(page: Page, method: str, path: str, body: Any = b"", **stray: str) -> tuple[int, str, str | None]:
    """The status, the code and the field of a call that is refused."""
    visit = await page.call(method, path, body, **stray)
    return visit.status, visit.error["code"], visit.error["param"]


def chat_lines(service: Service) -> list[RequestFinished]:
    return [line for line in service.journal.of(RequestFinished) if line.route is RouteKind.CHAT]


def json_of(visit: Visit) -> Any:
    assert visit.headers["cache-control"] == "no-store"
    return json.loads(visit.body)
