"""A caller cannot hold the process with a head that does not end, nor hide behind a second request."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.types import Receive, Scope, Send

from tests.http.wire import CLOSE, Echo, serving, talk
from tidegate.http.gate import sockets
from tidegate.http.gate.protocol import HEAD_LIMIT_BYTES, HEADER_LIMIT


async def test_an_ordinary_request_passes_also_in_pieces_and_with_a_body() -> None:
    async with serving(Echo()) as port:
        answer = await talk(port, b"POST /a HTTP/1.1\r\nho", b"st: x\r\n", CLOSE + b"content-length: 100000\r\n\r\n",
                            b"b" * 50000, b"b" * 50000)  # fmt: skip

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"/a 100000")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * HEAD_LIMIT_BYTES,
        b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"a" * HEAD_LIMIT_BYTES,
        b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * (HEADER_LIMIT + 1) + b"\r\n",
    ],
    ids=["address", "header", "many headers"],
)
async def test_a_head_beyond_the_limits_is_refused_and_closed(head: bytes) -> None:
    app = Echo()
    async with serving(app) as port:
        answer = await talk(port, head, b"")

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"head_too_large"' in answer
    assert not app.paths


async def test_a_head_without_end_is_cut_early() -> None:
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\na: ")
        with pytest.raises(ConnectionError):
            await _write(writer, 64 << 20)
        writer.close()
        del reader


async def _write(writer: asyncio.StreamWriter, size_bytes: int) -> None:
    for _ in range(size_bytes // 65536):
        writer.write(b"a" * 65536)
        await writer.drain()


async def test_a_body_is_no_head_however_long_and_the_next_request_is_counted_anew() -> None:
    """Many requests on one connection together may exceed the limit of one head."""
    pad = b"pad: " + b"p" * 30000 + b"\r\n"
    request = b"POST /a HTTP/1.1\r\nhost: x\r\n" + pad + b"content-length: 200000\r\n\r\n" + b"b" * 200000
    async with serving(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(5):
            writer.write(request)
            await writer.drain()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(b"/a 200000")) == b"/a 200000"
        writer.close()


async def test_a_second_request_before_the_answer_is_not_served_and_the_connection_closes_after_the_first() -> None:
    app = Echo()
    async with serving(app) as port:
        talking = asyncio.ensure_future(
            talk(
                port,
                b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n",
                b"GET /second HTTP/1.1\r\nhost: x\r\n\r\n" + b"junk" * 100,
            )
        )
        await asyncio.wait_for(app.begun.wait(), 10)
        app.let.set()
        answer = await talking

    assert app.paths == ["/wait"]
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.endswith(b"/wait 0")


async def test_a_caller_who_leaves_is_seen_also_with_a_second_request_waiting() -> None:
    app = Echo()
    async with serving(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\nGET /second HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        writer.transport.abort()
        await asyncio.wait_for(app.left.wait(), 5)


async def test_an_answer_under_way_is_not_overtaken_by_a_refusal() -> None:
    app = Echo()
    async with serving(app) as port:
        talking = asyncio.ensure_future(
            talk(
                port,
                b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n",
                b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"a" * 2 * HEAD_LIMIT_BYTES,
            )
        )
        await asyncio.wait_for(app.begun.wait(), 10)
        app.let.set()
        answer = await talking

    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"/wait 0") or answer == b"reset"


async def test_the_kernel_keeps_little_for_a_caller_who_does_not_read() -> None:
    """By itself it would take megabytes, minutes of an answer, before anybody could see that nobody reads."""

    class Flood:
        def __init__(self) -> None:
            self.sent_bytes = 0
            self.stuck = asyncio.Event()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while self.sent_bytes < 32 << 20:
                try:
                    body = {"type": "http.response.body", "body": b"x" * 16384, "more_body": True}
                    await asyncio.wait_for(send(body), 0.5)
                except TimeoutError:
                    break
                self.sent_bytes += 16384
            self.stuck.set()

    app = Flood()
    async with serving(app) as port:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.setblocking(False)
        await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(caller, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(app.stuck.wait(), 20)
        caller.close()

    assert app.sent_bytes < 1 << 20


class Endless:
    """Sends until its caller is gone."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            leaving = asyncio.ensure_future(receive())
            await asyncio.wait({leaving}, timeout=0)
            if leaving.done() and leaving.result()["type"] == "http.disconnect":
                self.left.set()
                return
            leaving.cancel()


