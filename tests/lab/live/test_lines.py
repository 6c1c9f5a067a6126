"""Connections of the live world, against a server that keeps to a script."""

from __future__ import annotations

import asyncio

import pytest

from tests.lab.live.scripted import ASKED, CLOSE, OK, asked, scripted
from tidegate.lab.live import lines as room
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lines import Lines, Request


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_7\r\n"
    head += b"transfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


TOLD = chunked(
    b": waiting position=3 eta_s=12\n\n",
    b': reading prompt 10/20\n\ndata: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"ti"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"de"},"finish_reason":"length"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}\n\ndata: [DONE]\n\n',
)


def assert_told(heard: Heard) -> None:
    assert (heard.status, heard.request_id, heard.is_whole, heard.is_cut) == (200, "req_7", True, False)
    assert ("".join(heard.text), heard.finish, heard.promised_s) == ("tide", "length", 12.0)
    assert heard.usage is not None
    assert (heard.usage.prompt_tokens, heard.usage.cached_tokens, heard.usage.completion_tokens) == (9, 4, 2)
    assert len(heard.arrived) == 2
    assert heard.first_s is not None


async def test_a_stream_reads_the_same_wherever_the_network_splits_it() -> None:
    for at in range(1, len(TOLD), 3):
        async with scripted([TOLD[:at], TOLD[at:]]) as (_, lines):
            assert_told(await asked(lines))


async def test_a_stream_reads_the_same_byte_by_byte() -> None:
    async with scripted([TOLD[at : at + 1] for at in range(len(TOLD))]) as (_, lines):
        assert_told(await asked(lines))


async def test_requests_come_from_the_address_they_are_bound_to_and_share_its_connection() -> None:
    async with scripted([OK], [OK], [OK]) as (server, lines):
        first = await asked(lines, "127.3.4.5")
        second = await asked(lines, "127.3.4.5")
        third = await asked(lines, "127.3.4.6")

    assert [heard.body for heard in (first, second, third)] == [b"ok"] * 3
    assert server.peers == ["127.3.4.5", "127.3.4.6"]
    assert (lines.requests, lines.opened) == (3, 2)


async def test_a_connection_that_the_server_ends_with_its_answer_is_not_used_again() -> None:
    last = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with scripted([last], [OK]) as (server, lines):
        assert (await asked(lines)).is_whole
        assert (await asked(lines)).is_whole

    assert len(server.peers) == 2


async def test_what_a_kept_connection_was_closed_under_is_asked_once_more() -> None:
    async with scripted([OK], [CLOSE], [OK]) as (server, lines):
        await asked(lines)
        heard = await asked(lines)

    assert (heard.status, server.requests) == (200, 3)


async def test_a_connection_that_is_lost_before_or_within_an_answer_is_told_as_such() -> None:
    async with scripted([CLOSE], [OK[:-1], CLOSE]) as (_, lines):
        without, within = await asked(lines), await asked(lines)

    assert (without.status, without.is_whole) == (0, False)
    assert (within.status, within.is_whole) == (200, False)


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n\r\n", TOLD.replace(b'"ti"', b'"ti')])
async def test_what_is_no_answer_ends_the_connection(garbage: bytes) -> None:
    async with scripted([garbage]) as (_, lines):
        assert not (await asked(lines)).is_whole


async def test_words_that_nobody_asked_for_end_the_connection() -> None:
    async with scripted([OK, OK], [OK]) as (server, lines):
        await asked(lines)
        while lines.busy:  # noqa: ASYNC110 - the loop's next turns
            await asyncio.sleep(0)
        await asked(lines)

    assert len(server.peers) == 2


async def test_an_interim_answer_is_not_the_answer() -> None:
    async with scripted([b"HTTP/1.1 100 Continue\r\n\r\n", OK]) as (_, lines):
        assert (await asked(lines)).status == 200


async def test_who_hears_nothing_for_as_long_as_they_are_patient_leaves() -> None:
    async with scripted([]) as (_, lines):
        heard = await asked(lines, patience_s=0.02)

    assert (heard.status, heard.is_whole) == (0, False)


async def test_an_answer_that_has_begun_has_until_its_limit_and_not_longer() -> None:
    async with scripted([TOLD[:-40]]) as (_, lines):
        heard = await asked(lines, patience_s=0.6, limit_s=1.0)

    assert len(heard.arrived) == 2
    assert 1.0 <= heard.ended_at - heard.asked_at < 5.0


async def test_beyond_the_most_connections_the_longest_idle_one_gives_way() -> None:
    async with scripted([OK], [OK], [OK], most=2) as (_, lines):
        for number in (1, 2, 3):
            await asked(lines, f"127.1.0.{number}")
        assert lines.busy == 2
    assert lines.most_open <= 2


async def test_where_none_is_idle_requests_wait_for_a_connection_in_their_order() -> None:
    async with scripted([OK], [OK], [OK], most=1) as (server, lines):
        first = asked(lines, "127.1.0.1")
        others = [asked(lines, "127.1.0.1"), asked(lines, "127.1.0.2")]
        assert lines.waiting == 2
        heard = [await first, *(await asyncio.gather(*others))]

    assert [one.status for one in heard] == [200, 200, 200]
    assert server.peers == ["127.1.0.1", "127.1.0.2"]
    assert heard[1].began_at > heard[1].asked_at


async def test_who_waits_for_a_connection_that_fails_gets_its_room() -> None:
    async with scripted([OK], most=1) as (_, lines):
        first, second = asked(lines, "203.0.113.7"), asked(lines)  # The first is no address of this machine.

        assert (await first).status == 0
        assert (await second).status == 200


async def test_who_waits_too_long_for_a_connection_leaves() -> None:
    async with scripted([], most=1) as (_, lines):
        first = asked(lines)
        heard = await asked(lines, "127.1.0.2", patience_s=0.02)
        assert not first.done()

    assert (heard.status, heard.is_whole) == (0, False)


async def test_closing_tells_everybody_that_there_is_no_answer() -> None:
    async with scripted([OK], [], most=2) as (_, lines):
        await asked(lines)
        pending = [asked(lines, f"127.1.0.{number}") for number in (1, 2, 3)]
        await asyncio.sleep(0)
        await lines.close()
        late = asked(lines)

        assert [(await one).is_whole for one in (*pending, late)] == [False] * 4


async def test_a_caller_may_leave_in_the_middle() -> None:
    async with scripted([TOLD[:-40]]) as (_, lines):
        over: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        request = Request(ASKED, "127.1.0.1", over.set_result)
        lines.cut(request)  # Nothing is asked yet.
        lines.ask(request)
        while not lines._open:  # noqa: ASYNC110 - the loop's next turns
            await asyncio.sleep(0)
        lines.cut(request)

        assert not (await over).is_whole


async def test_nothing_listens() -> None:
    lines = Lines(1)
    heard = await asked(lines)
    await lines.close()

    assert heard.status == 0


async def test_a_request_on_a_closed_kept_connection_fails_once_everything_is_closed() -> None:
    async with scripted([OK]) as (_, lines):
        await asked(lines)
        over = asked(lines)
        lines._is_closed = True

        for line in list(lines._open):
            line.cut()
        assert not (await over).is_whole


def test_deadlines_are_looked_at_often_enough_for_people() -> None:
    assert room.LOOK_EVERY_S <= 0.1
