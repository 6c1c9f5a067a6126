"""Sends an answer on as it comes, for as long as somebody reads it.

That its caller has left, that nobody takes what is sent, and that the service stops
are heard without a task that listens. Whatever it is ends the task that sends,
wherever that waits, and what it holds is freed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import ceil
from types import TracebackType
from typing import Final, Self

import msgspec
from starlette.types import Receive, Send

from tidegate.core.reasons import Reason
from tidegate.http.exchange import Caller, ClientLeftError, Exchange
from tidegate.http.proxy.dialects import Dialect, error_piece
from tidegate.http.refusals import Refusal
from tidegate.http.streams import HEADERS, UNREAD_LIMIT_S, comment, event
from tidegate.ports.upstream import Head, Piece, Pieces
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.passing import Passing

ATTEMPTS: Final = b"x-tidegate-attempts"
"""Tells of an answer that more than one server was asked for it."""

_OURS: Final = frozenset({b"date", b"server", b"x-request-id", ATTEMPTS, b"alt-svc", b"strict-transport-security"})
_CROSS_ORIGIN: Final = b"access-control-"
_EVENTS: Final = b"text/event-stream"
_LINES: Final = (b"application/x-ndjson", b"application/jsonl")
_OK: Final = 200
_WITHOUT_BODY: Final = frozenset({204, 304})
_objects: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Heard:
    """The caller on a connection of any ASGI server, which tells whether they are there when it is asked."""

    is_write_paused = True

    def __init__(self, receive: Receive) -> None:
        """The request's body must have been read."""
        self._receive = receive
        self._listening: asyncio.Task[None] | None = None

    def listen(self, left: Callable[[], None]) -> None:
        """Have `left` called once the caller has gone."""
        self._listening = asyncio.get_running_loop().create_task(self._listen(left))

    def hush(self) -> None:
        """Nobody listens any more."""
        if self._listening is not None:
            self._listening.cancel()

    async def _listen(self, left: Callable[[], None]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        left()


class Watch:
    """Ends the task that entered it when the caller leaves or takes nothing, or the service ends what still runs.

    Raises ClientLeftError or a Refusal in its stead. The request's body must have been read.
    """

    def __init__(self, caller: Caller, lifecycle: Lifecycle) -> None:
        """Nothing is watched before it is entered."""
        self._caller = caller
        self._lifecycle = lifecycle
        self._why: Exception | None = None

    def __enter__(self) -> Self:
        """Begin to watch. Raises a Refusal where what still runs has been ended already."""
        if self._lifecycle.expired.is_set():
            raise _ended()
        task = asyncio.current_task()
        assert task is not None, "somebody runs this"
        self._task, self._cancelling = task, task.cancelling()
        self._lifecycle.when_ending(self._expired)
        self._caller.listen(self._left)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End watching."""
        self._caller.hush()
        self._lifecycle.take_back(self._expired)
        if self._why is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._why from error

    def patience(self) -> asyncio.TimerHandle | None:
        """End it soon, where more lies here than the caller takes; cancel that once something was taken."""
        if not self._caller.is_write_paused:
            return None
        return asyncio.get_running_loop().call_later(UNREAD_LIMIT_S, self._left)

    def _left(self) -> None:
        self._end(ClientLeftError())

    def _expired(self) -> None:
        self._end(_ended())

    def _end(self, why: Exception) -> None:
        if self._why is None:
            self._why = why
            self._task.cancel()


def _ended() -> Refusal:
    sentence = "The service is being stopped or restarted, and ended this answer."
    return Refusal(Reason.SERVER_IS_DRAINING, sentence, retry_after_s=5.0)


class Sending:
    """One answer on its way. `judged` hears of its head before anything of it is sent."""

    _watch: Watch

    def __init__(
        self, exchange: Exchange, send: Send, judged: Callable[[Head], None], dialect: Dialect = Dialect.OPENAI
    ) -> None:
        """Nothing was sent."""
        self._dialect = dialect
        self._exchange = exchange
        self._send = send
        self._judged = judged
        self._is_begun = False
        self._is_stream = self._is_lines = self._is_at_end_of_line = False
        self._late: list[bytes] | None = None
        self._late_status = _OK

    async def run(self, source: Pieces | Passing, watch: Watch) -> None:
        """Send pieces, and words for those who wait, until the end; the source is closed then."""
        self._watch = watch
        try:
            async for told in source:
                if isinstance(told, Piece):
                    await self._piece(told)
                else:
                    await self._begin(_OK, [*HEADERS])
                    self._is_stream = True
                    await self._body(comment(f"waiting position={told.position} eta_s={ceil(told.wait_s)}"))
        finally:
            await source.aclose()

    async def end(self, refusal: Refusal) -> None:
        """End a stream with it. Raises it where nothing was sent, ClientLeftError where nothing more can be said."""
        if not self._is_begun:
            raise refusal
        self._exchange.reason = refusal.reason
        if not (self._is_stream or (self._is_lines and self._is_at_end_of_line)):
            raise ClientLeftError  # Half of an answer in one piece: a closed connection says that.
        try:
            async with asyncio.timeout(UNREAD_LIMIT_S):  # Nobody watches any more.
                await self._body(error_piece(self._dialect, refusal), is_last=True)
        except TimeoutError:
            raise ClientLeftError from None

    async def _piece(self, piece: Piece) -> None:
        head = piece.head
        if head is not None:
            self._judged(head)
            is_events, fields = _read(head)
            if self._is_begun and not (head.status == _OK and is_events):
                self._late, self._late_status = [], head.status
            else:
                self._is_stream = self._is_stream or is_events
                self._is_lines = _is_lines(fields)
                await self._begin(head.status, fields)
        if self._late is not None:
            # Its wait was told in a stream; so must be what the server says instead of an answer.
            self._late.append(piece.data)
            if piece.is_last:
                data = _as_event(b"".join(self._late), self._late_status, self._dialect)
                await self._body(data, is_last=True)
        elif piece.data or piece.is_last:
            self._is_at_end_of_line = piece.data.endswith(b"\n")
            await self._body(piece.data, is_last=piece.is_last)

    async def _begin(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        if not self._is_begun:
            self._is_begun = True
            await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def _body(self, data: bytes, *, is_last: bool = False) -> None:
        late = self._watch.patience()
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": not is_last})
        finally:
            if late is not None:
                late.cancel()


def _is_lines(fields: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-type" and value.lower().startswith(_LINES) for name, value in fields)


def _as_event(data: bytes, status: int, dialect: Dialect) -> bytes:
    """An answer in one piece as one event of a stream; what is no JSON object is told as an error in our words."""
    try:
        _objects.decode(data)
    except (ValueError, RecursionError):
        sentence = f"The server of the model answered with status {status}."
        return error_piece(dialect, Refusal(Reason.ENGINE_FAILED, sentence, retry_after_s=2.0))
    named = b"event: error\n" if dialect is Dialect.ANTHROPIC else b""
    return named + event(b" ".join(data.splitlines()))


def _read(head: Head) -> tuple[bool, list[tuple[bytes, bytes]]]:
    """Whether a stream of events comes, and the fields that go on."""
    fields, is_events = [], False
    for name, value in head.headers:
        lowered = name.lower()
        if lowered not in _OURS and not lowered.startswith(_CROSS_ORIGIN):
            fields.append((lowered, value))
            is_events = is_events or (lowered == b"content-type" and value.lower().startswith(_EVENTS))
    if is_events or head.status in _WITHOUT_BODY:
        # A stream from which an event was left out is shorter than was said; what has no body has no length to keep.
        fields = [field for field in fields if field[0] != b"content-length"]
    if head.attempts > 1:
        fields.append((ATTEMPTS, b"%d" % head.attempts))
    return is_events, fields
