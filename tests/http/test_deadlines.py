"""A connection may be slow, but not for ever; there may be many, but not any number."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.http.wire import Echo, Gatehouse, Line, a_line, bearer, denying, serving
from tidegate.core.reasons import Reason
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.testing.clock import HandClock, until

PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n"
LONG: dict[str, Any] = {"head_s": 60.0, "body_s": 60.0, "idle_s": 60.0, "body_bytes_per_s": 1.0}


def table(**changed: Any) -> Connections:
    """Only what is named is short."""
    return Connections(ConnectionPlan(**{**LONG, **changed}))


async def drip(line: Line, piece: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await line.send(piece)
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def dripping(line: Line, piece: bytes) -> Any:
    task = asyncio.ensure_future(drip(line, piece))
    try:
        yield
    finally:
        task.cancel()


@pytest.mark.parametrize("is_fresh", [True, False], ids=["new", "kept"])
async def test_a_head_that_does_not_end_is_given_up_however_it_drips(is_fresh: bool) -> None:
    house = Gatehouse()
    async with serving(Echo(), house.guard, table(head_s=0.3)) as port, a_line(port) as line:
        if not is_fresh:
            await line.send(PAGE)
            await line.answer()
        await line.send(b"GET / HTTP/1.1\r\nhost: x\r\na: ")
        async with dripping(line, b"a"):
            given_up = await line.answer()

    assert given_up.status == 408
    assert given_up.headers["connection"] == "close"
    assert house.reasons == [Reason.REQUEST_TIMEOUT]


@pytest.mark.parametrize("begin", [b"", PAGE, PAGE.replace(b"GET", b"PUT")], ids=["accept", "answer", "refusal"])
async def test_a_connection_without_a_request_is_closed_after_a_while(begin: bytes) -> None:
    """After it was accepted, after an answer and after a refusal alike."""
    plan = denying("127.0.0.0/8") if b"PUT" in begin else None
    async with serving(Echo(), Gatehouse(plan).guard, table(idle_s=0.3)) as port, a_line(port) as line:
        if begin:
            await line.send(begin)
            await line.answer()

        assert await line.is_ended()


async def test_a_body_slower_than_allowed_is_given_up_and_its_application_told() -> None:
    app, house = Echo(), Gatehouse()
    async with serving(app, house.guard, table(body_s=0.3, body_bytes_per_s=1e6)) as port, a_line(port) as line:
        await line.send(POST)
        async with dripping(line, b"b"):
            given_up = await line.answer()
        await asyncio.wait_for(app.left.wait(), 10)

    assert given_up.status == 408
    assert house.reasons == [Reason.REQUEST_TIMEOUT]


async def test_a_body_of_a_refused_request_may_not_drip_either() -> None:
    house = Gatehouse(denying("127.0.0.0/8"))
    async with serving(Echo(), house.guard, table(body_s=0.3, body_bytes_per_s=1e6)) as port, a_line(port) as line:
        await line.send(POST.replace(b"1000000", b"60000"))
        assert (await line.answer()).status == 403
        async with dripping(line, b"b"):
            assert await line.is_ended()


async def test_a_body_that_comes_as_fast_as_asked_may_take_its_time() -> None:
    app = Echo()
    async with (
        serving(app, Gatehouse().guard, table(body_s=0.1, body_bytes_per_s=100.0)) as port,
        a_line(port) as line,
    ):
        # Ahead by seconds of what is asked: this machine may be slow, too.
        await line.send(b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + b"b" * 1000)
        for _ in range(10):
            await asyncio.sleep(0.02)
            await line.send(b"b" * 100)

        assert (await line.answer()).body == b"/sign-in 2000"


async def test_an_answer_may_take_as_long_as_it_likes() -> None:
    app, clock = Echo(), HandClock()
    short = Connections(ConnectionPlan(head_s=0.1, body_s=0.1, idle_s=0.1, body_bytes_per_s=1e9), clock)
    async with serving(app, Gatehouse().guard, short) as port, a_line(port) as line:
        await line.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        clock.advance(3600.0)
        await asyncio.sleep(0.2)  # Some times as long as between two looks at what is overdue.
        app.let.set()

        assert (await line.answer()).status == 200


async def test_deadlines_change_while_connections_are_open() -> None:
    connections = table()
    async with serving(Echo(), Gatehouse().guard, connections) as port, a_line(port) as line:
        await line.send(PAGE)
        await line.answer()
        connections.plan = ConnectionPlan(**{**LONG, "idle_s": 0.1})

        assert await line.is_ended()


async def test_beyond_the_number_the_one_that_was_longest_without_a_request_goes() -> None:
    app, connections = Echo(), table(connections=3)
    async with (
        serving(app, Gatehouse().guard, connections) as port,
        a_line(port) as busy,
        a_line(port) as oldest,
        a_line(port) as younger,
    ):
        await busy.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await oldest.send(PAGE)
        await oldest.answer()
        await younger.send(PAGE)
        await younger.answer()
        async with a_line(port) as newest:
            await newest.send(PAGE)
            assert (await newest.answer()).status == 200
            assert await oldest.is_ended()
            await younger.send(PAGE)
            assert (await younger.answer()).status == 200
        app.let.set()
        assert (await busy.answer()).status == 200
        await until(lambda: connections.open == 2)


async def test_strangers_without_a_request_go_before_known_people() -> None:
    app, connections, house = Echo(), table(connections=2), Gatehouse()
    house.guard._gate._register.standing = lambda principal, now: "established"  # type: ignore[method-assign,assignment,return-value]
    async with serving(app, house.guard, connections) as port, a_line(port) as known, a_line(port) as stranger:
        await known.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + bearer() + b"\r\n")
        await known.answer()
        await stranger.send(PAGE)
        await stranger.answer()
        async with a_line(port) as newest:
            await newest.send(PAGE)
            assert (await newest.answer()).status == 200
            assert await stranger.is_ended()
            await known.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + bearer() + b"\r\n")
            assert (await known.answer()).status == 200


async def test_strangers_who_are_slow_to_send_make_room() -> None:
    connections = table(connections=1)
    async with serving(Echo(), Gatehouse().guard, connections) as port, a_line(port) as slow:
        await slow.send(POST)
        async with a_line(port) as newest:
            await newest.send(PAGE)
            assert (await newest.answer()).status == 200
            assert await slow.is_ended()


async def test_a_strangers_stream_makes_room_for_who_comes() -> None:
    """Accounts are free, and so are their streams: they must not be what keeps a known person out."""
    app, connections = Echo(), table(connections=2)
    async with serving(app, Gatehouse().guard, connections) as port, a_line(port) as longest, a_line(port) as later:
        for line in (longest, later):
            app.begun.clear()
            await line.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n" + bearer() + b"\r\n")
            await asyncio.wait_for(app.begun.wait(), 10)
        async with a_line(port) as newest:
            await newest.send(PAGE)
            assert (await newest.answer()).status == 200
            assert await longest.is_ended()
        app.let.set()
        assert (await later.answer()).status == 200


async def test_who_comes_while_all_are_known_people_who_are_being_answered_is_closed() -> None:
    house, app, connections = Gatehouse(), Echo(), table(connections=1)
    house.knows(1)
    async with serving(app, house.guard, connections) as port, a_line(port) as busy:
        await busy.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n" + bearer(1) + b"\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        with contextlib.suppress(ConnectionError):
            async with a_line(port) as newest:
                assert await newest.is_ended()
        app.let.set()
        assert (await busy.answer()).status == 200


async def test_an_address_with_too_many_connections_is_told_so_unless_it_holds_a_key() -> None:
    house, connections = Gatehouse(), table(connections_per_address=1)
    async with serving(Echo(), house.guard, connections) as port, a_line(port) as first:
        await first.send(PAGE)
        assert (await first.answer()).status == 200
        async with a_line(port) as second, a_line(port) as third, a_line(port, local="127.0.0.2") as other:
            await second.send(PAGE)
            refused = await second.answer()
            assert refused.status == 429
            assert b"too_many_connections" in refused.body
            assert await second.is_ended()
            await third.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n" + bearer() + b"\r\n")
            assert (await third.answer()).status == 200
            await other.send(PAGE)
            assert (await other.answer()).status == 200

    assert house.reasons == [Reason.TOO_MANY_CONNECTIONS]


async def test_the_connections_of_a_trusted_proxy_are_not_counted() -> None:
    house, connections = Gatehouse(trusted=("127.0.0.1",)), table(connections_per_address=1)
    async with serving(Echo(), house.guard, connections) as port, a_line(port) as first, a_line(port) as second:
        for line in (first, second):
            await line.send(PAGE)
            assert (await line.answer()).status == 200


async def test_what_was_counted_for_an_address_is_forgotten_with_the_connection() -> None:
    connections = table(connections_per_address=1)
    async with serving(Echo(), Gatehouse().guard, connections) as port:
        for _ in range(3):
            async with a_line(port) as line:
                await line.send(PAGE)
                assert (await line.answer()).status == 200
            await until(lambda: connections.open == 0)
        assert connections._addresses == {}
