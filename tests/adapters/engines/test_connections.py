"""HTTP/1.1 as servers behind the gate really write it, and as one might that means harm: RFC 9112, sections 6 and 9."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.adapters.engines.behind import CHAT, PATIENT, QUICK, WHOLE, Behind, Line, answer, listening, saying
from tidegate.adapters.engines import connections, upstream
from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream
from tidegate.ports.upstream import UpstreamBrokeError
from tidegate.testing.clock import until


async def read_all(opened: Opened) -> bytes:
    data = b""
    while piece := await opened.read():
        data += piece
    return data


async def asked(one: Upstream, method: str = "POST") -> bytes:
    """Ask, read to the end, and let go."""
    opened = await one.open(method, CHAT, (), b"" if method == "HEAD" else b"{}", 5.0)
    try:
        return await read_all(opened)
    finally:
        opened.close()


@pytest.mark.parametrize("ending", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"])
async def test_an_answer_without_a_length_lasts_until_the_connection_is_closed(ending: bytes) -> None:
    async def closing(line: Line) -> None:
        await line.write(ending)
        await line.write(b"first ")
        await line.write(b"last")
        line._writer.close()

    behind = Behind(closing)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        assert await asked(one) == b"first last"
        assert await asked(one) == b"first last", "on a connection of its own"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_what_has_no_body_is_complete_with_its_head_and_its_connection_is_used_again(status: str) -> None:
    behind = Behind(saying(f"HTTP/1.1 {status}\r\n\r\n".encode()))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(3):
            assert await asked(one) == b""
        assert behind.open == 1


async def test_of_a_head_request_only_the_head_is_waited_for() -> None:
    behind = Behind(saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(2):
            assert await asked(one, "HEAD") == b""
        await until(lambda: behind.open == 0, 0.01)


async def test_words_that_only_inform_of_an_answer_are_left_out() -> None:
    informing = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\nx-early: 1\r\n\r\n"
    behind = Behind(saying(informing + answer(more="x-late: 1\r\n")))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(2):
            opened = await one.open("POST", CHAT, (), b"{}", 5.0)
            assert (opened.status, await read_all(opened)) == (200, WHOLE)
            assert [name for name, _ in opened.headers] == [b"content-type", b"content-length", b"x-late"]
            opened.close()
        assert behind.open == 1


async def test_no_other_protocol_is_spoken() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI * HTTP/2"
    behind = Behind(saying(switching))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        with pytest.raises((UnreachableError, UpstreamBrokeError)):
            await asked(one)
        await until(lambda: behind.open == 0, 0.01)


async def test_what_stands_behind_an_answer_is_never_taken_for_the_next() -> None:
    poisoned = answer(b'{"whose": "another caller"}')

    async def twice(line: Line) -> None:
        await line.write(answer() + poisoned)

    behind = Behind(twice)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(3):
            opened = await one.open("POST", CHAT, (), b"{}", 5.0)
            assert (await opened.read())[: len(WHOLE)] == WHOLE
            opened.close()
            await until(lambda: behind.open == 0, 0.01)


async def test_a_connection_that_speaks_unasked_is_closed_and_heard_by_nobody() -> None:
    late = asyncio.Event()
    said = asyncio.Event()

    async def muttering(line: Line) -> None:
        await line.write(answer())
        await late.wait()
        await line.write(answer(b'{"whose": "another caller"}'))
        said.set()

    behind = Behind(muttering)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        assert await asked(one) == WHOLE
        late.set()
        await said.wait()
        await until(lambda: behind.open == 0, 0.01)
        behind.behave = saying(answer(b"{}"))
        assert await asked(one) == b"{}"


async def test_what_stands_behind_the_last_chunk_is_no_header() -> None:
    trailed = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nHi\r\n0\r\nset-cookie: a=1\r\n\r\n"
    behind = Behind(saying(trailed))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        opened = await one.open("POST", CHAT, (), b"{}", 5.0)
        assert (await read_all(opened), opened.headers) == (b"Hi", ())
        opened.close()


def many(line_count: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: 1\r\n" % number for number in range(line_count)) + b"\r\n"


async def without_end(line: Line) -> None:
    await line.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await line.write(b"x-more: " + b"y" * 1000 + b"\r\n")


@pytest.mark.parametrize(
    "behave",
    [
        saying(many(connections.FIELD_LIMIT + 1)),
        saying(b"HTTP/1.1 200 OK\r\nx: " + b"y" * connections.HEAD_LIMIT_BYTES + b"\r\n\r\n"),
        without_end,
    ],
    ids=["too many fields", "a field that is too long", "a head without an end"],
)
async def test_a_head_is_bounded(behave: Callable[[Line], Awaitable[None]]) -> None:
    behind = Behind(behave)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        with pytest.raises(UnreachableError):
            await asked(one)
        await until(lambda: behind.open == 0, 0.01)


async def test_a_server_is_read_no_further_than_somebody_takes_it() -> None:
    """Or one slow reader's answer would fill the memory."""
    size_bytes, written = 64 << 20, 0

    async def pouring(line: Line) -> None:
        nonlocal written
        await line.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size_bytes)
        while written < size_bytes:
            await line.write(b"x" * 65536)
            written += 65536

    behind = Behind(pouring)
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        opened = await one.open("POST", CHAT, (), b"{}", 5.0)
        before = -1
        while before != written:  # Until the server can write no more.
            before = written
            await asyncio.sleep(0.2)
        assert written < 16 << 20
        assert len(await read_all(opened)) == size_bytes
        opened.close()


