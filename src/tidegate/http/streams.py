"""Responses in pieces: no more of them waits in this process than the caller takes.

Server-sent events end cleanly whatever becomes of their source:
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.presence import until_gone
from tidegate.http.refusals import WIRE, ErrorDetail, Refusal
from tidegate.services.lifecycle import Lifecycle

UNREAD_LIMIT_S = 8.0
"""A caller that takes nothing for this long has left. Shorter than the engine's stall, which it must not look like."""

WHOLE_BYTES: Final = 256 << 10
"""An answer that is larger is sent in pieces."""

PIECE_BYTES: Final = 64 << 10

HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
)


def event(payload: bytes) -> bytes:
    """One event of one line."""
    return b"data: " + payload + b"\n\n"


def comment(text: str) -> bytes:
    """A line that every client ignores: it keeps proxies from giving up."""
    return f": {text}\n\n".encode()


class StreamError(ErrorDetail, frozen=True, kw_only=True, omit_defaults=True):
    """An error object in the middle of a stream: no header can say any more when trying again helps."""

    retry_after_s: float | None = None


def error_event(refusal: Refusal) -> bytes:
    """An error in the middle of a stream."""
    retry_after_s = None if refusal.retry_after_s is None else round(refusal.retry_after_s, 1)
    error = StreamError(
        refusal.message, WIRE[refusal.reason].type, refusal.param, refusal.reason, retry_after_s=retry_after_s
    )
    return event(msgspec.json.encode({"error": error}))


class EventStream(Response):
    """Sends pieces as they come.

    A Refusal from the source ends it with an error event, which clients raise
    as an error and keep the text so far. When the caller leaves, the source is
    closed. At the drain limit of the `lifecycle` it is refused; without one the
    source ends by itself.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        lifecycle: Lifecycle | None,
        exchange: Exchange,
        close: Callable[[], Awaitable[None]],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`pieces` are whole server-sent events; `close` frees what they come from, whatever happens."""
        self._more = [(name.encode(), text.encode()) for name, text in (headers or {}).items()]
        self._pieces = pieces
        self._lifecycle = lifecycle
        self._exchange = exchange
        self._close = close
        self._sending_since: float | None = None
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope
        last = b""
        try:
            await _send_soon(send, {"type": "http.response.start", "status": 200, "headers": [*HEADERS, *self._more]})
            await until_gone(self._send_all(send), receive, self._lifecycle, self._unread())
        except Refusal as refusal:
            self._exchange.reason = refusal.reason
            last = error_event(refusal)
        finally:
            # A generator that never began runs no `finally` of its own when it is closed.
            await self._close()
        await _send_soon(send, {"type": "http.response.body", "body": last, "more_body": False})

    async def _send_all(self, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        # Closed by name: when it is `send` that is interrupted, the source would not hear of it.
        async with contextlib.aclosing(self._pieces) as pieces:
            async for piece in pieces:
                self._sending_since = clock()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                self._sending_since = None

    async def _unread(self) -> None:
        """End when one piece could not be sent for too long. Looks now and then: a timer a piece would cost more."""
        clock = asyncio.get_running_loop().time
        while self._sending_since is None or clock() - self._sending_since < UNREAD_LIMIT_S:  # noqa: ASYNC110 - on purpose
            await asyncio.sleep(UNREAD_LIMIT_S / 8)


class PacedResponse(Response):
    """A response that, when it is large, is sent in pieces, each within the time that a stream's piece has."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Raises ClientLeftError when the caller takes nothing for too long."""
        size_bytes = len(self.body)
        if size_bytes <= WHOLE_BYTES:
            await super().__call__(scope, receive, send)
            return
        await _send_soon(send, {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for end in range(PIECE_BYTES, size_bytes + PIECE_BYTES, PIECE_BYTES):
            piece = bytes(self.body[end - PIECE_BYTES : end])
            await _send_soon(send, {"type": "http.response.body", "body": piece, "more_body": end < size_bytes})


async def _send_soon(send: Send, message: Message) -> None:
    """Send, unless the caller has not read for too long: a place at the engine is not for keeping.

    By then some hundred kilobytes lie unread in this process and the kernel, so
    a slow line is not cut, only one that stands still.
    """
    try:
        async with asyncio.timeout(UNREAD_LIMIT_S):
            await send(message)
    except TimeoutError:
        raise ClientLeftError from None
