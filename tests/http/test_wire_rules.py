"""What a refusal does to its connection, one rule at a time, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket

import pytest

from tests.http.wire import SPENT, Echo, Gatehouse, a_line, bearer, denying, serving
from tidegate.core.admission.facts import Passed
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.http.gate.protocol import SKIPPED_FROM_BYTES
from tidegate.testing.clock import until

PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"


def table() -> Connections:
    return Connections(ConnectionPlan())


async def test_a_refused_request_reaches_nobody_and_its_connection_goes_on() -> None:
    app, house = Echo(), Gatehouse(SPENT)
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(PAGE)
        assert (await line.answer()).status == 200
        for _ in range(3):
            await line.send(PAGE)
            refused = await line.answer()

            assert refused.status == 429
            assert json.loads(refused.body)["error"]["code"] == "slow_down"
            assert "connection" not in refused.headers

    assert app.paths == ["/"]
    assert house.reasons == [Reason.SLOW_DOWN] * 3


async def test_a_wait_is_told_in_all_three_ways_and_is_long_enough() -> None:
    house = Gatehouse(SPENT)
    async with serving(Echo(), house.guard, table()) as port, a_line(port) as line:
        await line.send(PAGE)
        await line.answer()
        await line.send(PAGE)
        refused = await line.answer()

    assert int(refused.headers["retry-after"]) >= 1000
    assert int(refused.headers["retry-after-ms"]) >= 1_000_000
    assert f"again in {refused.headers['retry-after']} s." in json.loads(refused.body)["error"]["message"]
    assert refused.headers["x-request-id"].startswith("req_")
    assert refused.headers["cache-control"] == "no-store"


async def test_who_asks_for_a_page_gets_one_that_needs_nothing_else() -> None:
    house = Gatehouse(denying("127.0.0.0/8"))
    async with serving(Echo(), house.guard, table()) as port, a_line(port) as line:
        await line.send(b"GET / HTTP/1.1\r\nhost: x\r\naccept: text/html,*/*\r\n\r\n")
        page = await line.answer()

        assert page.status == 403
        assert page.headers["content-type"].startswith("text/html")
        assert b"source_blocked" in page.body
        assert b"http" not in page.body.replace(b"http-equiv", b"")
        assert "style-src 'sha256-" in page.headers["content-security-policy"]


async def test_head_is_told_the_same_without_the_body() -> None:
    house = Gatehouse(denying("127.0.0.0/8"))
    async with serving(Echo(), house.guard, table()) as port, a_line(port) as line:
        await line.send(PAGE)
        whole = await line.answer()
        await line.send(PAGE.replace(b"GET", b"HEAD"))
        head = await line.answer(to_head=True)
        await line.send(PAGE)

        assert head.headers["content-length"] == whole.headers["content-length"]
        assert (await line.answer()).body == whole.body


async def test_a_body_of_a_refused_request_is_read_and_not_kept() -> None:
    app, house = Echo(), Gatehouse(denying("127.0.0.0/8"))
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        for _ in range(3):
            await line.send(b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 65536\r\n\r\n")
            assert (await line.answer()).status == 403  # Before the body: nobody waits for it.
            await line.send(b"b" * 30000, b"b" * 35536)
        await line.send(PAGE)

        assert (await line.answer()).status == 403
    assert not app.paths


@pytest.mark.parametrize("size_bytes", [SKIPPED_FROM_BYTES - 1, SKIPPED_FROM_BYTES, 20000])
@pytest.mark.parametrize("cut_at", [None, 0, 5, SKIPPED_FROM_BYTES - 1, 10000], ids=str)
async def test_a_refused_body_ends_where_it_says_and_what_follows_is_the_next_request(
    size_bytes: int, cut_at: int | None
) -> None:
    """However it is cut: looks like a request within it is none, and nothing behind it is lost."""
    app, house = Echo(), Gatehouse(denying("127.0.0.0/8"))
    head = b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size_bytes
    body = (b"\r\n\r\n" + ASK + bearer() + b"\r\n").ljust(size_bytes, b"b")
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        for number in range(3):
            if cut_at is None:
                await line.send(head + body)
            else:
                await line.send(head + body[:cut_at])
                await until(functools.partial(_has_refused, house, number + 1))
                await line.send(body[cut_at:])
            assert (await line.answer()).status == 403
        await line.send(ASK + bearer() + b"content-length: 2\r\n\r\n{}")

        assert (await line.answer()).status == 200
    assert len(house.reasons) == 3
    assert app.paths == ["/v1/chat/completions"]


async def test_a_large_refused_body_in_one_piece_with_another_request_is_pipelining_too() -> None:
    app, house = Echo(), Gatehouse(denying("127.0.0.0/8"))
    large = b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 8000\r\n\r\n" + b"b" * 8000
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(large + ASK + bearer() + b"\r\n")

        assert (await line.answer()).status == 403
        assert await line.is_ended()
    assert app.paths == []


async def test_the_rest_of_a_large_refused_body_and_the_next_request_may_come_in_one_piece() -> None:
    app, house = Echo(), Gatehouse(denying("127.0.0.0/8"))
    large = b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 8000\r\n\r\n" + b"b" * 8000
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(large[:5000])
        assert (await line.answer()).status == 403
        await line.send(large[5000:] + ASK + bearer() + b"content-length: 2\r\n\r\n{}")

        assert (await line.answer()).status == 200
    assert app.paths == ["/v1/chat/completions"]


def _has_refused(house: Gatehouse, count: int) -> bool:
    return len(house.reasons) >= count


@pytest.mark.parametrize(
    "fields",
    [
        b"expect: 100-continue\r\ncontent-length: 10\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-length: 65537\r\n",
        b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n",
        b"connection: close\r\n",
    ],
    ids=["expect", "chunked", "large", "upgrade", "close"],
)
async def test_a_refusal_after_which_nobody_knows_what_comes_is_the_last_word(fields: bytes) -> None:
    app, house = Echo(), Gatehouse(denying("127.0.0.0/8"))
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(b"POST /sign-in HTTP/1.1\r\nhost: x\r\n" + fields + b"\r\n")
        refused = await line.answer()

        assert refused.status == 403
        assert refused.headers["connection"] == "close"
        assert await line.is_ended()
    assert not app.paths


async def test_an_old_client_is_answered_once() -> None:
    house = Gatehouse(denying("127.0.0.0/8"))
    async with serving(Echo(), house.guard, table()) as port, a_line(port) as line:
        await line.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")

        assert (await line.answer()).headers["connection"] == "close"
        assert await line.is_ended()


async def test_the_last_word_arrives_although_the_caller_is_still_sending() -> None:
    """Closing at once would reset the connection and destroy it; what is sent on is bounded."""
    house, connections = Gatehouse(denying("127.0.0.0/8")), table()
    async with serving(Echo(), house.guard, connections) as port, a_line(port) as line:
        await line.send(b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000\r\n\r\n" + b"b" * 20000)
        await until(lambda: house.reasons == [Reason.SOURCE_BLOCKED])
        await line.send(b"b" * 20000)

        assert (await line.answer()).status == 403
        with pytest.raises(ConnectionError):
            await line.send(*(b"b" * 65536 for _ in range(1000)))
        await until(lambda: connections.open == 0)


async def test_an_answer_under_way_is_not_overtaken_by_a_refusal_and_is_the_last() -> None:
    app, house = Echo(), Gatehouse(SPENT)
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        await line.send(PAGE)
        app.let.set()

        assert (await line.answer()).status == 200
        assert await line.is_ended()
    assert house.reasons == []


async def test_two_requests_in_one_piece_get_one_refusal() -> None:
    """A piece full of requests would keep everybody else waiting while they are refused one by one."""
    house = Gatehouse(denying("127.0.0.0/8"))
    async with serving(Echo(), house.guard, table()) as port, a_line(port) as line:
        await line.send(PAGE * 500)

        assert (await line.answer()).status == 403
        assert await line.is_ended()
    assert len(house.reasons) == 1


async def test_refusals_do_not_pile_up_for_a_caller_who_does_not_read() -> None:
    house, connections = Gatehouse(denying("127.0.0.0/8")), table()
    async with serving(Echo(), house.guard, connections) as port:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, ("127.0.0.1", port))
        # The body of one and the head of the next come in one piece: no pipelining, and an answer to each.
        request = b"POST /sign-in HTTP/1.1\r\nhost: x\r\naccept: text/html\r\ncontent-length: 1\r\n\r\n"
        await until(lambda: connections.open == 1)
        await loop.sock_sendall(caller, request)
        for number in range(1000):
            await until(functools.partial(_is_answered, house, connections, number + 1))
            if connections.open == 0:
                break
            with contextlib.suppress(ConnectionError):
                await loop.sock_sendall(caller, b"b" + request)
        assert connections.open == 0
        caller.close()
    assert len(house.reasons) < 1000


def _is_answered(house: Gatehouse, connections: Connections, count: int) -> bool:
    return len(house.reasons) >= count or connections.open == 0


async def test_a_caller_who_leaves_is_seen_while_being_served() -> None:
    app, house = Echo(), Gatehouse()
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(b"GET /?wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.wait_for(app.begun.wait(), 10)
        line.writer.transport.abort()

        await asyncio.wait_for(app.left.wait(), 5)


async def test_a_genuine_key_is_let_in_from_an_address_that_has_spent_everything() -> None:
    app, house = Echo(), Gatehouse(SPENT)
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        for _ in range(5):
            await line.send(PAGE)
            await line.answer()
        for _ in range(5):
            await line.send(ASK + bearer() + b"content-length: 2\r\n\r\n{}")
            assert (await line.answer()).status == 200

    assert app.paths.count("/v1/chat/completions") == 5


async def test_the_application_is_told_who_came_and_how_it_was_decided() -> None:
    app, house = Echo(), Gatehouse(trusted=("127.0.0.1",))
    async with serving(app, house.guard, table()) as port, a_line(port) as line:
        await line.send(ASK + bearer() + b"x-forwarded-for: 192.0.2.1, 198.51.100.7\r\ncontent-length: 2\r\n\r\n{}")
        await line.answer()
    async with serving(app, Gatehouse().guard, table()) as port, a_line(port) as line:
        await line.send(PAGE)
        await line.answer()
        own_port = line.writer.get_extra_info("sockname")[1]

    assert app.scopes[0]["client"] == ("198.51.100.7", 0)
    assert app.scopes[0]["state"]["gate"] == Passed(Standing.NEWCOMER)
    assert app.scopes[1]["client"] == ("127.0.0.1", own_port)
    assert app.scopes[1]["scheme"] == "http"
    assert app.scopes[1]["server"][0] == "127.0.0.1"


@pytest.mark.parametrize("table_of_it", [None, Connections(ConnectionPlan())], ids=["no table", "table"])
async def test_the_client_may_be_told_by_the_header_that_a_proxy_begins_with(table_of_it: Connections | None) -> None:
    app, house = Echo(), Gatehouse(trusted=("127.0.0.1",), expects_proxy_header=True)
    header = b"PROXY TCP4 203.0.113.9 10.0.0.1 4000 80\r\n"
    async with serving(app, house.guard, table_of_it) as port:
        for pieces in ([header + PAGE], [header, PAGE], [header[:9], header[9:] + PAGE[:4], PAGE[4:]]):
            async with a_line(port) as line:
                for piece in pieces:
                    await line.send(piece)
                assert (await line.answer()).status == 200
        async with a_line(port) as line:
            await line.send(PAGE)
            assert await line.is_ended()

    assert [scope["client"][0] for scope in app.scopes] == ["203.0.113.9"] * 3
