"""An answer that the application gives before the body has come arrives, though the caller is still sending."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

import pytest

from tests.http.conftest import Service
from tests.http.wire import SERVER_KEYS, Answered, Echo, Gatehouse, Line, a_line, bearer, serving
from tidegate.http import bodies
from tidegate.http.gate.connections import LINGER_S, ConnectionPlan, Connections
from tidegate.http.gate.protocol import GateProtocol
from tidegate.http.gate.timed import DISCARDED_BYTES
from tidegate.testing.clock import until

BODY = b"b" * 1_000_000


def head(path: str, more: bytes = b"", size: int = len(BODY)) -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n" % (path.encode(), size, more)


async def write_then_read(line: Line, *pieces: bytes) -> Answered:
    """As most clients do: they read when all is written, or when no more can be."""
    await line.send(*pieces)
    return await line.answer()


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/nothing/here", b"", 404),
        ("/v1/models", b"genuine", 405),
        ("/v1/chat/completions", b"revoked", 401),
        ("/sign-in", b"", 403),
        ("/v1/chat/completions", b"genuine", 413),
    ],
)
async def test_a_caller_who_sends_a_megabyte_to_be_refused_reads_why(
    service: Service, monkeypatch: pytest.MonkeyPatch, path: str, key: bytes, status: int
) -> None:
    """Closed at once the connection would be reset, and the answer destroyed on its way (RFC 9112 section 9.6)."""
    monkeypatch.setattr(bodies, "_DISCARDING_S", 0.01)
    genuine = b"authorization: Bearer %b\r\n" % service.key.encode()
    shown = {b"genuine": genuine, b"revoked": bearer(7), b"": b""}[key]
    assert service.keys == SERVER_KEYS
    connections = Connections(ConnectionPlan())
    size = 40_000_000 if status == 413 else len(BODY)
    async with serving(service.apps.public, Gatehouse().guard, connections) as port, a_line(port) as line:
        await line.send(head(path, shown, size), BODY[:1000])
        answered = await line.answer()
        assert answered.status == status
        assert answered.headers["connection"] == "close"
        # What it was about to write when the answer came.
        await line.send(*[BODY[:DISCARDED_BYTES]] * 2)
        assert await line.rest() == b""


async def test_who_reads_only_when_all_is_written_reads_the_answer_too() -> None:
    """More than is read of it waits in the kernel, and no reset takes the answer away meanwhile."""
    connections, loop = Connections(ConnectionPlan()), asyncio.get_running_loop()
    async with serving(Refusing(CLOSING), Gatehouse().guard, connections) as port:
        with socket.socket() as caller:
            caller.setblocking(False)
            await loop.sock_connect(caller, ("127.0.0.1", port))
            await loop.sock_sendall(caller, head("/a") + BODY[:1000])
            await until(lambda: bool(connections._leaving))
            (connection,) = connections._leaving
            await loop.sock_sendall(caller, BODY[: 2 * DISCARDED_BYTES])
            await until(lambda: connection.body_bytes > DISCARDED_BYTES)
            await loop.sock_sendall(caller, BODY[:DISCARDED_BYTES])

            assert not cast("GateProtocol", connection).transport.is_closing()
            assert (await loop.sock_recv(caller, 4096)).startswith(b"HTTP/1.1 404 ")


class Refusing:
    """Answers at once, whatever comes; and lets its connection go on, unless told otherwise."""

    def __init__(self, more: list[tuple[bytes, bytes]]) -> None:
        self.headers = [(b"content-length", b"2"), *more]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 404, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"no"})


CLOSING = [(b"connection", b"close")]


async def test_a_short_rest_of_an_answered_body_is_read_and_the_connection_goes_on() -> None:
    connections = Connections(ConnectionPlan())
    async with serving(Refusing([]), Gatehouse().guard, connections) as port, a_line(port) as line:
        for _ in range(3):
            await line.send(head("/a", size=DISCARDED_BYTES), BODY[:1000])
            assert (await line.answer()).status == 404
            await line.send(BODY[: DISCARDED_BYTES - 1000])


async def test_a_long_rest_of_an_answered_body_is_not_read() -> None:
    """The answer is the last one then, and stays readable."""
    connections = Connections(ConnectionPlan())
    async with serving(Refusing([]), Gatehouse().guard, connections) as port, a_line(port) as line:
        await line.send(head("/a", size=1 << 40), BODY[:1000])
        assert (await line.answer()).status == 404
        await line.send(BODY[:DISCARDED_BYTES], BODY[:1000])
        assert await line.rest() == b""
        with pytest.raises(ConnectionError):
            await line.send(*[BODY] * 1000)
        await until(lambda: connections.open == 0)


async def test_nobody_is_read_from_for_long_after_a_last_answer() -> None:
    connections = Connections(ConnectionPlan())
    async with serving(Refusing(CLOSING), Gatehouse().guard, connections) as port, a_line(port) as line:
        begun_at = asyncio.get_running_loop().time()
        assert (await write_then_read(line, head("/a", size=1 << 40), BODY[:1000])).status == 404
        with pytest.raises(ConnectionError):
            await line.send(*[BODY] * 1000)
        assert asyncio.get_running_loop().time() - begun_at < 10 * LINGER_S
        await until(lambda: connections.open == 0)


async def test_an_application_that_breaks_in_the_middle_of_a_body_closes_its_connection() -> None:
    async def breaking(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})

    connections = Connections(ConnectionPlan(body_s=60.0))
    async with serving(breaking, Gatehouse().guard, connections) as port, a_line(port) as line:
        await line.send(head("/a"), BODY[:1000])
        await until(lambda: connections.open == 0)


async def test_an_answer_to_a_whole_body_closes_at_once_when_it_is_the_last() -> None:
    connections = Connections(ConnectionPlan())
    async with serving(Echo(), Gatehouse().guard, connections) as port, a_line(port) as line:
        await line.send(head("/a", b"connection: close\r\n"), BODY)
        assert (await line.answer()).status == 200
        assert await line.is_ended()
        await until(lambda: connections.open == 0)
