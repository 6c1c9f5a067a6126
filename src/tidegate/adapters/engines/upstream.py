"""One server that speaks HTTP for a model, and the connections to it.

Headers of one hop (RFC 9110 section 7.6.1) stay on their side. Nothing is
decompressed, no redirect is followed, no cookie is kept, and no proxy of the
environment is used: what is asked is that server and nobody else.

A client of our own, because it is on the way of every request of `tidegate gate`:
decision 0023 has what it costs, and what a general one does.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections import deque
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec

from tidegate.adapters.engines.connections import ONE_HOP, Connection, named_by
from tidegate.adapters.engines.opened import Opened, UnreachableError
from tidegate.ports.upstream import Headers

_CONNECT_S: Final = 5.0
_NO_CONNECTION: Final = "ConnectTimeoutError"
_IDLE_S: Final = 2.0
"""Shorter than the patience of any server in use (uvicorn's and llama.cpp's is 5 s): it must not close first."""

_OUR_OWN: Final = ONE_HOP | {b"host", b"content-length", b"expect", b"accept-encoding"}
_OUR_OWN_AND_KEYS: Final = _OUR_OWN | {b"authorization", b"x-api-key", b"api-key", b"cookie"}
_USUAL: Final = frozenset({b"keep-alive", b"close"})
_WITHOUT_LENGTH: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

__all__ = ["Opened", "UnreachableError", "Upstream", "UpstreamPlan"]


class UpstreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Silence (s) after which a server is given up.

    `silence_s`: between pieces; `first_s`: before the first; `whole_s`: before an answer in one piece.
    """

    silence_s: float = 30.0
    first_s: float = 120.0
    whole_s: float = 600.0


class Upstream:
    """A server at a URL. `key` stands in for whatever the callers show; an empty one for nothing, None passes it on."""

    def __init__(self, url: str, key: str | None, plan: UpstreamPlan) -> None:
        """Nothing is connected before the first request. Use it as a context, which closes all connections."""
        self.url = url
        self.plan = plan
        parts = urlsplit(url)
        self._host, self._is_tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)
        self._prefix = parts.path.rstrip("/").removesuffix("/v1").rstrip("/").encode()
        self._named = _named(self._host, parts.port)
        self._key = key
        self._left_out = _OUR_OWN if key is None else _OUR_OWN_AND_KEYS
        shown = key.encode() if key else b""
        self._shown = b"authorization: Bearer %b\r\nx-api-key: %b\r\n" % (shown, shown) if key else b""
        self._idle: deque[Connection] = deque()
        self._connecting: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self._reaping: asyncio.TimerHandle | None = None
        self._closing: asyncio.Future[None] | None = None

    @property
    def has_own_key(self) -> bool:
        """Whether it is shown a key of the gate's own."""
        return bool(self._key)

    async def __aenter__(self) -> Self:
        """Have no connection yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        if self._reaping is not None:
            self._reaping.cancel()
            self._reaping = None
        if self._connecting:
            for connecting in self._connecting:
                connecting.cancel()
            await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in self._connections:
            connection.cut()
        if self._connections:
            if self._closing is None or self._closing.done():
                self._closing = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._closing)
        await asyncio.sleep(0)  # What was half made is closed in the loop's next turn.

    def ask(self, method: str, target: str, headers: Headers, body: bytes) -> Opened:
        """Send one request. Wait for the head of its answer, and close it in any case.

        Raises ValueError for what would be more than one request.
        """
        request = self._request(method, target, headers, body)
        opened = Opened(self.plan.silence_s, is_bodiless=method == "HEAD")
        connection = self._free()
        if connection is None:
            opened.connecting = asyncio.get_running_loop().create_task(self._connect(opened, request))
            self._connecting.add(opened.connecting)
            opened.connecting.add_done_callback(self._connecting.discard)
        else:
            connection.ask(opened, request)
        return opened

    async def open(self, method: str, target: str, headers: Headers, body: bytes, within_s: float) -> Opened:
        """Send one request and wait for the head of its answer. Raises UnreachableError.

        Cancelling it closes the connection, by which servers notice that nobody waits.
        """
        opened = self.ask(method, target, headers, body)
        try:
            await opened.head(within_s)
        except BaseException:
            opened.close()
            raise
        return opened

    # ------------------------------------------------------------ connections

    def _free(self) -> Connection | None:
        """The connection that was used last, of those that may be used again."""
        idle, since = self._idle, asyncio.get_running_loop().time() - _IDLE_S
        while idle:
            connection = idle.pop()
            if connection.idle_since >= since and not connection.transport.is_closing():
                return connection
            connection.transport.abort()
        return None

    async def _connect(self, opened: Opened, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._kept, self._lost),
                    self._host,
                    self._port,
                    ssl=_tls() if self._is_tls else None,
                    server_hostname=self._host if self._is_tls else None,
                )
        except (OSError, ValueError) as error:
            # A name that cannot be one is a ValueError; all else that goes wrong here is an OSError.
            kind = _NO_CONNECTION if isinstance(error, TimeoutError) else type(error).__name__
            opened.fail(UnreachableError(kind, was_sent=False))
            return
        self._connections.add(connection)
        if opened.is_closed:
            connection.transport.abort()
        else:
            connection.ask(opened, request)

    def _kept(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._reaping is None:
            self._reaping = loop.call_later(_IDLE_S, self._reap)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._closing is not None and not self._connections and not self._closing.done():
            self._closing.set_result(None)

    def _reap(self) -> None:
        """Close what nobody has used for a while, and look again later if there is more."""
        loop = asyncio.get_running_loop()
        idle, since = self._idle, loop.time() - _IDLE_S
        while idle and (idle[0].idle_since < since or idle[0].transport.is_closing()):
            idle.popleft().transport.abort()
        self._reaping = loop.call_later(_IDLE_S / 4, self._reap) if idle else None

    # ------------------------------------------------------------ requests

    def _request(self, method: str, target: str, headers: Headers, body: bytes) -> bytes:
        left_out = self._left_out
        fields = [field for field in headers if field[0].lower() not in left_out]
        for name, value in headers:
            if name.lower() == b"connection" and value.lower() not in _USUAL:
                named = named_by(value)
                fields = [field for field in fields if field[0].lower() not in named]
        lines = [
            b"%b %b%b HTTP/1.1\r\nhost: %b\r\n%b"
            % (method.encode("ascii"), self._prefix, target.encode("latin-1"), self._named, self._shown),
            *[b"%b: %b\r\n" % field for field in fields],
        ]
        if body or method not in _WITHOUT_LENGTH:
            lines.append(b"content-length: %d\r\n" % len(body))
        head = b"".join(lines)
        if not (head.count(b"\n") == head.count(b"\r") == len(lines) + 1 + 2 * bool(self._shown)):
            msg = "a line break within a line of a request"
            raise ValueError(msg)
        return b"%b\r\n%b" % (head, body)


def _named(host: str, port: int | None) -> bytes:
    """What stands in `Host` (RFC 9110 section 7.2)."""
    named = f"[{host}]".encode("ascii") if ":" in host else host.encode("idna")
    return named if port is None else b"%b:%d" % (named, port)


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
