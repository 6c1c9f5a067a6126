"""An application with the gate around it, and requests to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from tests.http.asgi import Visit
from tidegate import TidegateMiddleware

CHAT = "/v1/chat/completions"
ROOMY = {"address_rate": 1e4, "address_burst": 1e5, "network_rate": 1e4, "network_burst": 1e5}
ROOMY |= {"strangers_rate": 1e4, "strangers_burst": 1e5, "account_address_rate": 1e4, "account_address_burst": 1e5}
"""Budgets for tests in which all callers have one address."""

EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"b"}}]}\n\ndata: [DO',
    b"NE]\n\n",
)
HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"access-control-allow-origin", b"https://a.example"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"x-request-id", b"of-the-application"),
]

Handling = Callable[["Application", Scope, Receive, Send], Awaitable[None]]


class Application:
    """An application that answers as `handling` does, and remembers who came."""

    def __init__(self, handling: Handling | None = None) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.left: list[str] = []
        self.let = asyncio.Event()
        self._handling = handling or streaming
        self._came = asyncio.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more and scope["type"] == "http":
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        async with self._came:
            self.scopes.append(scope)
            self.bodies.append(body)
            self._came.notify_all()
        await self._handling(self, scope, receive, send)

    async def came(self, number: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(5), self._came:
            await self._came.wait_for(lambda: len(self.scopes) >= number)

    @property
    def keys(self) -> list[str]:
        found = [dict(scope["headers"]).get(b"authorization", b"") for scope in self.scopes]
        return [text.decode().removeprefix("Bearer ") for text in found]


def start(status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> Message:
    fields = [(b"content-type", b"application/json")] if headers is None else headers
    return {"type": "http.response.start", "status": status, "headers": [*fields]}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def streaming(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in pieces that are no whole events."""
    await send(start(200, HEADERS))
    for event in EVENTS:
        await send(body(event, more=True))
    await send(body())


async def when_let(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in one piece as soon as it is let; note who had to leave before."""
    try:
        await app.let.wait()
    except asyncio.CancelledError:
        app.left.append(scope["path"])
        raise
    await send(start())
    await send(body(b'{"usage":{"prompt_tokens":9,"completion_tokens":9}}'))


async def judging(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Know one key."""
    is_known = dict(scope["headers"]).get(b"authorization") == b"Bearer good"
    await send(start(200 if is_known else 401))
    await send(body(b"{}"))


def asking(
    app: Any,
    key: str | None = "ana",
    path: str = CHAT,
    *,
    is_stream: bool = False,
    method: str = "POST",
    data: bytes | list[bytes] | None = None,
    client: tuple[str, int] | None = ("203.0.113.7", 40000),
    **headers: str,
) -> Visit:
    """A request to ask a model, not sent yet."""
    given = {"host": "a.example", **headers}
    given = {name.replace("_", "-"): text for name, text in given.items()}
    if key is not None:
        given["authorization"] = f"Bearer {key}"
    if data is None:
        data = json.dumps({"messages": [], "stream": is_stream, "max_tokens": 8}).encode()
    return Visit(app, method, path, headers=given, body=data, client=client)


def wrapped(handling: Handling | None = None, **settings: Any) -> tuple[TidegateMiddleware, Application]:
    """An application with the gate around it, and itself."""
    app = Application(handling)
    return TidegateMiddleware(app, **{"gate": ROOMY, **settings}), app
