"""The HTTP/1.1 protocol: where refused requests end.

The decision falls when the head is complete, before there is a task, a scope or
a body (see guard); only a form that came in one piece with its head is looked at.
A refusal is written at once and the connection goes on, unless more may come on it
than is worth reading, or nobody can tell what will.

uvicorn's parser joins a header that comes in pieces anew with each piece and
knows no limit: one caller who sends a header without end would hold the whole
process. Here a head of more than `HEAD_LIMIT_BYTES`, or with more than
`HEADER_LIMIT` fields, is refused before it is kept, and so is what may follow
the last chunk of a body.

A second request on the same connection before the first is answered
(pipelining, which no client in use does by itself) closes the connection after
that answer: while one waits, the server cannot see the caller leave. Two
requests in one piece are that too, also when the first was refused: a piece
full of requests would keep everybody else waiting.

`Upgrade` is ignored (RFC 9110 section 7.8): Java's client sends it with every
first request, body included. The parser would take what follows for another
protocol, so the head is read again without it.

Leans on uvicorn's HttpToolsProtocol, which is held to one minor version.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

import httptools

from tidegate.core.admission.addresses import keys_of
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import STRANGERS
from tidegate.http.exchange import CALLER
from tidegate.http.gate.connections import ANSWERING, AWAITING, BODY, DRAINING, HEAD, Connections
from tidegate.http.gate.guard import DRAINED_BYTES, SCREENED_BYTES, Entered, Guard, Peer
from tidegate.http.gate.heads import Heads, Plain, new_parser
from tidegate.http.gate.hosts import FAULT, is_host_named
from tidegate.http.gate.proxy_protocol import ProxyHeader
from tidegate.http.gate.refusing import Answer
from tidegate.http.gate.timed import CLOSE, TimedProtocol

HEAD_LIMIT_BYTES: Final = 65536
HEADER_LIMIT: Final = 100
SKIPPED_FROM_BYTES: Final = 4096
"""From this size on a refused request's body is counted here and not shown to the parser, which would copy it."""

_OF_ONE_HOP: Final = frozenset({b"upgrade", b"connection", b"http2-settings"})
_NO_PEER: Final = Peer("", 0, None, is_proxy=False)


class _PipelinedError(Exception):
    """Ends the parser's work on a piece that holds one request too many."""


