"""A connection as the table of connections sees it: its phase, its deadlines, and how it ends.

Ending well takes a moment. What a caller still sends when everything here is
closed makes the kernel answer with a reset, which destroys the last answer on
its way (RFC 9112 section 9.6). So the connection is closed in one direction
first, and what comes is thrown away: `DISCARDED_BYTES` and hardly more, then it
is left where it is, all for at most as long as connections says. An answer that
the application gives before the body is complete ends the same way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Final

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tidegate.core.reasons import Reason
from tidegate.http.exchange import GIVEN_UP
from tidegate.http.gate.connections import (
    ANSWERING,
    AWAITING,
    BODY,
    DRAINING,
    HEAD,
    LEAVING,
    Connections,
    Phase,
    Shelf,
)
from tidegate.http.gate.guard import Guard
from tidegate.http.gate.refusing import Answer, answer

DISCARDED_BYTES: Final = 65536

CLOSE: Final = b"connection: close\r\n"


class _Lines:
    """The server's own header lines, which it makes anew once a second."""

    def __init__(self) -> None:
        self._of: list[tuple[bytes, bytes]] = []
        self._written = b""

    def of(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        if headers is not self._of:
            self._of = headers
            self._written = b"".join([b"%b: %b\r\n" % line for line in headers])
        return self._written


_LINES: Final = _Lines()


class _Ending:
    """A connection as the application's answer writes to it. Closing it is the protocol's to do.

    The head of an answer is written together with what comes right behind it: one call of the system instead of two.
    """

    __slots__ = ("_head", "_is_head_next", "_protocol", "_write", "is_closing")

    def __init__(self, protocol: TimedProtocol) -> None:
        self._protocol = protocol
        self._write = protocol.transport.write
        self._head = b""
        self._is_head_next = False
        self.is_closing = protocol.transport.is_closing

    def begin(self) -> None:
        """Expect the next answer."""
        self._is_head_next = True

    def write(self, data: bytes) -> None:
        if self._is_head_next:
            self._is_head_next = False
            self._head = data
            asyncio.get_running_loop().call_soon(self.flush)
        elif self._head:
            head, self._head = self._head, b""
            self._write(head + data)
        else:
            self._write(data)

    def flush(self) -> None:
        """Nothing came right behind it."""
        if self._head:
            head, self._head = self._head, b""
            if not self.is_closing():  # uvloop's transports raise where asyncio's write nothing.
                self._write(head)

    def close(self) -> None:
        self.flush()
        self._protocol.part()


class TimedProtocol(HttpToolsProtocol):
    """One connection. Without a table there are no deadlines but uvicorn's own."""

    guard: ClassVar[Guard | None] = None
    table: ClassVar[Connections | None] = None

    _made_like: ClassVar[ServerState | None] = None

    # What every connection begins with stands here once, and not in each of them: most do not live long.
    phase: Phase = AWAITING
    since: float = 0.0
    body_bytes: int = 0
    held_bytes: int = 0
    is_fresh: bool = True
    is_known: bool = False
    is_extra: bool = False
    shelf: Shelf | None = None
    counted_as: bytes | None = None
    has_left: bool = False
    is_write_paused: bool = False
    _left: Callable[[], None] | None = None
    _is_entered: bool = False
    _is_moved: bool = False
    _is_refused: bool = False

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any], **settings: Any) -> None:
        """As the server makes it.

        What the first of a server's connections began with becomes the class's own: all others find it there.
        Another server with the same class has connections that are made one by one.
        """
        made_like = self._made_like
        if made_like is server_state:
            self.parser = None  # type: ignore[assignment] # made when one is needed: who is refused needs none
            return
        super().__init__(config, server_state, app_state, **settings)
        if made_like is None:
            own = {"parser", "pipeline"}
            for name, value in self.__dict__.items():
                if name not in own:
                    # A function, as an application may be one, must not become a method.
                    setattr(type(self), name, staticmethod(value) if hasattr(value, "__get__") else value)
            type(self)._made_like = server_state  # noqa: SLF001 - its own class

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Take the connection in, if there is room. What the application wants to know of it is asked later."""
        self.transport = transport
        self.connections.add(self)
        if self.table is not None:
            self._is_entered = self.table.enter(self)
            if not self._is_entered:
                self._is_refused = True
                transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everybody know who waits for this connection."""
        self.has_left = True
        if self._left is not None:
            self._left()
        if self.scheme is None:  # No application has heard of it.
            self.connections.discard(self)
            self.parser = None  # type: ignore[assignment] # as uvicorn has it: they hold each other
        else:
            super().connection_lost(exc)
        if self._is_entered and self.table is not None:
            self._is_entered = False
            self.table.leave(self)

    def listen(self, left: Callable[[], None]) -> None:
        """Have `left` called once the caller has gone, at once where that has happened."""
        self._left = left
        if self.has_left:
            left()

    def hush(self) -> None:
        """Nobody listens any more."""
        self._left = None

    def on_response_complete(self) -> None:
        """Rest until the next request; the table keeps the time, if there is one."""
        self._ending.flush()  # The head of an answer without a body: what is written from now on comes behind it.
        if self.table is None:
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.phase is ANSWERING:
            self._turn(AWAITING)
            self._place()
        elif self.phase is BODY:
            # Answered before it was complete: nobody keeps the rest.
            self.body_bytes = 0
            self._turn(DRAINING)
            self._place()

    def is_held_up(self) -> bool:
        """Whether this side does not read, or has not asked for the body yet."""
        if self.phase is not BODY:
            return False
        return self.flow.read_paused or (self._is_answering() and self.cycle.waiting_for_100_continue)

    def time_out(self) -> None:
        """End a connection that took too long, in words where it is owed an answer."""
        if self.phase is HEAD or (self.phase is BODY and self._is_answering()):
            self._turn_away(Reason.REQUEST_TIMEOUT)
        else:
            self.drop()

    def drop(self) -> None:
        """End it without a word."""
        self._is_refused = True
        if self.phase is LEAVING:
            self.transport.abort()
        else:
            self.transport.close()

    def crowd_out(self) -> None:
        """End it in words: by then, at the latest, the bodies that are coming now are complete or given up."""
        self._turn_away(Reason.SERVER_IS_OVERLOADED, None if self.table is None else self.table.plan.body_s)

    def part(self) -> None:
        """End the connection after an answer: at once, or well, where the caller may still be sending."""
        if self.phase is BODY and not self._is_answering():
            self._end()
        else:
            self.transport.close()

    def _turn_away(self, reason: Reason, retry_after_s: float | None = None) -> None:
        """End the connection in words, unless an answer is under way: then that is the last one."""
        self._break_off(reason)
        is_answered = self.phase is BODY and self.cycle.response_complete
        if not (is_answered or self._is_answering() or self.phase is LEAVING or self.transport.is_closing()):
            self._write(self._last_words(reason, retry_after_s), CLOSE)
        self._end()

    def _break_off(self, reason: Reason | None = None) -> None:
        """Tell the application that a body will never be complete: for it the caller has left, for the journal why."""
        if self.phase is BODY and self._is_answering():
            if reason is not None:
                self.scope["state"][GIVEN_UP] = reason
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()

    def _last_words(self, reason: Reason, retry_after_s: float | None) -> Answer:
        if self.guard is None:
            return answer(reason, retry_after_s)
        method = self.parser.get_method() if self.headers else b""
        return self.guard.turn_away(reason, method, self.headers or (), retry_after_s)

    def _write(self, written: Answer, more: bytes = b"") -> None:
        lines = _LINES.of(self.server_state.default_headers)
        self.transport.write(b"".join((written.head, lines, more, b"\r\n", written.body)))

    def _end(self) -> None:
        """Say that nothing more will come from here, and let the rest come for a moment."""
        self._is_refused = True
        if self._is_answering():
            self.cycle.keep_alive = False
            return
        if self.phase is LEAVING or self.transport.is_closing():
            return
        if not self._is_entered or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.body_bytes = 0
        self._turn(LEAVING)
        self._place()

    def _discard(self, size: int) -> None:
        """Throw away what comes after the end."""
        if self.phase is LEAVING:
            self.body_bytes += size
            if self.body_bytes > DISCARDED_BYTES:
                # Enough was read. Not closed yet: that would destroy the answer before a slow caller has it.
                self.transport.pause_reading()

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, which its type does not say.
        return cycle is not None and not cycle.response_complete and not cycle.disconnected

    def pause_writing(self) -> None:
        """More lies here to be sent than the caller takes."""
        self.is_write_paused = True
        if self.scheme is not None:
            super().pause_writing()

    def resume_writing(self) -> None:
        """The caller has taken most of it."""
        self.is_write_paused = False
        if self.scheme is not None:
            super().resume_writing()

    def _introduce(self) -> None:
        """Make ready for an application: refused requests need none of this."""
        self.pipeline = deque()
        asked = self.transport.get_extra_info
        own, peer = asked("sockname"), asked("peername")
        if isinstance(own, tuple | list):
            self.server = (str(own[0]), int(own[1]))
        elif own:
            self.server = (str(own), None)
        self.client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple | list) else None
        self.scheme = "https" if asked("sslcontext") else "http"
        self.flow = FlowControl(self.transport)
        self._ending = _Ending(self)
        if self.is_write_paused:
            self.flow.pause_writing()

    def _turn(self, phase: Phase) -> None:
        """Begin a phase."""
        self.phase = phase
        self._is_moved = True

    def _place(self) -> None:
        """Tell the table, once for all phases that a piece of input went through."""
        if self._is_moved and self._is_entered and self.table is not None:
            self._is_moved = False
            self.table.place(self)
