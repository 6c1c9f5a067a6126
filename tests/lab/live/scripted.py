"""A server whose every word is written down beforehand: what it sends for each request, in which pieces."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lines import Lines, Request

CLOSE = None
"""In a script: the connection is closed here."""

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Scripted:
    """Answers request after request by its script; what comes after the last is not answered at all."""

    def __init__(self, scripts: Sequence[Sequence[bytes | None]]) -> None:
        self._scripts = list(scripts)
        self.peers: list[str] = []
        self.requests = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer.get_extra_info("peername")[0])
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                for piece in self._scripts.pop(0) if self._scripts else ():
                    if piece is CLOSE:
                        writer.close()
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@contextlib.asynccontextmanager
async def scripted(*scripts: Sequence[bytes | None], most: int = 100) -> AsyncIterator[tuple[Scripted, Lines]]:
    """Such a server, and lines to it."""
    one = Scripted(scripts)
    server = await asyncio.start_server(one.connected, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    lines = Lines(one.port, most=most)
    try:
        yield one, lines
    finally:
        await lines.close()
        one.hang_up()
        server.close()


def asked(
    lines: Lines, source: str = "127.1.0.1", *, patience_s: float = 5.0, limit_s: float = 5.0
) -> asyncio.Future[Heard]:
    """Ask, and have what comes of it as a future."""
    over: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
    lines.ask(Request(ASKED, source, over.set_result, patience_s, limit_s))
    return over
