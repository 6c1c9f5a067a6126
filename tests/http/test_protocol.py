"""A caller cannot hold the process with a head that does not end, nor hide behind a second request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.http.gate import protocol
from tidegate.http.gate.protocol import HEAD_LIMIT_BYTES, HEADER_LIMIT, GateProtocol


class Echo:
    """Answers each request with its path; `/wait` only when it is let, or when its caller has left."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.let = asyncio.Event()
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        body = b""
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        if scope["path"] == "/wait":
            self.begun.set()
            leaving = asyncio.ensure_future(receive())
            letting = asyncio.ensure_future(self.let.wait())
            await asyncio.wait({leaving, letting}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.left.set()
            leaving.cancel()
            letting.cancel()
        answer = f"{scope['path']} {len(body)}".encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[int]:
    settings = uvicorn.Config(app, port=0, http=GateProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(settings)
    settings.load()
    server.lifespan = settings.lifespan_class(settings)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await server.shutdown()


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and read until the other side closes or has been silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


CLOSE = b"connection: close\r\n"


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
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEADER_LIMIT + 1) + b"\r\n",
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
        writer.write(b"GET / HTTP/1.1\r\na: ")
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
    request = b"POST /a HTTP/1.1\r\n" + pad + b"content-length: 200000\r\n\r\n" + b"b" * 200000
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
            talk(port, b"GET /wait HTTP/1.1\r\n\r\n", b"GET /second HTTP/1.1\r\n\r\n" + b"junk" * 100)
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
        writer.write(b"GET /wait HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        writer.transport.abort()
        await asyncio.wait_for(app.left.wait(), 5)


async def test_an_answer_under_way_is_not_overtaken_by_a_refusal() -> None:
    app = Echo()
    async with serving(app) as port:
        talking = asyncio.ensure_future(
            talk(port, b"GET /wait HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\na: " + b"a" * 2 * HEAD_LIMIT_BYTES)
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
        await asyncio.get_running_loop().sock_sendall(caller, b"GET / HTTP/1.1\r\n\r\n")
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


async def test_a_caller_who_takes_nothing_is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose kernel answers every probe: what was written for it would lie here for as long as it likes."""
    assert protocol.UNTAKEN_LIMIT_S == 30
    monkeypatch.setattr(protocol, "UNTAKEN_LIMIT_S", 0.5)
    app = Endless()
    async with serving(app) as port:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.setblocking(False)
        await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", port))
        await asyncio.get_running_loop().sock_sendall(caller, b"GET / HTTP/1.1\r\n\r\n")

        await asyncio.wait_for(app.left.wait(), 20)

        caller.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
async def test_a_line_that_vanished_without_a_word_is_noticed(family: socket.AddressFamily) -> None:
    """Half a minute after its last sign of life, and not in two hours. Unix sockets cannot vanish."""
    settings = uvicorn.Config(Echo(), ws="none", lifespan="off", log_config=None)
    settings.load()
    with socket.socket(family) as accepted:

        class Transport(asyncio.Transport):
            def get_extra_info(self, name: str, default: object = None) -> object:
                return accepted if name == "socket" else default

        GateProtocol(settings, uvicorn.server.ServerState(), {}).connection_made(Transport())

        is_tcp = family is not socket.AF_UNIX
        assert bool(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is is_tcp
        if is_tcp:
            set_to = {
                option: accepted.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    *(socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL),
                    *(socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT),
                )
            }
            assert list(set_to.values()) == [15, 5, 3, 30_000]
