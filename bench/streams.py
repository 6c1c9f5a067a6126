"""Callers who read streams, as light as they can be: what arrives is counted, not understood."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import httptools
import msgspec
from attackers import post

ENDS_WITHIN_S = 120.0
WORDS = "Tell me about the tide."
_PIECE = b'"content":"'
_DONE = b"data: [DONE]"


class Streamed(msgspec.Struct, kw_only=True):
    """What some streams at once came to. `short` are those with fewer tokens than there were to come."""

    tokens: int
    wall_s: float
    short: int
    refused: int

    @property
    def tokens_per_s(self) -> float:
        """All streams together, from their beginning to the end of the last."""
        return self.tokens / self.wall_s


class _Reader(asyncio.Protocol):
    """Asks once and reads to the end."""

    def __init__(self, request: bytes) -> None:
        self.over = asyncio.get_running_loop().create_future()
        self.status = 0
        self.data = bytearray()
        self._request = request
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no asyncio.Transport.
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.data += data

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.over.done():
            self.over.set_result(None)


async def read_streams(port: int, keys: list[str], streams: int, tokens: int) -> Streamed:
    """So many streams at once, each of so many tokens, to their ends."""
    loop, began_at = asyncio.get_running_loop(), time.perf_counter()
    readers = [_Reader(post(WORDS, tokens, keys[number % len(keys)])) for number in range(streams)]
    opened = [await loop.create_connection(lambda one=one: one, "127.0.0.1", port) for one in readers]  # type: ignore[misc] # bound at once
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            await asyncio.gather(*(reader.over for reader in readers))
    except TimeoutError:
        pass  # What did not end in time is short.
    finally:
        for transport, _ in opened:
            transport.abort()
    wall_s = time.perf_counter() - began_at
    counted = [bytes(reader.data).count(_PIECE) for reader in readers]
    return Streamed(
        tokens=sum(counted),
        wall_s=wall_s,
        short=sum(
            reader.status != 200 or count < tokens or _DONE not in reader.data
            for reader, count in zip(readers, counted, strict=True)
        ),
        refused=sum(reader.status != 200 for reader in readers),
    )
