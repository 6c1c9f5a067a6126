"""One server that speaks HTTP for a model, and the connections to it.

Headers of one hop (RFC 9110 section 7.6.1) stay on their side. Nothing is
decompressed, no redirect is followed, no cookie is kept, and no proxy of the
environment is used: what is asked is that server and nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, Self

import aiohttp
import msgspec
from yarl import URL

from tidegate.ports.upstream import Headers, UpstreamBrokeError

_MOST_TARGETS: Final = 256
_CONNECT_S: Final = 5.0
_IDLE_S: Final = 2.0
"""Shorter than the patience of any server in use (uvicorn's and llama.cpp's is 5 s): it must not close first."""

_CLOSING_S: Final = 0.25
_READ_BYTES: Final = 1 << 18
_ONE_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"http2-settings"),
    }
)
_OUR_OWN: Final = _ONE_HOP | {b"host", b"content-length", b"expect", b"accept-encoding"}
_OUR_OWN_AND_KEYS: Final = _OUR_OWN | {b"authorization", b"x-api-key", b"api-key", b"cookie"}
_USUAL: Final = frozenset({b"keep-alive", b"close"})
_SKIPPED: Final = frozenset({"user-agent", "accept", "accept-encoding", "content-type"})


class UpstreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Silence (s) after which a server is given up.

    `silence_s`: between pieces; `first_s`: before the first; `whole_s`: before an answer in one piece.
    """

    silence_s: float = 30.0
    first_s: float = 120.0
    whole_s: float = 600.0


class UnreachableError(Exception):
    """The server did not answer. `was_sent`: it may have got the request, and may have worked on it.

    `was_stale`: it may only have closed an idle connection that was used again in that moment.
    """

    def __init__(self, kind: str, *, was_sent: bool, was_stale: bool = False) -> None:
        """`kind` is the kind of error, for the operator."""
        super().__init__(kind)
        self.kind = kind
        self.was_sent = was_sent
        self.was_stale = was_stale


class Opened:
    """An answer that has begun. Read it to its end (b""), or `close` it, which frees the server."""

    def __init__(self, response: aiohttp.ClientResponse, silence_s: float, kept: Callable[[], None]) -> None:
        """Its head is there. `kept` hears when its connection may be used again."""
        self._kept = kept
        self.status = response.status
        self.headers: Headers = _for_next_hop(response.raw_headers, _ONE_HOP)
        self.media_type = response.headers.get("content-type", "")
        self.is_encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
        self._response = response
        self.silence_s = silence_s

    @property
    def is_complete(self) -> bool:
        """Whether all of it was read."""
        return self._response.content.at_eof()

    async def read(self, within_s: float | None = None) -> bytes:
        """The next bytes, b"" at the end. Raises UpstreamBrokeError; `within_s` is for what may take longer."""
        try:
            async with asyncio.timeout(self.silence_s if within_s is None else within_s):
                return await self._response.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # aiohttp's own time limits are TimeoutErrors too.
            raise UpstreamBrokeError(type(error).__name__) from error

    def close(self) -> None:
        """Let go: a connection whose answer is complete is used again, any other is closed."""
        if self.is_complete:
            self._kept()
        self._response.release()


class Upstream:
    """A server at a URL. `key` stands in for whatever the callers show; an empty one for nothing, None passes it on."""

    def __init__(self, url: str, key: str | None, plan: UpstreamPlan) -> None:
        """Nothing is connected before `open`. Use it as a context."""
        self.url = url
        self.plan = plan
        self._base = url.rstrip("/").removesuffix("/v1")
        self._key = key
        self._targets: dict[str, URL] = {}
        self._http: aiohttp.ClientSession | None = None
        self._answered_at = float("-inf")
        self._closed_at: float | None = None

    @property
    def has_own_key(self) -> bool:
        """Whether it is shown a key of the gate's own."""
        return bool(self._key)

    async def __aenter__(self) -> Self:
        """Have a pool of connections, empty yet."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S, enable_cleanup_closed=False),
            timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_S, sock_connect=_CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_BYTES,
            skip_auto_headers=_SKIPPED,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.close()

    async def open(self, method: str, target: str, headers: Headers, body: bytes, within_s: float) -> Opened:
        """Send one request and wait for the head of its answer. Raises UnreachableError.

        Cancelling it closes the connection, by which servers notice that nobody waits.
        """
        assert self._http is not None, "it was entered"
        sending = self._http.request(
            method,
            self._target(target),
            data=body or None,
            headers=self._headers(headers),
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(within_s):
                response = await sending
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise UnreachableError(type(error).__name__, was_sent=False) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise UnreachableError(type(error).__name__, was_sent=True, was_stale=self._was_stale()) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise UnreachableError(type(error).__name__, was_sent=True) from error
        return Opened(response, self.plan.silence_s, self._was_kept)

    def _was_kept(self) -> None:
        self._answered_at, self._closed_at = time.monotonic(), None

    def _was_stale(self) -> bool:
        """Whether it was idle connections that were closed: all at about the same time, soon after an answer."""
        now = time.monotonic()
        self._closed_at = now if self._closed_at is None else self._closed_at
        return now - self._answered_at < 2 * _IDLE_S and now - self._closed_at < _CLOSING_S

    def _target(self, target: str) -> URL:
        url = self._targets.get(target)
        if url is None:
            url = URL(self._base + target, encoded=True)
            if len(self._targets) < _MOST_TARGETS:
                self._targets[target] = url
        return url

    def _headers(self, headers: Headers) -> list[tuple[str, str]]:
        left_out = _OUR_OWN if self._key is None else _OUR_OWN_AND_KEYS
        named = [(name.decode("latin-1"), _text(value)) for name, value in _for_next_hop(headers, left_out)]
        if self._key:
            named.append(("authorization", f"Bearer {self._key}"))
            named.append(("x-api-key", self._key))
        return named


def _for_next_hop(headers: Iterable[tuple[bytes, bytes]], left_out: frozenset[bytes]) -> Headers:
    """Leave out what is for one hop, by its name or by what `Connection` names (RFC 9110 section 7.6.1)."""
    told = [value.lower() for name, value in headers if name.lower() == b"connection"]
    if any(value not in _USUAL for value in told):
        left_out |= {word.strip() for word in b",".join(told).split(b",")}
    return tuple(field for field in headers if field[0].lower() not in left_out)


def _text(value: bytes) -> str:
    # It is written as UTF-8 again: so what came as that goes on as it came.
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