class GateProtocol(TimedProtocol):
    """One connection. Without a guard everybody is let in."""

    heads: ClassVar[Heads | None] = None

    _peer: Peer = _NO_PEER
    _entered: Entered | None = None
    _proxy_header: ProxyHeader | None = None
    _head_bytes: int = 0
    _unseen_bytes: int = 0
    _skipped_bytes: int = 0
    _is_in_head: bool = True
    _has_begun: bool = False
    _is_too_large: bool = False
    _is_answered: bool = False
    _is_last: bool = False
    _is_upgrading: bool = False
    _was_upgrading: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Take the connection in and see who it is from."""
        super().connection_made(transport)
        if self.guard is None or self._is_refused:
            return
        self._peer = self.guard.peer(transport.get_extra_info("peername"))
        if self._peer.is_proxy and self.guard.expects_proxy_header:
            self._proxy_header, self.heads = ProxyHeader(), None  # type: ignore[misc] # this connection's own
        else:
            self._count()

    def _count(self) -> None:
        """Count the connection where the other end is the client itself."""
        peer = self._peer
        if self._is_entered and self.table is not None and peer.address is not None and not peer.is_proxy:
            self.table.count(self, keys_of(peer.address)[0])
            if self.is_extra:
                self.heads = None  # type: ignore[misc] # this connection's own

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of a connection that came to nothing; a request that was judged has been told of."""
        super().connection_lost(exc)
        if self.is_fresh and self.guard is not None:
            self.guard.left_unasked(self._peer)

    def data_received(self, data: bytes) -> None:
        """Take the next piece: a plain request, most of the time, to be refused."""
        heads = self.heads
        # Its own parser must stand at the beginning of a message too, or the two would see different ones.
        if (
            heads is not None
            and self.phase is AWAITING
            and not (self._has_begun or self._head_bytes or self._is_refused)
        ):
            plain = heads.read(data)
            if plain is not None:
                if not self._is_turned_down(plain, data):
                    self._take(data)
                    self._entered = None  # It was this one request's.
                return
        self._take(data)

    def _is_turned_down(self, plain: Plain, data: bytes) -> bool:
        """Refuse a plain request, or keep the judgement for when it will have been read again."""
        here_bytes = plain.here_bytes
        is_whole = here_bytes == plain.body_bytes and 0 < here_bytes <= SCREENED_BYTES
        body = data[-here_bytes:] if is_whole else b""
        judged = self.guard.judge(plain.method, plain.url, plain.headers, self._peer, plain.fields, body)  # type: ignore[union-attr] # there are no heads without
        # A check of a type that does not hold takes six times as long as one that does.
        if not isinstance(judged, Answer):
            self._entered = judged
            return False
        if self.is_write_paused:
            # It asks and does not read: its refusals shall not pile up here.
            self.transport.abort()
            return True
        is_last = plain.is_last or judged.is_last
        self.is_fresh, self._is_last = False, is_last
        self._write(judged, CLOSE if is_last else b"")
        if here_bytes < plain.body_bytes:
            self._skipped_bytes, self.body_bytes = plain.body_bytes, here_bytes
            self.phase = DRAINING
        elif is_last:
            self.drop()
            return True
        if self._is_entered and self.table is not None:
            self.table.place(self)
        return True

    def _take(self, data: bytes) -> None:
        if self._is_refused:
            self._discard(len(data))
            return
        if self._proxy_header is not None:
            data = self._behind_proxy_header(self._proxy_header, data)
        self._is_answered = False
        size = len(data)
        if self._skipped_bytes:
            self._feed_within_limits(memoryview(data))
        elif size < SKIPPED_FROM_BYTES and self._is_in_head and size <= HEAD_LIMIT_BYTES - self._head_bytes:
            self._head_bytes += size
            self._feed(data)
        else:
            head, rest = self._parted(data)
            self._feed_within_limits(head)
            self._feed_within_limits(rest)
        if self._is_too_large:
            self._turn_away(Reason.HEAD_TOO_LARGE)
        elif self._has_begun and self.phase is AWAITING:
            self.phase = HEAD
            if not self.is_fresh:
                self._turn(HEAD)
        self._place()

    def _behind_proxy_header(self, header: ProxyHeader, data: bytes) -> bytes:
        """Read who a trusted proxy speaks for; what it sends without saying so is nobody's."""
        try:
            found = header.feed(data)
        except ValueError:
            self.drop()
            return b""
        self._has_begun = True  # As good as the beginning of a head: it must be complete as soon.
        if found is None:
            return b""
        address, rest = found
        self._proxy_header = None
        if address is not None and self.guard is not None:
            self._peer = self.guard.behind(self._peer, address)
            self._count()
        return rest

    def _parted(self, data: bytes) -> tuple[memoryview, memoryview]:
        """Part a head from a large body behind it, which might not be worth the parser's time."""
        end = data.find(b"\r\n\r\n", 0, HEAD_LIMIT_BYTES) + 4 if self._is_in_head else 0
        view = memoryview(data)
        return view[:end], view[end:]

    def _skip(self, view: memoryview) -> memoryview:
        """Throw away what belongs to the body of a refused request."""
        size = min(len(view), self._skipped_bytes - self.body_bytes)
        self.body_bytes += size
        if self.body_bytes == self._skipped_bytes:
            # The old parser, if there is one, waits for a body that it will never see.
            self.parser = None  # type: ignore[assignment] # as uvicorn has it
            self.headers = []
            self.on_message_complete()
        return view[size:]

    def _feed_within_limits(self, view: memoryview) -> None:
        """Feed the parser no more of a head, or of what it says nothing about, than the limit allows."""
        while view and not self._is_refused and not self.transport.is_closing():
            if self._skipped_bytes:
                view = self._skip(view)
                continue
            step = min(len(view), HEAD_LIMIT_BYTES)
            if self._is_in_head:
                step = min(step, HEAD_LIMIT_BYTES - self._head_bytes)
                self._head_bytes += step
            self._unseen_bytes += step
            if not step or self._unseen_bytes > 2 * HEAD_LIMIT_BYTES:
                self._is_too_large = True
                return
            self._feed(view[:step])
            view = view[step:]

    def _feed(self, data: bytes | memoryview) -> None:
        parser: httptools.HttpRequestParser | None = self.parser  # None before the first, which its type does not say.
        if parser is None:
            parser = self.parser = new_parser(self)
        rest = None
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = memoryview(data)[upgrade.args[0] :] if self._is_upgrading else None
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                cause = error.__context__
                if isinstance(cause, _PipelinedError):
                    self._end()
                    return
                if not isinstance(cause, ValueError | httptools.HttpParserError):
                    raise  # A defect of ours, not a request that cannot be read.
            self.send_400_response("Invalid HTTP request received.")
        if rest is not None:
            # Out here: what goes wrong with it is told by its context, which must not be this upgrade.
            self._feed_again(rest)

    def _feed_again(self, rest: memoryview) -> None:
        """Read the same head without its wish for another protocol, and then what comes behind it."""
        self._is_upgrading, self._was_upgrading = False, True
        line = (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = [b"%b: %b\r\n" % field for field in self.headers if field[0] not in _OF_ONE_HOP]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            fields.append(b"connection: close\r\n")
        self.parser = new_parser(self)
        self._feed(b"".join((b"%b %b HTTP/%b\r\n" % line, *fields, b"\r\n")))
        if rest and not self._is_refused:
            self._feed(rest)

    def on_message_begin(self) -> None:
        """A new head."""
        if self._is_answered or self._is_refused:
            raise _PipelinedError
        self.url = b""
        self.headers = []
        self._is_in_head = self._has_begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one more field, if it is not one too many. What stands behind a body belongs to no head."""
        if not self._is_in_head:
            return
        if len(self.headers) >= HEADER_LIMIT:
            self._is_too_large = True  # The parser cannot be stopped here; what follows is not kept.
            return
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Judge the request and start the application, or write why not."""
        self._unset_keepalive_if_required()  # An answer may take longer than a connection may rest.
        self._is_in_head = self._has_begun = False
        self._head_bytes = self._unseen_bytes = self.body_bytes = 0
        if self._is_too_large or (self.scheme is not None and self._is_answering()):
            self._turn_away(Reason.HEAD_TOO_LARGE)
            return
        parser = self.parser
        method = parser.get_method()
        if parser.should_upgrade():
            if method == b"CONNECT":
                self.send_400_response("This is no proxy.")
            self._is_upgrading = not self._is_refused
            return
        judged: Entered | Answer | None = self._entered
        if judged is None and self.guard is not None:
            judged = self.guard.judge(method, self.url, self.headers, self._peer)
        if isinstance(judged, Answer):
            self._refuse(judged)
        elif self.is_extra and not (judged is not None and judged.is_genuine):
            self._turn_away(Reason.TOO_MANY_CONNECTIONS)
        elif is_host_named(self.headers, parser.get_http_version()):
            self._admit(judged)
        else:
            # Behind the gate, which counts it like any other: whoever is refused anyhow costs no look at it.
            self.send_400_response(FAULT)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body of a request that was taken."""
        size = len(body)
        self._unseen_bytes = 0
        self.body_bytes += size
        if self.phase is BODY:
            if self._is_entered and not self.is_known and not self._is_refused and self.table is not None:
                self.table.hold(self, size)
            if not self._is_refused:
                super().on_body(body)
        elif self.phase is DRAINING and self.body_bytes > DRAINED_BYTES:
            self._end()

    def on_message_complete(self) -> None:
        """The body is complete; the next bytes are a head."""
        if self._is_upgrading or self._is_refused:
            return
        self._is_in_head, self._was_upgrading = True, False
        if self.phase is BODY:
            super().on_message_complete()
            self._turn(ANSWERING if self._is_answering() else AWAITING)
            return
        self._skipped_bytes = 0
        self.phase, self._is_moved = AWAITING, True
        if self._is_last:
            self.drop()

    def _refuse(self, refusal: Answer) -> None:
        """Write a refusal; the connection goes on, if what else may come on it is bounded and read."""
        self.is_fresh = False
        if refusal.is_last or self._was_upgrading or self.is_extra:
            self._write(refusal, CLOSE)
            self._end()
            return
        if self.is_write_paused:
            # It asks and does not read: its refusals shall not pile up here.
            self.transport.abort()
            return
        self._is_answered = True
        self._is_last = not self.parser.should_keep_alive() or self.parser.get_http_version() == "1.0"
        if refusal.unread_bytes >= SKIPPED_FROM_BYTES:
            self._skipped_bytes = refusal.unread_bytes
        self.phase, self._is_moved = DRAINING, True
        self._write(refusal, CLOSE if self._is_last else b"")

    def _admit(self, entered: Entered | None) -> None:
        """Start the application, which uvicorn does with what it keeps from the head."""
        if self.scheme is None:
            self._introduce()
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend(headers)  # As uvicorn would, but for the names, which are in lower case already.
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        self._ending.begin()
        if entered is not None:
            self.is_known = entered.decision.standing not in STRANGERS
            self.scope["client"] = entered.client
            self.scope["state"]["gate"] = entered.decision
        self.scope["state"][CALLER] = self
        self.is_fresh = self.is_extra = False
        self._turn(BODY)
        super().on_headers_complete()
        self.cycle.transport = self._ending  # type: ignore[assignment] # all of a transport that uvicorn's answers use

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, unless an answer is under way: then that one is the last."""
        self._break_off()
        if self._is_answering() or self.transport.is_closing():
            self._end()
        else:
            self._is_refused = True
            super().send_400_response(msg)


def guarded(guard: Guard | None, table: Connections | None) -> type[GateProtocol]:
    """The protocol of one port, for uvicorn's `Config(http=...)`."""
    heads = None if guard is None else Heads()
    own = {"guard": guard, "table": table, "heads": heads, "_made_like": None}  # Not what a base was made like.
    return type("GuardedProtocol", (GateProtocol,), own)
