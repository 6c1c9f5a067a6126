"""One server behind the gate: what reaches it, what comes back, and that every connection is let go of."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.adapters.engines.behind import (
    CHAT,
    EVENTS,
    PATIENT,
    QUICK,
    WHOLE,
    WORD,
    Behind,
    Line,
    answer,
    chunk,
    cutting,
    listening,
    saying,
    stream,
)
from tests.certificates import make
from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream, UpstreamPlan
from tidegate.ports.upstream import UpstreamBrokeError
from tidegate.testing.clock import until


async def read_all(opened: Opened) -> bytes:
    data = b""
    while piece := await opened.read():
        data += piece
    return data


async def open_chat(upstream: Upstream, *headers: tuple[bytes, bytes], within_s: float = 5.0) -> Opened:
    return await upstream.open("POST", CHAT, headers, b'{"a": 1}', within_s)


async def chat(upstream: Upstream) -> None:
    """Ask, read to the end, and let go however it ends."""
    opened = await open_chat(upstream)
    try:
        await read_all(opened)
    finally:
        opened.close()


async def test_a_request_arrives_as_it_was_written_but_for_what_is_of_one_hop() -> None:
    behind = Behind(saying(answer()))
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        opened = await upstream.open(
            "POST",
            "/v1/chat/completions?a=%2F..%2f&b=c%20d&&=",
            (
                (b"host", b"gate.example"),
                (b"content-type", b"application/json; charset=utf-8"),
                (b"content-length", b"99"),
                (b"authorization", b"Bearer caller"),
                (b"user-agent", b"client/1"),
                (b"x-said", b"caf\xc3\xa9"),
                (b"x-said", b"twice"),
                (b"x-old", b"caf\xe9"),
                (b"connection", b"keep-alive, X-Secret"),
                (b"x-secret", b"1"),
                (b"keep-alive", b"timeout=5"),
                (b"te", b"trailers"),
                (b"transfer-encoding", b"chunked"),
                (b"proxy-authorization", b"Basic eA=="),
                (b"upgrade", b"h2c"),
                (b"expect", b"100-continue"),
                (b"accept-encoding", b"gzip, br"),
            ),
            b'{"a": 1}',
            5.0,
        )
        assert await read_all(opened) == WHOLE
        opened.close()
    (asked,) = behind.asked
    assert asked.line == "POST /v1/chat/completions?a=%2F..%2f&b=c%20d&&= HTTP/1.1"
    assert asked.body == b'{"a": 1}'
    named = {name.lower(): value for name, value in asked.headers if name.lower() not in {"x-said", "x-old"}}
    assert named == {
        "host": f"127.0.0.1:{behind.port}",
        "content-type": "application/json; charset=utf-8",
        "content-length": "8",
        "authorization": "Bearer caller",
        "user-agent": "client/1",
    }
    assert asked.values("x-said") == ["caf\xc3\xa9", "twice"], "byte for byte"
    assert len(asked.values("x-old")) == 1


async def test_a_key_of_the_server_stands_in_for_whatever_callers_show() -> None:
    behind = Behind(saying(answer()))
    shown = [(name, b"caller's own") for name in (b"authorization", b"x-api-key", b"api-key", b"cookie")]
    async with listening(behind), Upstream(behind.url + "/v1/", "the-key", QUICK) as upstream:
        (await open_chat(upstream, *shown)).close()
    (asked,) = behind.asked
    assert asked.line == f"POST {CHAT} HTTP/1.1"
    assert asked.values("authorization") == ["Bearer the-key"]
    assert asked.values("x-api-key") == ["the-key"]
    assert "caller" not in str(asked.headers)


async def test_an_answers_headers_come_back_as_they_are_but_for_those_of_one_hop() -> None:
    more = (
        "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Ours: yes\r\nKeep-Alive: timeout=5\r\n"
        "Connection: X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\nTrailer: x\r\nUpgrade: h2c\r\n"
    )
    behind = Behind(saying(answer(more=more)))
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        for _ in range(2):
            opened = await open_chat(upstream)
            assert opened.headers == (
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(WHOLE)),
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-ours", b"yes"),
            )
            await read_all(opened)
            opened.close()
    assert [asked.values("cookie") for asked in behind.asked] == [[], []], "no cookie is kept"


async def test_a_redirect_is_an_answer_like_any_other_and_is_not_followed() -> None:
    behind = Behind(saying(answer(b"", status="302 Found", more="Location: /slots\r\n")))
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        opened = await open_chat(upstream)
        assert (opened.status, await read_all(opened)) == (302, b"")
        opened.close()
    assert len(behind.asked) == 1


async def test_a_connection_whose_answer_was_read_is_used_again_and_any_other_is_closed() -> None:
    behind = Behind(saying(answer(b"x" * 900_000)))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as upstream:
        for _ in range(3):
            opened = await open_chat(upstream)
            assert len(await read_all(opened)) == 900_000
            assert opened.is_complete
            opened.close()
        assert behind.open == 1
        behind.behave = lambda line: behind.frozen(line, answer(b"x" * 900_000)[:1000])
        opened = await open_chat(upstream)
        await opened.read()
        assert not opened.is_complete
        opened.close()
        await until(lambda: behind.open == 0, 0.01)
        assert behind.left.is_set()


async def test_leaving_the_context_closes_what_is_idle() -> None:
    behind = Behind(saying(answer()))
    async with listening(behind):
        async with Upstream(behind.url, None, QUICK) as upstream:
            opened = await open_chat(upstream)
            await read_all(opened)
            opened.close()
            assert behind.open == 1
        await until(lambda: behind.open == 0, 0.01)


async def test_a_server_that_is_not_there_was_sent_nothing() -> None:
    behind = Behind(cutting)
    async with listening(behind):
        pass
    async with Upstream(behind.url, None, QUICK) as upstream:
        with pytest.raises(UnreachableError) as caught:
            await open_chat(upstream)
    assert (caught.value.was_sent, caught.value.was_stale) == (False, False)


async def test_a_name_that_nobody_has_was_sent_nothing() -> None:
    async with Upstream("http://nowhere.invalid:1", None, QUICK) as upstream:
        with pytest.raises(UnreachableError) as caught:
            await open_chat(upstream)
    assert caught.value.was_sent is False


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-ty",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        EVENTS + b"zz\r\n",
    ],
    ids=["nothing", "half a head", "another protocol", "tls", "negative", "huge header", "smuggled", "no chunk"],
)
async def test_what_is_no_answer_is_said_within_the_time_and_leaves_no_connection(said: bytes) -> None:
    behind = Behind(saying(said, ends=True))
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        with pytest.raises((UnreachableError, UpstreamBrokeError)) as caught:
            await chat(upstream)
        if isinstance(caught.value, UnreachableError):
            assert caught.value.was_sent
        await until(lambda: behind.open == 0, 0.01)


async def test_a_server_that_is_silent_is_given_up_after_the_time_and_sees_that() -> None:
    behind = Behind(cutting)
    behind.behave = behind.frozen
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        began = time.monotonic()
        with pytest.raises(UnreachableError) as caught:
            await open_chat(upstream, within_s=0.2)
        assert 0.15 < time.monotonic() - began < 5.0
        assert caught.value.was_sent
        await asyncio.wait_for(behind.left.wait(), 5)


async def test_a_server_that_takes_no_connection_is_given_up_after_the_time() -> None:
    """A listener whose queue is full drops what comes: nobody answers, not even no."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        try:
            async with Upstream(f"http://127.0.0.1:{full.getsockname()[1]}", None, QUICK) as upstream:
                with pytest.raises(UnreachableError):
                    await open_chat(upstream, within_s=0.3)
        finally:
            for one in waiting:
                one.close()


