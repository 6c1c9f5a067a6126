"""A server that keeps talking and says nothing is given up like a silent one; no nonsense is taken for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.adapters.engines.behind import CHAT, PATIENT, Behind, Line, answer, listening, saying
from tidegate.adapters.engines.upstream import UnreachableError, Upstream, UpstreamPlan
from tidegate.ports.upstream import UpstreamBrokeError
from tidegate.testing.clock import until

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"
BRIEF = UpstreamPlan(silence_s=0.2)
PATIENCE_S = 10.0
"""A server that is given up is so long before."""


def trickling(first: bytes, more: bytes) -> Callable[[Line], Awaitable[None]]:
    async def trickle(line: Line) -> None:
        await line.write(first)
        leaving = asyncio.ensure_future(line.gone())
        while not leaving.done():
            await line.write(more)
            await asyncio.wait({leaving}, timeout=0.02)

    return trickle


def flooding(first: bytes) -> Callable[[Line], Awaitable[None]]:
    async def flood(line: Line) -> None:
        await line.write(first)
        while True:
            await line.write(b"a" * 65536)

    return flood


async def whole_of(one: Upstream, within_s: float = 60.0) -> bytes:
    opened = await one.open("POST", CHAT, (), b"{}", within_s)
    try:
        data = b""
        while piece := await opened.read():
            data += piece
        return data
    finally:
        opened.close()


@pytest.mark.parametrize("unit", [b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_head_that_comes_bit_by_bit_has_no_more_time_than_another(unit: bytes) -> None:
    behind = Behind(trickling(b"", unit) if len(unit) > 1 else trickling(OK + b"x: ", unit))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(UnreachableError, match="TimeoutError"):
                await whole_of(one, 0.2)
        await until(lambda: behind.open == 0, 0.01)


@pytest.mark.parametrize("between", [b"2;a=", b"0\r\nx: "], ids=["an extension", "a trailer"])
async def test_what_frames_a_body_is_no_piece_of_it(between: bytes) -> None:
    """A server that writes it without end would be waited for without end."""
    behind = Behind(trickling(CHUNKED + between, b"a"))
    async with listening(behind), Upstream(behind.url, None, BRIEF) as one:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(UpstreamBrokeError, match="TimeoutError"):
                await whole_of(one)
        await until(lambda: behind.open == 0, 0.01)


@pytest.mark.parametrize("between", [b"2;a=", b"0\r\nx: "], ids=["an extension", "a trailer"])
async def test_what_frames_a_body_is_bounded(between: bytes) -> None:
    behind = Behind(flooding(CHUNKED + between))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(UpstreamBrokeError, match="NonsenseError"):
                await whole_of(one)
        await until(lambda: behind.open == 0, 0.01)


async def test_many_small_chunks_are_no_flood_of_what_frames_them() -> None:
    behind = Behind(saying(CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        assert len(await whole_of(one)) == 50_002


async def test_a_coding_with_spaces_behind_it_is_the_same_one_and_half_an_answer_none() -> None:
    async def half(line: Line) -> None:
        await line.write(OK + b"transfer-encoding: chunked \r\n\r\n2\r\nhi\r\n")
        line._writer.close()

    behind = Behind(half)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        with pytest.raises(UpstreamBrokeError):
            await whole_of(one)


NO_ANSWERS = {
    "a coding of its own": OK + b"transfer-encoding: gzip\r\n\r\nhi",
    "a coding below another": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "two codings": OK + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "two codings, the first of them unknown": OK + b"transfer-encoding: gzip\r\n" + CHUNKED[len(OK) :] + b"0\r\n\r\n",
    "a status of zero": b"HTTP/1.1 000 OK\r\ncontent-length: 2\r\n\r\nhi",
    "a status that there is not": b"HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\nhi",
    "words that inform, with a body": b"HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\nhi" + answer(b"{}"),
}


@pytest.mark.parametrize("said", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_nobody_could_read_as_it_was_meant_is_no_answer(said: bytes) -> None:
    behind = Behind(saying(said, ends=False))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        with pytest.raises((UnreachableError, UpstreamBrokeError), match="NonsenseError"):
            await whole_of(one)
        await until(lambda: behind.open == 0, 0.01)


async def test_a_connection_on_which_a_request_is_still_being_written_takes_no_other() -> None:
    """The server may never read the rest, and the next request would wait behind it."""
    served = 0

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"{}"))
        await ended.wait()
        writer.close()

    ended = asyncio.Event()
    server = await asyncio.start_server(early, "127.0.0.1", 0, limit=1 << 16)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Upstream(url, None, PATIENT) as one:
        for _ in range(2):
            opened = await one.open("POST", CHAT, (), b"x" * (32 << 20), 5.0)
            assert await opened.read() == b"{}"
            opened.close()
        assert served == 2
        ended.set()
