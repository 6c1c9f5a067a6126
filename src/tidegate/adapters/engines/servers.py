"""One server of several: what it is asked for, its connections, and what waits for its first word."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream, UpstreamPlan
from tidegate.core.capacity.pool import Member
from tidegate.core.identifiers import Replica

_MOST_STALE: Final = 4
_JSON: Final = ((b"content-type", b"application/json"), (b"accept", b"text/event-stream, application/json"))


class ServerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is known before anything is asked of it. `url` has no `/v1`; at most `places` calls at once.

    Where its `kind` is not certain it is taken from what the server says of itself.
    """

    url: str
    key: str | None = None
    models: frozenset[str]
    weight: float = 1.0
    places: int = 64
    kind: Kind = Kind.OPENAI
    is_kind_certain: bool = True

    @property
    def replica(self) -> Replica:
        """Its name for people and logs."""
        return Replica(urlsplit(self.url).netloc)

    def member(self) -> Member:
        """As the pool knows it."""
        return Member(name=self.url, weight=self.weight, places=self.places, models=self.models)


class TooMuchError(ValueError):
    """An answer that is longer than such an answer can be."""


class Server:
    """A server's connections. Whoever is `waiting` for its first word is woken when it is given up.

    `answers` counts those that callers got, by model.
    """

    def __init__(self, plan: ServerPlan) -> None:
        """Nothing is connected yet."""
        self.plan = plan
        self.kind = plan.kind
        self.why = ""
        self.is_suspect = False
        self.unreadable = 0
        self.is_asked = False
        self.tried_at = 0.0
        self.answers: dict[str, int] = {}
        self._waiting: set[asyncio.Timeout] = set()
        # How long it may be silent is for those to say who know what it said before.
        self._upstream = Upstream(plan.url, plan.key, UpstreamPlan(silence_s=86_400.0))
        self._users = 0
        self._is_open = self._is_retired = False

    @asynccontextmanager
    async def asked(self, method: str, path: str, body: bytes, within_s: float) -> AsyncIterator[Opened]:
        """Ask it; what was begun is let go of at the end. Raises UnreachableError, TimeoutError."""
        self._users += 1
        try:
            if not self._is_open:
                self._is_open = True
                await self._upstream.__aenter__()
            async with asyncio.timeout(within_s) as waiting:
                with self.first_word(waiting):
                    opened = await self._open(method, path, body, within_s)
            try:
                yield opened
            finally:
                opened.close()
        finally:
            self._users -= 1
            if self._is_retired:
                await self._close_idle()

    async def _open(self, method: str, path: str, body: bytes, within_s: float) -> Opened:
        """Open, again where it was only a connection that the server had closed: llama.cpp does at a stream's end."""
        for _ in range(_MOST_STALE):
            try:
                return await self._upstream.open(method, path, _JSON, body, within_s)
            except UnreachableError as error:
                if not error.was_stale:
                    raise
        return await self._upstream.open(method, path, _JSON, body, within_s)

    async def fetch(self, path: str, within_s: float, most_bytes: int) -> tuple[int, bytes]:
        """Status and body of a GET. Raises UnreachableError, UpstreamBrokeError, TimeoutError, TooMuchError."""
        async with asyncio.timeout(within_s), self.asked("GET", path, b"", within_s) as opened:
            return opened.status, await whole(opened, most_bytes)

    @contextlib.contextmanager
    def first_word(self, waiting: asyncio.Timeout) -> Iterator[None]:
        """Be woken by a TimeoutError when the server is given up meanwhile."""
        self._waiting.add(waiting)
        try:
            yield
        finally:
            self._waiting.discard(waiting)

    def give_up(self) -> None:
        """Nobody needs to wait for its first word any longer."""
        for waiting in self._waiting:
            if not waiting.expired():  # Its own time is up already: it cannot be moved, and need not be.
                waiting.reschedule(asyncio.get_running_loop().time())
        self._waiting.clear()

    async def retire(self) -> None:
        """Close its connections once nobody uses them any more."""
        self._is_retired = True
        await self._close_idle()

    async def _close_idle(self) -> None:
        if self._is_open and not self._users:
            self._is_open = False
            await self._upstream.__aexit__()


async def whole(opened: Opened, most_bytes: int) -> bytes:
    """All of an answer's body. Raises UpstreamBrokeError, TooMuchError."""
    pieces: list[bytes] = []
    size_bytes = 0
    while piece := await opened.read():
        size_bytes += len(piece)
        if size_bytes > most_bytes:
            msg = f"more than {most_bytes} bytes"
            raise TooMuchError(msg)
        pieces.append(piece)
    return b"".join(pieces)
