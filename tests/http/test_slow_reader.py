"""A caller who takes nothing does not keep a place at the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from tidegate.core.identifiers import RequestId
from tidegate.http import streams
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.streams import EventStream
from tidegate.services.lifecycle import Lifecycle


@pytest.mark.parametrize("stuck_at", ["http.response.start", "http.response.body"])
async def test_a_stream_that_nobody_reads_is_given_up_and_what_it_held_is_freed(
    monkeypatch: pytest.MonkeyPatch, stuck_at: str
) -> None:
    monkeypatch.setattr(streams, "UNREAD_LIMIT_S", 0.02)
    freed = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        while True:
            yield b"data: {}\n\n"

    async def close() -> None:
        freed.set()

    async def send(message: Message) -> None:
        if message["type"] == stuck_at:
            await asyncio.Event().wait()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    stream = EventStream(pieces(), Lifecycle(), Exchange(id=RequestId.of(b"12345678")), close)
    with pytest.raises(ClientLeftError):
        await asyncio.wait_for(stream({"type": "http"}, receive, send), 5)

    assert freed.is_set()