async def test_a_caller_who_takes_nothing_is_dropped_after_a_while() -> None:
    """Also one whose kernel answers every probe: what was written for it would lie here for as long as it likes."""
    app = Endless()
    async with serving(app, untaken_limit_s=0.5) as port:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.setblocking(False)
        await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(caller, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        await asyncio.wait_for(app.left.wait(), 20)

        caller.close()


def test_a_line_that_vanished_without_a_word_is_noticed() -> None:
    """Half a minute after its last sign of life, and not in two hours: each connection inherits that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets.tune(listener)
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            set_to = [
                accepted.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    *(socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL),
                    *(socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT),
                )
            ]
            assert set_to == [15, 5, 3, 30_000]
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * sockets.SEND_BUFFER_BYTES


@pytest.mark.parametrize("family", [socket.AF_INET6, socket.AF_UNIX])
def test_every_kind_of_socket_can_be_tuned(family: socket.AddressFamily) -> None:
    """Unix sockets cannot vanish, and are not asked whether they did."""
    with socket.socket(family) as listener:
        sockets.tune(listener)

        assert bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is (family is socket.AF_INET6)


async def test_a_head_in_pieces_with_too_many_fields_is_refused_too() -> None:
    async with serving(Echo()) as port:
        answer = await talk(port, b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * (HEADER_LIMIT + 1), b"\r\n")

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_what_follows_the_last_chunk_of_a_body_is_bounded_and_belongs_to_no_head() -> None:
    head = b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n" + CLOSE + b"\r\n"
    app = Echo()
    async with serving(app) as port:
        answer = await talk(port, head, b"2\r\nab\r\n0\r\nauthorization: Bearer x\r\n\r\n")
        assert answer.endswith(b"/a 2")
        assert not any(name == b"authorization" for name, _ in app.scopes[0]["headers"])

        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"2\r\nab\r\n0\r\na: ")
        with pytest.raises(ConnectionError):
            await _write(writer, 64 << 20)
        writer.transport.abort()
        del reader


@pytest.mark.parametrize("framing", ["content-length: 5", "transfer-encoding: chunked"])
async def test_a_wish_for_another_protocol_is_ignored_and_the_body_arrives(framing: str) -> None:
    """Java's client sends this with every first request, and HTTP/1.1 is a good answer to it."""
    head = (
        "POST /a?b=c HTTP/1.1\r\nhost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        f"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nx-own: kept\r\n{framing}\r\n\r\n"
    ).encode()
    body = b"hello" if "length" in framing else b"5\r\nhello\r\n0\r\n\r\n"
    app = Echo()
    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for pieces in ([head + body], [head[:40], head[40:], body], [head + body[:3], body[3:]]):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            answer = await asyncio.wait_for(reader.readuntil(b"/a 5"), 10)
            assert answer.startswith(b"HTTP/1.1 200")
        writer.close()

    assert [scope["query_string"] for scope in app.scopes] == [b"b=c"] * 3
    assert (b"x-own", b"kept") in app.scopes[0]["headers"]
    assert not any(name == b"upgrade" for name, _ in app.scopes[0]["headers"])


async def test_a_request_to_be_a_proxy_is_refused() -> None:
    app = Echo()
    async with serving(app) as port:
        answer = await talk(port, b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400")
    assert not app.paths


async def test_an_application_may_be_a_function_and_every_connection_finds_it() -> None:
    """The first connection's fields serve all others, and a function that a class holds would be taken for a method."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Echo()(scope, receive, send)

    async with serving(app) as port:
        for _ in range(3):
            assert (await talk(port, b"GET /a HTTP/1.1\r\nhost: x\r\n" + CLOSE + b"\r\n")).endswith(b"/a 0")
