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

from tidegate.adapters.engines.opened import Alarm, Opened

HEAD_LIMIT_BYTES: Final = 65536
FIELD_LIMIT: Final = 256
_CLOSING_S: Final = 1.0
_INFORMING: Final = range(100, 200)
_ANSWERING: Final = range(200, 600)
_CODINGS: Final = frozenset({b"chunked", b"identity"})
_WITHOUT_BODY: Final = frozenset({204, 304})
ONE_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"proxy-authenticate", b"proxy-authorization", b"http2-settings"),
    }
)
_USUAL: Final = frozenset({b"keep-alive", b"close"})


class BrokenOffError(ConnectionError):
    """The server closed the connection in the middle of an answer, or before it."""


class NonsenseError(ValueError):
    """What came is no HTTP, or not the answer to what was asked."""


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
        self._unseen_bytes = 0
        self._asked_at = 0.0
        self._is_in_head = True
        self._is_open_ended = False
        self._is_kept = False

    def ask(self, opened: Opened, request: bytes) -> None:
        """Send a request; `opened` hears what comes."""
        self._opened = opened
        opened.asked_on(self)
        self.has_spoken = self._is_open_ended = self._is_kept = False
        self._is_in_head, self._unseen_bytes = True, 0
        self._asked_at = asyncio.get_running_loop().time()
        self.transport.write(request)

    def cut(self) -> None:
        """End it, whatever is on it: nobody shall take that for the end of an answer."""
        self._is_open_ended = False
        self.transport.abort()

    @property
    def may_be_stale(self) -> bool:
        """Whether the server may have closed it as an idle one, not having seen that it was used again."""
        has_just_asked = asyncio.get_running_loop().time() - self._asked_at < _CLOSING_S
        return self.is_used_again and not self.has_spoken and has_just_asked

    def let_go(self, *, is_complete: bool) -> None:
        """Nobody reads its answer any more."""
        self._opened = None
        transport = self.transport
        # What was answered before it was sent to its end may never be read to its end.
        if is_complete and self._is_kept and not (transport.is_closing() or transport.get_write_buffer_size()):
            self.is_used_again = True
            self._kept(self)
        else:
            transport.abort()

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
        self._unseen_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break(opened)
        if self._unseen_bytes > HEAD_LIMIT_BYTES:
            self._break(opened)  # A head without an end, or as much of what frames a body: nobody would hear of it.
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
        if status not in _ANSWERING:
            raise NonsenseError
        self._is_in_head = False
        kept = [field for field in self._fields if field[0] not in ONE_HOP]
        told = dict(self._fields)
        if told.get(b"connection", b"keep-alive").lower() not in _USUAL or len(told) < len(self._fields):
            named = named_by(b",".join(value for name, value in self._fields if name == b"connection"))
            kept = [field for field in kept if field[0] not in named]
        coding = told.get(b"transfer-encoding", b"identity").strip().lower()
        if coding not in _CODINGS or (len(told) < len(self._fields) and self._is_coded_twice()):
            raise NonsenseError  # Nobody asked for another, and whoever reads on would not know of it.
        is_bounded = coding == b"chunked" or b"content-length" in told or status in _WITHOUT_BODY or opened.is_bodiless
        self._is_open_ended = not is_bounded
        opened.headers = tuple(kept)
        opened.media_type = told.get(b"content-type", b"").decode("latin-1")
        opened.is_encoded = told.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}
        opened.status = status
        if opened.is_bodiless:
            opened.is_over = True  # And the connection is closed: the parser waits for what will not come.

    def _is_coded_twice(self) -> bool:
        return sum(name == b"transfer-encoding" for name, _ in self._fields) > 1

    def on_body(self, data: bytes) -> None:
        """Hand a piece on."""
        if self._is_in_head:
            raise NonsenseError  # What only informs has none.
        self._unseen_bytes = 0
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
