"""Attackers, as light as they can be: raw connections, each from an address of its own, that count what they get."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Callable

import httptools
from load import WORDS, body

REOPEN_S = 0.25
SLOW_BYTE_S = 2.0
UNREAD_S = 10.0
STREAM_TOKENS = 512

Compose = Callable[[int], bytes]
"""The bytes of the next request of the attacker with this number."""


class Flood:
    """So many attackers, who together send at most `rate` requests a second and heed no refusal."""

    def __init__(
        self,
        port: int,
        connections: int,
        rate: float,
        compose: Compose,
        slow: int = 0,
        source: Callable[[int], str] | None = None,
    ) -> None:
        """Nothing is sent until `start`. `slow` more hold connections that never get anywhere.

        `source` tells where each comes from, else each from far away from the others.
        """
        self.source = source or address
        self.port = port
        self.rate = rate
        self.pause_s = connections / rate
        self.compose = compose
        self.sent = 0
        self.statuses: Counter[str] = Counter()
        self.open = 0
        self.is_over = False
        self._transports: set[asyncio.BaseTransport] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self.kinds: list[type[Attacker]] = [Attacker] * connections
        self.kinds += [SlowHead if number % 2 else SlowReader for number in range(slow)]

    def start(self) -> None:
        """Let them loose."""
        self._tasks = [asyncio.create_task(self._keep(kind, number)) for number, kind in enumerate(self.kinds)]

    async def stop(self) -> None:
        """Cut all connections."""
        self.is_over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in list(self._transports):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    def joined(self, transport: asyncio.BaseTransport) -> None:
        """One more connection stands."""
        self.open += 1
        self._transports.add(transport)

    def left(self, transport: asyncio.BaseTransport) -> None:
        """One fewer."""
        self.open -= 1
        self._transports.discard(transport)

    async def _keep(self, kind: type[Attacker], number: int) -> None:
        loop = asyncio.get_running_loop()
        # Not all in the same millisecond: a listen queue that overflows would protect the server.
        await asyncio.sleep(number / 500)
        while not self.is_over:
            ended = loop.create_future()
            with contextlib.suppress(OSError):
                await loop.create_connection(
                    lambda ended=ended: kind(self, number, ended),  # type: ignore[misc] # bound at once
                    sock=await self._connected(kind, self.source(number)),
                )
                await ended
            await asyncio.sleep(REOPEN_S)

    async def _connected(self, kind: type[Attacker], source: str) -> socket.socket:
        line = socket.socket()
        line.setblocking(False)
        if kind is SlowReader:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        try:
            line.bind((source, 0))
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", self.port)), 5)
        except BaseException:
            line.close()
            raise
        return line


class Attacker(asyncio.Protocol):
    """Sends, reads what comes, sends again. An answer is read to its end: it holds the place that it got."""

    def __init__(self, flood: Flood, number: int, ended: asyncio.Future[None]) -> None:
        self.flood = flood
        self.number = number
        self.ended = ended
        self.transport: asyncio.Transport
        self.timer: asyncio.TimerHandle | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.flood.joined(transport)
        self.begin()

    def begin(self) -> None:
        """Send the next request."""
        if self.transport.is_closing():
            return
        self._sent_at = time.monotonic()
        self.flood.sent += 1
        self.transport.write(self.flood.compose(self.number))

    def data_received(self, data: bytes) -> None:
        """Count what is complete."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.flood.statuses["garbled"] += 1
            self.transport.abort()

    def on_message_complete(self) -> None:
        """Ask again, at the pace of the flood."""
        self.flood.statuses[str(self._parser.get_status_code())] += 1
        if not self._parser.should_keep_alive():
            self.transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        wait_s = max(0.0, self._sent_at + self.flood.pause_s - time.monotonic())
        self.timer = asyncio.get_running_loop().call_later(wait_s, self.begin)

    def connection_lost(self, exc: Exception | None) -> None:
        """Come again."""
        del exc
        if self.timer is not None:
            self.timer.cancel()
        self.flood.left(self.transport)
        if not self.ended.done():
            self.ended.set_result(None)


class SlowHead(Attacker):
    """Sends a head that never ends."""

    def begin(self) -> None:
        """Send one more byte, now and then."""
        first = b"POST /v1/chat/completions HTTP/1.1\r\nhost: tide\r\nx-slow: "
        self.transport.write(b"a" if self.timer else first)
        self.timer = asyncio.get_running_loop().call_later(SLOW_BYTE_S, self.begin)


class SlowReader(Attacker):
    """Asks for a long answer and reads nothing of it."""

    def begin(self) -> None:
        """Ask, look away, and come again later: whoever does not read does not see that they were cut."""
        self.transport.pause_reading()
        super().begin()
        self.timer = asyncio.get_running_loop().call_later(UNREAD_S, self.transport.abort)


def address(number: int) -> str:
    """An address of its own, far from the others: 127.64.0.0/10, hardly two in one /24."""
    return f"127.{64 + number % 128}.{number // 128 % 250 + 1}.{number % 250 + 1}"


def post(words: str, tokens: int = STREAM_TOKENS, key: str = "") -> bytes:
    """A request for a streamed answer."""
    what = body(words, tokens)
    authorization = f"authorization: Bearer {key}\r\n" if key else ""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: tide\r\ncontent-type: application/json\r\n"
        f"{authorization}content-length: {len(what)}\r\n\r\n"
    )
    return head.encode() + what


def get(path: str) -> bytes:
    """A request for a page."""
    return f"GET {path} HTTP/1.1\r\nhost: tide\r\naccept: text/html\r\n\r\n".encode()


def asking(keys: list[str], words: int) -> Compose:
    """Everybody asks something else every time, each with one of these keys, if there are any."""
    dice = random.Random(3)
    stock = [" ".join(dice.choice(WORDS) for _ in range(words)) for _ in range(16 if words > 200 else 64)]

    def compose(number: int) -> bytes:
        text = f"{dice.getrandbits(64):x} {dice.choice(stock)}"
        return post(text, key=keys[number % len(keys)] if keys else "")

    return compose


def browsing(paths: tuple[str, ...]) -> Compose:
    """Half of them ask for answers without an account, half for pages."""
    ask = asking([], 30)

    def compose(number: int) -> bytes:
        return ask(number) if number % 2 else get(paths[number // 2 % len(paths)])

    return compose


def guessing() -> Compose:
    """Half of them ask for answers without a key, half with one that nobody has seen, another one every time."""
    dice, ask = random.Random(5), asking([], 30)
    stock = asking(["sk-0"], 30)

    def compose(number: int) -> bytes:
        return ask(number) if number % 2 else stock(number).replace(b"sk-0", b"sk-%032x" % dice.getrandbits(128), 1)

    return compose