@pytest.mark.parametrize(
    "begun",
    [EVENTS + chunk(WORD), answer(b"x" * 100)[:-50], EVENTS + chunk(WORD)[:-9]],
    ids=["chunks", "length", "half a chunk"],
)
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "frozen"])
async def test_a_stream_that_ends_in_the_middle_breaks_and_never_seems_complete(begun: bytes, *, is_cut: bool) -> None:
    behind = Behind(saying(begun, ends=True))
    if not is_cut:
        behind.behave = lambda line: behind.frozen(line, begun)
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        opened = await open_chat(upstream)
        with pytest.raises(UpstreamBrokeError):
            await read_all(opened)
        opened.close()
        await until(lambda: behind.open == 0, 0.01)


async def test_an_answer_that_drips_is_waited_for_as_long_as_it_does() -> None:
    async def dripping(line: Line) -> None:
        await line.write(EVENTS)
        for _ in range(6):
            await asyncio.sleep(0.02)
            await line.write(chunk(WORD))
        await line.write(b"0\r\n\r\n")

    behind = Behind(dripping)
    async with listening(behind), Upstream(behind.url, None, UpstreamPlan(silence_s=5.0)) as upstream:
        opened = await open_chat(upstream)
        assert await read_all(opened) == WORD * 6
        opened.close()


@pytest.mark.parametrize("phase", ["head", "body"])
async def test_a_caller_that_leaves_closes_the_connection(phase: str) -> None:
    behind = Behind(cutting)
    behind.behave = lambda line: behind.frozen(line, EVENTS + chunk(WORD) if phase == "body" else b"")

    async with listening(behind), Upstream(behind.url, None, PATIENT) as upstream:
        asking = asyncio.create_task(chat(upstream))
        await asyncio.wait_for(behind.begun.wait(), 5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(behind.left.wait(), 5)
        await until(lambda: behind.open == 0, 0.01)


async def test_an_idle_connection_that_the_server_closed_in_that_moment_is_said_to_be_stale() -> None:
    behind = Behind(saying(answer()))
    async with listening(behind), Upstream(behind.url, None, PATIENT) as upstream:
        opened = await open_chat(upstream)
        await read_all(opened)
        opened.close()
        behind.behave = cutting
        with pytest.raises(UnreachableError) as caught:
            await open_chat(upstream)
        assert caught.value.was_stale


async def test_the_form_of_an_answer_is_told_and_whether_it_is_compressed() -> None:
    behind = Behind(saying(stream(WORD)))
    async with listening(behind), Upstream(behind.url, None, QUICK) as upstream:
        opened = await open_chat(upstream)
        assert (opened.media_type, opened.is_encoded) == ("text/event-stream", False)
        assert await read_all(opened) == WORD
        opened.close()
        behind.behave = saying(answer(b"\x1f\x8b??", more="content-encoding: gzip\r\n"))
        opened = await open_chat(upstream)
        assert opened.is_encoded
        assert await read_all(opened) == b"\x1f\x8b??", "nothing is decompressed"
        opened.close()


async def test_a_server_with_a_certificate_that_nobody_signed_is_not_spoken_to(tmp_path: Path) -> None:
    pair = make(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    behind = Behind(saying(answer()))
    server = await asyncio.start_server(behind.serve, "127.0.0.1", 0, ssl=context)
    async with server, Upstream(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, QUICK) as upstream:
        with pytest.raises(UnreachableError) as caught:
            await open_chat(upstream)
    assert caught.value.was_sent is False
    assert behind.asked == []
