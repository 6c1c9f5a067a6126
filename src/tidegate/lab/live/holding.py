"""Connections that are opened and held: a head that never ends, an answer that is not read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final, cast

from tidegate.lab.acts import Hold, Outcome
from tidegate.lab.live.lines import CONNECT_S, bound

SLOW_BYTE_S: Final = 2.0
_HEAD: Final = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: "
_SMALL_WINDOW_BYTES: Final = 2048
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Held(asyncio.Protocol):
    """One such connection. `over` is done when it ends, by whoever's will."""

    def __init__(self, question: bytes | None) -> None:
        """With a `question` it is asked, and nothing of the answer is read; without one, a head never ends."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status = 0
        self._question = question
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no asyncio.Transport.
        if self._question is None:
            self._transport.write(_HEAD)
            self._drip()
        else:
            self._transport.pause_reading()
            self._transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        """The service says why it ends it."""
        found = _STATUS.match(data)
        if found is not None and not self.status:
            self.status = int(found[1])

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        del exc
        if self._timer is not None:
            self._timer.cancel()
        if not self.over.done():
            self.over.set_result(None)

    def cut(self) -> None:
        """End it."""
        self._transport.abort()

    def _drip(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"a")
            self._timer = asyncio.get_running_loop().call_later(SLOW_BYTE_S, self._drip)


async def hold(hold: Hold, port: int, source: str, question: bytes, since: Callable[[float], float]) -> Outcome:
    """Open a connection and hold it as long as it goes; complete is one that the service let stand."""
    asked_at, loop = monotonic(), asyncio.get_running_loop()
    held: Held | None = None
    is_whole = False
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_S):
            with bound(source) as place:
                if hold.reads_nothing:
                    place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW_BYTES)
                await loop.sock_connect(place, ("127.0.0.1", port))
                mine = Held(question if hold.reads_nothing else None)
                await loop.create_connection(lambda: mine, sock=place)
                held = mine
    if held is not None:
        try:
            await asyncio.wait_for(asyncio.shield(held.over), hold.for_s)
        except TimeoutError:
            is_whole = True
        finally:
            held.cut()
    return Outcome(
        asked_at_s=since(asked_at),
        ended_at_s=since(monotonic()),
        status=held.status if held is not None else 0,
        is_complete=is_whole,
    )
