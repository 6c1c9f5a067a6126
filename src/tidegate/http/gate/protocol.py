"""The HTTP/1.1 protocol with a bounded head and no pipelining.

uvicorn's parser joins a header that comes in pieces anew with each piece and
knows no limit: one caller who sends a header without end would hold the whole
process. Here a head of more than `HEAD_LIMIT_BYTES`, or with more than
`HEADER_LIMIT` fields, is refused before it is kept.

A second request on the same connection before the first is answered
(pipelining, which no client in use does by itself) closes the connection after
that answer: while one waits, the server cannot see the caller leave.

The kernel keeps little for a caller who does not read: by itself it would take
megabytes, minutes of an answer, before anybody could see that nobody reads. And
it ends a connection on which nothing of what is to be sent was taken for
`UNTAKEN_LIMIT_S`, be it that the line vanished or that the caller's window
stays shut (tcp(7), TCP_USER_TIMEOUT): what lies in this process for it would
lie there for as long as the caller likes. A line on which nothing is to be sent
is asked now and then whether it is still there.

Leans on uvicorn's HttpToolsProtocol, which is held to one minor version.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES: Final = 65536
HEADER_LIMIT: Final = 100
SEND_BUFFER_BYTES: Final = 65536
UNTAKEN_LIMIT_S: Final = 30.0
PROBE_AFTER_S: Final = 15
PROBE_EVERY_S: Final = 5
MOST_PROBES: Final = 3

_TOO_LARGE = (
    b'{"error":{"message":"The request line and headers are larger than 64 KiB or more than 100 fields.",'
    b'"type":"invalid_request_error","param":"headers","code":"head_too_large"}}'
)
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: " + str(len(_TOO_LARGE)).encode() + b"\r\n\r\n" + _TOO_LARGE
)


class GateProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        """As the server makes it."""
        super().__init__(*arguments, **settings)
        self._head_bytes = 0
        self._is_in_head = True
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Bound what the kernel keeps for a caller who does not read, and for how long."""
        kept = transport.get_extra_info("socket")
        if kept is not None:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if kept.family in {socket.AF_INET, socket.AF_INET6}:
                kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_S)
                kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_S)
                kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, MOST_PROBES)
                kept.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNTAKEN_LIMIT_S * 1000))
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser no more of a head than the limit allows."""
        view = memoryview(data)
        while view and not self._is_refused and not self.transport.is_closing():
            step = len(view)
            if self._is_in_head:
                step = min(step, HEAD_LIMIT_BYTES - self._head_bytes)
                if step <= 0:
                    self._refuse()
                    return
                self._head_bytes += step
            super().data_received(bytes(view[:step]))
            view = view[step:]

    def on_message_begin(self) -> None:
        """A new head."""
        self._is_in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one more field, if it is not one too many."""
        if len(self.headers) >= HEADER_LIMIT:
            self._is_refused = True  # The parser cannot be stopped here; what follows is not kept.
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the application, unless the head was refused or the request came too early."""
        self._is_in_head, self._head_bytes = False, 0
        if self._is_refused:
            self._refuse()
            return
        if self._is_answering():
            self._is_refused = True
            self.cycle.keep_alive = False
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body of a request that was taken."""
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete; the next bytes are a head."""
        self._is_in_head = True
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, unless an answer is under way: then that one is the last."""
        self._is_refused = True
        if self._is_answering():
            self.cycle.keep_alive = False
            return
        super().send_400_response(msg)

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, which its type does not say.
        return cycle is not None and not cycle.response_complete

    def _refuse(self) -> None:
        self._is_refused = True
        if self._is_answering():
            self.cycle.keep_alive = False  # Never overtake an answer under way.
            return
        self.transport.write(_REFUSAL)
        self.transport.close()
