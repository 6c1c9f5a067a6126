"""A connection to a server that speaks HTTP/1.1, and one answer on it at a time.

What comes is read by llhttp, the parser of Node.js, and goes on from its callbacks
without a task of its own. Whatever is no answer to what was asked ends the
connection: a second answer, words that nobody asked for, a head without an end, a
change of protocol. What nobody takes is bounded: then the server is read no further.

Framing is that of RFC 9112, sections 6 and 9: an answer without a length lasts until
the connection is closed, and one that is shorter than it said is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from tidegate.ports.upstream import Headers, UpstreamBrokeError

HEAD_LIMIT_BYTES: Final = 65536
FIELD_LIMIT: Final = 256
_HELD_BYTES: Final = 1 << 18
_INFORMING: Final = range(100, 200)
_WITHOUT_BODY: Final = frozenset({204, 304})
ONE_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"http2-settings"),
    }
)
_USUAL: Final = frozenset({b"keep-alive", b"close"})


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


class BrokenOffError(ConnectionError):
    """The server closed the connection in the middle of an answer, or before it."""


class NonsenseError(ValueError):
    """What came is no HTTP, or not the answer to what was asked."""


class Alarm:
    """Rings when what is waited for is late. One timer for many waits: mostly it has only to be set later when due."""

    def __init__(self) -> None:
        """Nothing is waited for."""
        self._loop = asyncio.get_running_loop()
        self._ring: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.late_at = self._timed_at = 0.0

    def set(self, late_at: float, ring: Callable[[], None]) -> None:
        """Call `ring` at that time of the loop, unless it is hushed or set anew before."""
        self.late_at, self._ring = late_at, ring
        if self._timer is None or late_at < self._timed_at:
            self._start(late_at)

    def hush(self) -> None:
        """Nothing is waited for any more."""
        self._ring = None

    def stop(self) -> None:
        """Nothing will be waited for."""
        self._ring = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timed_at = at
        self._timer = self._loop.call_at(at, self._expire)

    def _expire(self) -> None:
        self._timer, ring = None, self._ring
        if ring is None:
            return
        if self._loop.time() < self.late_at:
            self._start(self.late_at)
        else:
            self._ring = None
            ring()


class Opened:
    """An answer, from the moment in which it is asked for. Wait for its `head`, `read` it to its end, `close` it.

    Closing frees the server: a connection whose answer is complete is used again, any other is closed.
    """

    def __init__(self, silence_s: float, *, is_bodiless: bool = False) -> None:
        """Nothing was asked. `is_bodiless`: only a head will come, whatever that says (RFC 9110 section 9.3.2)."""
        self.status = 0
        self.headers: Headers = ()
        self.media_type = ""
        self.is_encoded = False
        self.silence_s = silence_s
        self.is_bodiless = is_bodiless
        self.connection: Connection | None = None
        self.connecting: asyncio.Task[None] | None = None
        self.is_over = False
        self.is_closed = False
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: Alarm | None = None
        self._is_late = False

    @property
    def is_complete(self) -> bool:
        """Whether all of it was read."""
        return self.is_over and not self._pieces

    async def head(self, within_s: float) -> None:
        """Wait until status and headers are there. Raises UnreachableError, or TimeoutError when it was given up."""
        while not self.status:
            if self._error is not None:
                raise self._unreachable(self._error)
            if not await self._hears(within_s):
                raise UnreachableError(TimeoutError.__name__, was_sent=self.connection is not None)

    async def read(self, within_s: float | None = None) -> bytes:
        """The next bytes, b"" at the end. Raises UpstreamBrokeError; `within_s` is for what may take longer."""
        pieces = self._pieces
        while not pieces:
            if self._error is not None:
                raise self._broken(self._error)
            if self.is_over:
                return b""
            if not await self._hears(self.silence_s if within_s is None else within_s):
                raise UpstreamBrokeError(TimeoutError.__name__)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._held_bytes > _HELD_BYTES and self.connection is not None:
            self.connection.transport.resume_reading()
        self._held_bytes = 0
        return data

    def give_up(self) -> None:
        """Have whoever waits for more of it wait no longer."""
        self.fail(TimeoutError())

    def close(self) -> None:
        """Let go, whatever has come of it."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.connecting is not None:
            self.connecting.cancel()
        if self.connection is None:
            if self._alarm is not None:
                self._alarm.stop()
        else:
            self.connection.let_go(is_complete=self.is_complete)

    # ------------------------------------------------------------ what its connection says

    def asked_on(self, connection: Connection) -> None:
        """It is asked for there."""
        before, self._alarm = self._alarm, connection.alarm
        self.connection = connection
        if before is not None:
            before.stop()
            if self._waiter is not None:
                connection.alarm.set(before.late_at, self._expire)

    def add(self, data: bytes) -> None:
        """A piece has come."""
        self._pieces.append(data)
        before, self._held_bytes = self._held_bytes, self._held_bytes + len(data)
        if before <= _HELD_BYTES < self._held_bytes and self.connection is not None:
            self.connection.transport.pause_reading()

    def fail(self, error: Exception) -> None:
        """No more will come of it."""
        if self._error is None and not self.is_over:
            self._error = error
            self.wake()

    def wake(self) -> None:
        """Something has come."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _hears(self, within_s: float) -> bool:
        """Wait for whatever comes next; whether it came in time."""
        if self._alarm is None:
            self._alarm = Alarm()
        self._alarm.set(self._loop.time() + within_s, self._expire)
        self._is_late = False
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._alarm.hush()
        return not self._is_late

    def _expire(self) -> None:
        self._is_late = True
        self.wake()

    def _unreachable(self, error: Exception) -> Exception:
        if isinstance(error, TimeoutError | UnreachableError):
            return error
        connection = self.connection
        was_stale = connection is not None and connection.is_used_again and not connection.has_spoken
        return UnreachableError(type(error).__name__, was_sent=True, was_stale=was_stale)

    @staticmethod
    def _broken(error: Exception) -> Exception:
        return error if isinstance(error, TimeoutError) else UpstreamBrokeError(type(error).__name__)


class Connection(asyncio.Protocol):
    """One connection. `kept` hears when it is free again, `lost` when it is no more."""

    transport: asyncio.Transport

    def __init__(self, kept: Callable[[Connection], None], lost: Callable[[Connection], None]) -> None:
        """Nothing was asked on it."""
        self.is_used_again = False
        self.has_spoken = False
        self.idle_since = 0.0
        self.alarm = Alarm()
        self._kept = kept
        self._lost = lost
        self._opened: Opened | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._is_in_head = True
        self._is_open_ended = False
        self._is_kept = False

    def ask(self, opened: Opened, request: bytes) -> None:
        """Send a request; `opened` hears what comes."""
        self._opened = opened
        opened.asked_on(self)
        self.has_spoken = self._is_open_ended = self._is_kept = False
        self._is_in_head, self._head_bytes = True, 0
        self.transport.write(request)

    def let_go(self, *, is_complete: bool) -> None:
        """Nobody reads its answer any more."""
        self._opened = None
        if is_complete and self._is_kept and not self.transport.is_closing():
            self.is_used_again = True
            self._kept(self)
        else:
            self.transport.abort()

    # ------------------------------------------------------------ what asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no asyncio.Transport.

    def data_received(self, data: bytes) -> None:
        """Read what has come."""
        opened = self._opened
        if opened is None:
            self.transport.abort()  # Nobody asked.
            return
        self.has_spoken = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break(opened)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_LIMIT_BYTES:
                self._break(opened)
        opened.wake()

    def _break(self, opened: Opened) -> None:
        opened.fail(NonsenseError())
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is no more."""
        opened, self._opened = self._opened, None
        self.alarm.stop()
        self._lost(self)
        if opened is None:
            return
        if exc is None and self._is_open_ended and opened.status:
            opened.is_over = True
            opened.wake()
        else:
            opened.fail(BrokenOffError())

    # ------------------------------------------------------------ what the parser says

    def on_message_begin(self) -> None:
        """An answer begins: there can be no second one."""
        if self._opened is None or self._opened.is_over:
            raise NonsenseError
        self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field. What stands behind a body belongs to no head."""
        if self._is_in_head:
            if len(self._fields) >= FIELD_LIMIT or len(value) + len(name) > HEAD_LIMIT_BYTES // 4:
                raise NonsenseError
            self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete; what only informs of one to come (RFC 9110 section 15.2) is left out."""
        opened = self._opened
        status = self._parser.get_status_code()
        if opened is None or status in _INFORMING:
            return
        self._is_in_head = False
        kept = [field for field in self._fields if field[0] not in ONE_HOP]
        told = dict(self._fields)
        connection = told.get(b"connection", b"keep-alive").lower()
        if connection not in _USUAL:
            named = named_by(connection)
            kept = [field for field in kept if field[0] not in named]
        is_chunked = told.get(b"transfer-encoding", b"").lower().endswith(b"chunked")
        is_bounded = is_chunked or b"content-length" in told or status in _WITHOUT_BODY or opened.is_bodiless
        self._is_open_ended = not is_bounded
        opened.headers = tuple(kept)
        opened.media_type = told.get(b"content-type", b"").decode("latin-1")
        opened.is_encoded = told.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}
        opened.status = status
        if opened.is_bodiless:
            opened.is_over = True  # And the connection is closed: the parser waits for what will not come.

    def on_body(self, data: bytes) -> None:
        """Hand a piece on."""
        if self._opened is not None and not self._opened.is_over:
            self._opened.add(data)

    def on_message_complete(self) -> None:
        """The answer is complete, if it was one."""
        if self._opened is not None and not self._is_in_head:
            self._opened.is_over = True
            self._is_kept = not self._is_open_ended and self._parser.should_keep_alive()


def named_by(value: bytes) -> frozenset[bytes]:
    """The fields that a `Connection` field names: they are for one hop, too (RFC 9110 section 7.6.1)."""
    return frozenset(word.strip() for word in value.lower().split(b","))