async def test_idle_connections_are_closed_before_the_server_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "_IDLE_S", 0.05)
    behind = Behind(saying(answer()))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(2):
            await asyncio.gather(*(asked(one) for _ in range(5)))
            assert behind.open
            await until(lambda: behind.open == 0, 0.01)


async def test_what_breaks_long_after_it_was_asked_was_no_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a server that crashes over each request would be asked again each time, and never be left alone for it."""
    monkeypatch.setattr(connections, "_CLOSING_S", 0.05)
    behind = Behind(saying(answer()))

    async def crashing(line: Line) -> None:
        await asyncio.sleep(0.1)
        line.cut()

    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        assert await asked(one) == WHOLE
        behind.behave = crashing
        with pytest.raises(UnreachableError) as caught:
            await asked(one)
        assert (caught.value.was_sent, caught.value.was_stale) == (True, False)


async def test_an_answer_that_we_end_ourselves_is_never_taken_for_a_whole_one() -> None:
    behind = Behind(saying(b""))
    behind.behave = lambda line: behind.frozen(line, b"HTTP/1.1 200 OK\r\n\r\nhalf of")
    async with listening(behind):
        async with Upstream(behind.url, None, PATIENT) as one:
            opened = await one.open("POST", CHAT, (), b"{}", 5.0)
            assert await opened.read() == b"half of"
        with pytest.raises(UpstreamBrokeError):
            await opened.read()
        opened.close()


async def test_what_any_connection_field_names_stays_on_its_side() -> None:
    more = "connection: x-one\r\nx-one: 1\r\nx-two: 2\r\nconnection: x-two\r\n"
    behind = Behind(saying(answer(more=more)))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        opened = await one.open("POST", CHAT, (), b"{}", 5.0)
        assert [name for name, _ in opened.headers] == [b"content-type", b"content-length"]
        opened.close()


async def test_who_leaves_while_it_connects_leaves_no_connection() -> None:
    behind = Behind(saying(answer()))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        for _ in range(20):
            opened = one.ask("POST", CHAT, (), b"{}")
            await asyncio.sleep(0)
            opened.close()
        await until(lambda: behind.open == 0, 0.01)
        assert behind.asked == []


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (CHAT, ((b"x-a", b"1\r\nx-b: 2"),)),
        (CHAT, ((b"x-a", b"1\nx-b: 2"),)),
        (CHAT, ((b"x-a\r\nx-b", b"1"),)),
        (CHAT + " HTTP/1.1\r\nx: y\r\n\r\nGET /", ()),
    ],
)
async def test_one_request_can_never_become_two(target: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    behind = Behind(saying(answer()))
    async with listening(behind), Upstream(behind.url, None, QUICK) as one:
        with pytest.raises(ValueError, match="line break"):
            await one.open("POST", target, headers, b"{}", 5.0)
    assert behind.asked == []


async def test_the_time_for_a_head_runs_on_while_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting is no time of its own: a caller is told within what was said."""
    behind = Behind(saying(answer()))
    behind.behave = behind.frozen
    async with listening(behind), Upstream(behind.url, None, PATIENT) as one:
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def slowly(*given: object, **named: object) -> object:
            await asyncio.sleep(0.2)
            return await connect(*given, **named)  # type: ignore[call-overload] # as it came

        monkeypatch.setattr(loop, "create_connection", slowly)
        began_at = loop.time()
        with pytest.raises(UnreachableError) as caught:
            await one.open("POST", CHAT, (), b"{}", 0.4)
        assert loop.time() - began_at < 0.6 + 2.0
        assert caught.value.was_sent
        await asyncio.wait_for(behind.left.wait(), 5)
