"""An answer of a server, from the moment in which it is asked for, for one that reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from tidegate.ports.upstream import Headers, UpstreamBrokeError

_HELD_BYTES: Final = 1 << 18


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


class Carrying(Protocol):
    """The connection that an answer comes on."""

    transport: asyncio.Transport
    alarm: Alarm

    @property
    def may_be_stale(self) -> bool:
        """Whether the server may have closed it as an idle one, not having seen that it was used again."""

    def let_go(self, *, is_complete: bool) -> None:
        """Nobody reads the answer any more."""


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
        self.connection: Carrying | None = None
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
        late_at = self._loop.time() + within_s
        while not self.status:
            if self._error is not None:
                raise self._unreachable(self._error)
            if not await self._hears(late_at):
                raise UnreachableError(TimeoutError.__name__, was_sent=self.connection is not None)

    async def read(self, within_s: float | None = None) -> bytes:
        """The next bytes, b"" at the end. Raises UpstreamBrokeError; `within_s` is for what may take longer."""
        pieces = self._pieces
        # What comes meanwhile and is no piece, as a head or the end of a chunk bit by bit, gains no time.
        late_at = 0.0 if pieces else self._loop.time() + (self.silence_s if within_s is None else within_s)
        while not pieces:
            if self._error is not None:
                raise self._broken(self._error)
            if self.is_over:
                return b""
            if not await self._hears(late_at):
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

    def asked_on(self, connection: Carrying) -> None:
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

    async def _hears(self, late_at: float) -> bool:
        """Wait for whatever comes next; whether it came in time."""
        if self._alarm is None:
            self._alarm = Alarm()
        self._alarm.set(late_at, self._expire)
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
        was_stale = connection is not None and connection.may_be_stale
        return UnreachableError(type(error).__name__, was_sent=True, was_stale=was_stale)

    @staticmethod
    def _broken(error: Exception) -> Exception:
        return error if isinstance(error, TimeoutError) else UpstreamBrokeError(type(error).__name__)
