"""A caller who takes nothing does not keep a place at the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from tidegate.core.identifiers import RequestId
from tidegate.http import streams
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.streams import PIECE_BYTES, WHOLE_BYTES, EventStream, PacedResponse
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


class Caller:
    """Takes what is sent until it has `enough`; `pieces` are the bodies that it took."""

    def __init__(self, enough_bytes: int) -> None:
        self._enough_bytes = enough_bytes
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        if sum(self.pieces) >= self._enough_bytes:
            await asyncio.Event().wait()
        self.messages.append(message)

    @property
    def pieces(self) -> list[int]:
        return [len(message["body"]) for message in self.messages if "body" in message]


async def receive_nothing() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_large_answer_goes_out_in_pieces_and_whole() -> None:
    """Only what the caller takes lies in the server's buffer."""
    body = bytes(range(256)) * (WHOLE_BYTES // 256) + b"end"
    caller = Caller(len(body) + 1)

    await PacedResponse(body, 200, {"x-kind": "large"})({"type": "http"}, receive_nothing, caller.send)

    start, *rest = caller.messages
    assert (start["status"], dict(start["headers"])[b"content-length"]) == (200, str(len(body)).encode())
    assert dict(start["headers"])[b"x-kind"] == b"large"
    assert max(caller.pieces) == PIECE_BYTES
    assert b"".join(message["body"] for message in rest) == body
    assert [message["more_body"] for message in rest] == [True] * (len(rest) - 1) + [False]


async def test_a_small_answer_goes_out_at_once() -> None:
    caller = Caller(WHOLE_BYTES + 1)

    await PacedResponse(b"x" * WHOLE_BYTES)({"type": "http"}, receive_nothing, caller.send)

    assert caller.pieces == [WHOLE_BYTES]


async def test_a_large_answer_that_nobody_takes_further_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "UNREAD_LIMIT_S", 0.02)
    caller = Caller(3 * PIECE_BYTES)

    with pytest.raises(ClientLeftError):
        await asyncio.wait_for(
            PacedResponse(b"x" * (WHOLE_BYTES * 2))({"type": "http"}, receive_nothing, caller.send), 5
        )

    assert caller.pieces == [PIECE_BYTES] * 3
