"""Bodies of strangers that are still coming are bounded together, and known people's do not suffer for them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.http.conftest import Service
from tests.http.wire import Echo, Gatehouse, Line, a_line, bearer, serving
from tidegate.core.admission.gate import GatePlan
from tidegate.core.events import RequestFinished
from tidegate.core.reasons import Reason
from tidegate.http.gate.connections import BODY, ConnectionPlan, Connections, Phase, Shelf
from tidegate.testing.clock import until

PIECE = b"b" * 16384
SUM_BYTES = 20 * len(PIECE)


def table(**changed: Any) -> Connections:
    plan = ConnectionPlan(head_s=60.0, body_s=60.0, idle_s=60.0, strangers_body_bytes=SUM_BYTES)
    return Connections(ConnectionPlan(**{**{name: getattr(plan, name) for name in plan.__struct_fields__}, **changed}))


def head(size: int, path: bytes = b"/a", more: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n" % (path, size, more)


async def half_send(line: Line, connections: Connections, pieces: int = 1) -> None:
    """Send a part of a long body and see it counted."""
    held_bytes = connections.held_bytes
    await line.send(head(1_000_000), *[PIECE] * pieces)
    await until(lambda: connections.held_bytes == held_bytes + pieces * len(PIECE))


async def test_half_sent_bodies_of_strangers_never_hold_more_than_their_sum() -> None:
    """Whoever would hold more is told that there is no room, and when there will be."""
    app, house, connections = Echo(), Gatehouse(GatePlan(address_burst=1000)), table()
    async with serving(app, house.guard, connections) as port, contextlib.AsyncExitStack() as lines:
        held_bytes = []
        some = [await lines.enter_async_context(a_line(port)) for _ in range(4 * SUM_BYTES // len(PIECE))]
        for line in some:
            await line.send(head(1_000_000), PIECE)
            held_bytes.append(connections.held_bytes)
        await until(lambda: len(house.reasons) == 3 * SUM_BYTES // len(PIECE))
        refused = await some[-1].answer()

        assert max(held_bytes) <= connections.held_bytes == SUM_BYTES
        assert refused.status == 503
        assert b"server_is_overloaded" in refused.body
        assert refused.headers["connection"] == "close"
        assert refused.headers["retry-after"] == "60"
        assert set(house.reasons) == {Reason.SERVER_IS_OVERLOADED}
        await asyncio.wait_for(app.left.wait(), 10)
    await until(lambda: connections.held_bytes == 0)


async def test_known_people_send_what_they_like_while_strangers_fill_their_sum() -> None:
    house, connections = Gatehouse(), table()
    house.knows(1)
    async with serving(Echo(), house.guard, connections) as port, a_line(port) as flood, a_line(port) as known:
        await half_send(flood, connections, 20)
        large = b"b" * 2 * SUM_BYTES
        await known.send(head(len(large), b"/v1/completions", bearer(1)), large)

        assert (await known.answer()).body.endswith(b" %d" % len(large))
        assert connections.held_bytes == SUM_BYTES
        assert house.reasons == []


async def test_whoever_holds_most_makes_room_for_who_sends_little() -> None:
    """Many large bodies that do not end keep no stranger with an ordinary one away."""
    house, connections = Gatehouse(), table()
    async with serving(Echo(), house.guard, connections) as port, contextlib.AsyncExitStack() as lines:
        large, larger, largest = [await lines.enter_async_context(a_line(port)) for _ in range(3)]
        await half_send(large, connections, 4)
        await half_send(largest, connections, 9)
        await half_send(larger, connections, 7)
        async with a_line(port) as small:
            await small.send(head(2 * len(PIECE)), PIECE, PIECE)

            assert (await small.answer()).status == 200
        assert (await largest.answer()).status == 503
        await until(lambda: connections.held_bytes == 11 * len(PIECE))
        assert len(house.reasons) == 1


@pytest.mark.parametrize("ending", ["complete", "left", "late", "malformed", "answered"])
async def test_what_a_body_held_is_given_back_however_it_ends(ending: str) -> None:
    connections = table(**({"body_s": 0.3, "body_bytes_per_s": 1e9} if ending == "late" else {}))
    house = Gatehouse()

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    app = refusing if ending == "answered" else Echo()
    async with serving(app, house.guard, connections) as port:
        for _ in range(2):
            async with a_line(port) as line:
                if ending == "malformed":
                    await line.send(head(0).replace(b"content-length: 0", b"transfer-encoding: chunked"))
                    await line.send(b"4000\r\n", PIECE)
                    await until(lambda: connections.held_bytes == len(PIECE))
                    await line.send(b"no end of a piece")
                elif ending == "answered":
                    await line.send(head(2 * len(PIECE)), PIECE)
                    assert (await line.answer()).status == 404
                else:
                    await line.send(head(2 * len(PIECE)), PIECE)
                    await until(lambda: connections.held_bytes == len(PIECE))
                if ending == "complete":
                    await line.send(PIECE)
                    assert (await line.answer()).status == 200
                elif ending == "late":
                    assert (await line.answer()).status == 408
                if ending != "left":
                    await until(lambda: connections.held_bytes == 0)
            await until(lambda: connections.open == 0)
            assert connections.held_bytes == 0


async def test_the_sum_can_be_lowered_while_bodies_come() -> None:
    connections = table()
    async with serving(Echo(), Gatehouse().guard, connections) as port, contextlib.AsyncExitStack() as lines:
        some = [await lines.enter_async_context(a_line(port)) for _ in range(4)]
        for line in some:
            await half_send(line, connections, 2)
        connections.plan = ConnectionPlan(strangers_body_bytes=4 * len(PIECE))
        await some[0].send(PIECE)

        await until(lambda: connections.held_bytes == 4 * len(PIECE))


class Sending:
    """A connection whose body comes, and whose socket takes its time to close."""

    phase: Phase = BODY
    since = 0.0
    body_bytes = held_bytes = 0
    is_fresh = is_known = is_extra = False
    shelf: Shelf | None = None
    counted_as: bytes | None = None

    def __init__(self) -> None:
        self.ended: list[str] = []

    def is_held_up(self) -> bool:
        return False

    def time_out(self) -> None:
        self.ended.append("timed out")

    def crowd_out(self) -> None:
        self.ended.append("crowded out")

    def drop(self) -> None:
        self.ended.append("dropped")


async def test_who_made_room_for_somebody_counts_no_more_however_long_its_socket_takes() -> None:
    connections = table(connections=1)
    first, second = Sending(), Sending()
    connections.enter(first)
    connections.place(first)
    connections.hold(first, SUM_BYTES)

    assert connections.enter(second)
    assert (first.ended, connections.held_bytes) == (["dropped"], 0)
    connections.place(second)
    connections.hold(second, SUM_BYTES)
    assert second.ended == []
    for gone in (first, second):
        connections.leave(gone)
    assert (connections.open, connections.held_bytes) == (0, 0)


@pytest.mark.parametrize("sizes", [[1] * 7, [5, 1, 1], [1, 9, 2, 9], [20, 20, 20], [3, 3, 3, 3]])
def test_nobody_goes_who_holds_no_more_than_a_fair_part(sizes: list[int]) -> None:
    """Whatever the others do: beyond the sum at least one of so many holds more than the sum divided by them."""
    connections = table(strangers_body_bytes=10)
    some = [Sending() for _ in sizes]
    for one, size in zip(some, sizes, strict=True):
        connections.place(one)
        for _ in range(size):
            connections.hold(one, 1)
            assert connections.held_bytes <= 10
            if one.ended:
                break

    assert connections.held_bytes == sum(one.held_bytes for one in some)
    for one, size in zip(some, sizes, strict=True):
        assert not one.ended or size > 10 / len(sizes)


@pytest.mark.parametrize(
    ("changed", "reason", "status"),
    [
        ({"body_s": 0.3, "body_bytes_per_s": 1e9}, Reason.REQUEST_TIMEOUT, 408),
        ({"strangers_body_bytes": 100}, Reason.SERVER_IS_OVERLOADED, 503),
    ],
    ids=["slow", "crowded"],
)
async def test_a_body_that_the_server_ended_is_not_journaled_as_a_caller_who_left(
    service: Service, changed: dict[str, Any], reason: Reason, status: int
) -> None:
    house = Gatehouse()
    async with serving(service.apps.public, house.guard, table(**changed)) as port, a_line(port) as line:
        key = b"authorization: Bearer %b\r\n" % service.key.encode()
        await line.send(head(5000, b"/v1/chat/completions", key) + b" " * 1000)
        assert (await line.answer()).status == status
        await until(lambda: bool(service.journal.of(RequestFinished)))

    assert (service.finished().reason, service.finished().status) == (reason, status)
    assert service.finished().abandoned is None
    assert (await service.chat()).status == 200
