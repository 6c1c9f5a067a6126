"""Speaks to an ASGI application as a server does, in this process and without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import Any, cast

from starlette.types import ASGIApp, Message, Send

_PATIENCE_S = 10.0


class Visit:
    """One request. `start` it, watch it, `leave` it; or just `ask`."""

    def __init__(
        self,
        app: ASGIApp,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | list[bytes] = b"",
        client: tuple[str, int] | None = ("203.0.113.7", 40000),
        is_body_whole: bool = True,
    ) -> None:
        pieces = body if isinstance(body, list) else [body]
        path, _, query = path.partition("?")
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
            "client": client,
            "server": ("127.0.0.1", 8080),
        }
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        for index, piece in enumerate(pieces):
            self._inbox.put_nowait(
                {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1 or not is_body_whole}
            )
        self.unread = self._inbox.qsize
        self.status = 0
        self.headers: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self.sent: list[bytes] = []
        self.is_complete = False
        self.send: Send = self._take
        self.task: asyncio.Task[None] | None = None

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not self.status, "two status lines"
            self.status = message["status"]
            for name, value in message["headers"]:
                assert name == name.lower()
                self.headers[name.decode()] = value.decode("latin-1")
                if name == b"set-cookie":
                    self.set_cookies.append(value.decode("latin-1"))
        elif message["type"] == "http.response.body":
            assert self.status, "a body before the status line"
            assert not self.is_complete, "more after the end"
            if message.get("body"):
                self.sent.append(message["body"])
            self.is_complete = not message.get("more_body", False)

    def start(self) -> Visit:
        serving = self._app(self._scope, self._inbox.get, self.send)
        self.task = asyncio.create_task(cast("Coroutine[Any, Any, None]", serving))
        return self

    def leave(self) -> None:
        """Close the connection from the caller's side."""
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def finish(self) -> Visit:
        """Wait for the application to be done with it."""
        assert self.task is not None
        async with asyncio.timeout(_PATIENCE_S):
            await self.task
        return self

    async def ask(self) -> Visit:
        """Start and finish."""
        return await self.start().finish()

    @property
    def body(self) -> bytes:
        return b"".join(self.sent)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error object, its shape checked."""
        assert self.headers["content-type"] == "application/json"
        return checked_error(self.json())

    def events(self) -> list[Any]:
        """The `data:` payloads of a stream in order; `[DONE]` as a text."""
        return [payload for payload in map(_payload, self.body.decode().split("\n\n")) if payload is not None]


def checked_error(body: Any) -> dict[str, Any]:
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert isinstance(error["code"], str)
    assert error["param"] is None or isinstance(error["param"], str)
    return error


def _payload(block: str) -> Any:
    if not block or block.startswith(":"):
        return None
    assert block.startswith("data: "), block
    assert "\n" not in block, block
    return block[6:] if block == "data: [DONE]" else json.loads(block[6:])
