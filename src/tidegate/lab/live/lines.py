"""Connections of the live world: HTTP/1.1 kept alive, each bound to the address that it comes from.

Made for many requests on one core: an answer is told to a callback, so a request needs no task;
deadlines are looked at together, some times a second. There are never more than so many connections:
beyond it the longest idle one is closed, and where none is idle, requests wait for one in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from time import monotonic
from typing import Final, cast

import httptools
import msgspec

from tidegate.lab.live.heard import Broken, Heard

LOOK_EVERY_S: Final = 0.05
CONNECT_S: Final = 10.0
_BIND_ADDRESS_NO_PORT: Final = 24  # ip(7): the port is chosen at connect, so that one address can have 28,000 to each.


class Request(msgspec.Struct, gc=False):
    """What is asked: all bytes of it, from which address, and who is told what came of it.

    Who hears no text of an answer for `patience_s` leaves, and whatever is not over by `limit_s` is cut.
    """

    content: bytes
    source: str
    told: Callable[[Heard], None]
    patience_s: float = 30.0
    limit_s: float = 300.0


class Line(asyncio.Protocol):
    """One connection: one request after the other."""

    __slots__ = ("_has_begun", "_lines", "_parser", "_transport", "_was_used", "deadline", "heard", "request", "source")

    def __init__(self, lines: Lines, source: str, request: Request, heard: Heard) -> None:
        self._lines = lines
        self._parser = httptools.HttpResponseParser(self)
        self._was_used = False
        self._has_begun = False
        self._transport: asyncio.Transport | None = None
        self.source = source
        self.request: Request | None = request
        self.heard = heard
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no asyncio.Transport.
        self._lines.stands(self)
        if self.request is not None:
            self._write(self.request)

    def ask(self, request: Request, heard: Heard) -> None:
        """Ask the next thing."""
        self.request, self.heard, self._was_used = request, heard, True
        self._write(request)

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self.request is None:
            self.cut()  # Nobody asked for this.
            return
        self._has_begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.cut()

    def on_message_begin(self) -> None:
        """An answer begins. Raises Broken, which the parser hands on, where nobody asked for it."""
        if self.request is None:
            raise Broken

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head."""
        self.heard.take_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.heard.status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        """A piece of the body. Raises Broken, which the parser hands on as an error of its own."""
        heard = self.heard
        had = len(heard.arrived)
        heard.take_body(piece, monotonic())
        if not had and heard.arrived and self.request is not None:
            self.deadline = heard.asked_at + self.request.limit_s

    def on_message_complete(self) -> None:
        """The answer is whole."""
        request = self.request
        if request is None:
            return
        if self.heard.status < 200:  # noqa: PLR2004 - an interim answer (RFC 9110 section 15.2)
            return
        heard, self.request = self.heard, None
        heard.end(monotonic())
        if self._parser.should_keep_alive():
            self._has_begun = False
            self._lines.rested(self)  # From here on `heard` may be another's.
        else:
            self.cut()
        request.told(heard)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was asked gets no answer any more; asked on a connection that was kept, it is asked once more."""
        del exc
        self._transport = None
        self._lines.left(self)
        request, self.request = self.request, None
        if request is None:
            return
        if self._was_used and not self._has_begun and monotonic() < self.deadline:
            self._lines.ask_anew(request, self.heard)
            return
        self.heard.ended_at = monotonic()
        request.told(self.heard)

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, request: Request) -> None:
        self.deadline = self.heard.asked_at + min(request.patience_s, request.limit_s)
        if self._transport is not None:
            self._transport.write(request.content)


class Lines:
    """All connections to one service, from whichever address."""

    def __init__(self, port: int, *, most: int = 2000, host: str = "127.0.0.1") -> None:
        """Nothing is open yet. Needs a running event loop."""
        self._place = (host, port)
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._idle: OrderedDict[Line, None] = OrderedDict()
        self._idle_of: dict[str, list[Line]] = {}
        self._open: set[Line] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[Request, Heard]] = deque()
        self._is_closed = False
        self._look = self._loop.call_later(LOOK_EVERY_S, self._look_at_deadlines)
        self.requests = 0
        self.opened = 0
        self.most_open = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection: more than none is the generator's own limit."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Connections that are open, or on their way."""
        return len(self._open) + len(self._connecting)

    def ask(self, request: Request) -> Heard:
        """Ask; the answer, or that there is none, is told later. Until then it can be seen coming."""
        self.requests += 1
        heard = Heard(monotonic())
        self._ask(request, heard)
        return heard

    def cut(self, request: Request) -> None:
        """Leave: whoever asked this goes away without waiting for the end of the answer."""
        for line in self._open:
            if line.request is request:
                line.cut()
                return

    def ask_anew(self, request: Request, heard: Heard) -> None:
        """Ask on a fresh connection what a kept one was closed under."""
        if self._is_closed:
            self._fail(request, heard)
        else:
            self._open_one(request, heard)

    def stands(self, line: Line) -> None:
        """The connection is there."""
        self._open.add(line)

    def rested(self, line: Line) -> None:
        """The connection has nothing to do: the next one from its address uses it, or who waits takes its room."""
        if self._waiting:
            self._hand_on(line)
            return
        self._idle[line] = None
        self._idle_of.setdefault(line.source, []).append(line)

    def left(self, line: Line) -> None:
        """The connection is gone."""
        self._open.discard(line)
        self._forget(line)
        self._serve_waiting()

    async def close(self) -> None:
        """Cut everything; who waits for an answer is told that there is none."""
        self._is_closed = True
        self._look.cancel()
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for line in list(self._open):
            line.cut()
        while self._waiting:
            self._fail(*self._waiting.popleft())
        while self._open:  # noqa: ASYNC110 - each is told of its end in the loop's next turns
            await asyncio.sleep(0)

    def _ask(self, request: Request, heard: Heard) -> None:
        if self._is_closed:
            self._loop.call_soon(self._fail, request, heard)
            return
        kept = self._idle_of.get(request.source)
        if kept:
            line = kept[-1]
            self._forget(line)
            line.ask(request, heard)
            return
        if self.busy >= self._most:
            if not self._idle:
                self._waiting.append((request, heard))
                return
            oldest = next(iter(self._idle))
            self._forget(oldest)
            self._open.discard(oldest)
            oldest.cut()
        self._open_one(request, heard)

    def _hand_on(self, line: Line) -> None:
        request, heard = self._waiting.popleft()
        heard.began_at = monotonic()
        if request.source == line.source:
            line.ask(request, heard)
            return
        self._open.discard(line)
        line.cut()
        self._open_one(request, heard)

    def _open_one(self, request: Request, heard: Heard) -> None:
        heard.began_at = monotonic()
        task = self._loop.create_task(self._connect(request, heard))
        self._connecting.add(task)
        task.add_done_callback(self._connected)
        self.opened += 1
        self.most_open = max(self.most_open, self.busy)

    async def _connect(self, request: Request, heard: Heard) -> None:
        line = Line(self, request.source, request, heard)
        try:
            async with asyncio.timeout(min(CONNECT_S, request.patience_s)):
                with bound(request.source) as place:
                    await self._loop.sock_connect(place, self._place)
                    await self._loop.create_connection(lambda: line, sock=place)
        except (OSError, TimeoutError, asyncio.CancelledError):
            line.request = None
            line.cut()
            self._loop.call_soon(self._fail, request, heard)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        if self._waiting and not self._is_closed and self.busy < self._most:
            self._open_one(*self._waiting.popleft())

    def _fail(self, request: Request, heard: Heard) -> None:
        heard.ended_at = monotonic()
        request.told(heard)

    def _forget(self, line: Line) -> None:
        if line in self._idle:
            del self._idle[line]
            kept = self._idle_of[line.source]
            kept.remove(line)
            if not kept:
                del self._idle_of[line.source]

    def _look_at_deadlines(self) -> None:
        now = monotonic()
        for line in [line for line in self._open if line.request is not None and line.deadline < now]:
            line.cut()
        while self._waiting and self._waiting[0][1].asked_at + self._waiting[0][0].patience_s < now:
            self._fail(*self._waiting.popleft())
        self._look = self._loop.call_later(LOOK_EVERY_S, self._look_at_deadlines)


class bound(contextlib.AbstractContextManager[socket.socket]):  # noqa: N801 - reads as the verb that it is
    """A socket that comes from this address; closed where the block ends with an error."""

    def __init__(self, source: str) -> None:
        """Raises OSError for an address that is none of this machine's."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.bind((source, 0))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> socket.socket:
        return self._socket

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self._socket.close()
