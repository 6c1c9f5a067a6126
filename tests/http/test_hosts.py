"""A request says which host it is for, once (RFC 9112 section 3.2): two readers of two names are one too many."""

from __future__ import annotations

import pytest

from tests.http.wire import CLOSE, SPENT, Echo, Gatehouse, a_line, serving, talk

VALID = [
    *(b"tide.example", b"tide.example:8080", b"TIDE.example.", b"127.0.0.1:80", b"[::1]", b"[2001:db8::1]:8080"),
    *(b"[v1.fe:ed]", b"a_b.example", b"xn--tide-5qa.example", b"%C3%A9.example", b"", b"tide:"),
]
INVALID = [
    *(b"tide example", b"tide.example/path", b"user@tide.example", b"tide.example:port", b"tide:80:80", b"::1"),
    *(b"[::1", b"tide.example, other.example", b"%zz", "tidé".encode(), b"[::1]x", b"http://tide.example"),
]


@pytest.mark.parametrize("host", VALID)
async def test_a_host_that_could_be_one_is_served(host: bytes) -> None:
    async with serving(Echo(), Gatehouse().guard) as port:
        answer = await talk(port, b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\n" + CLOSE + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "fields",
    [b"", b"host: a\r\nhost: b\r\n", b"host: a\r\nHost: a\r\n", *(b"host: " + host + b"\r\n" for host in INVALID)],
)
@pytest.mark.parametrize("is_guarded", [True, False])
async def test_a_request_for_no_host_or_two_or_none_there_could_be_is_refused(fields: bytes, is_guarded: bool) -> None:
    app = Echo()
    async with serving(app, Gatehouse().guard if is_guarded else None) as port:
        answer = await talk(port, b"GET /a HTTP/1.1\r\n" + fields + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert not app.paths


@pytest.mark.parametrize(("fields", "status"), [(b"", 200), (b"host: a\r\n", 200), (b"host: a\r\nhost: a\r\n", 400)])
async def test_an_old_client_need_not_name_a_host_but_must_not_name_two(fields: bytes, status: int) -> None:
    async with serving(Echo(), Gatehouse().guard) as port:
        answer = await talk(port, b"GET /a HTTP/1.0\r\n" + fields + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_requests_without_a_host_count_like_others() -> None:
    """Or a flood of them would cost a connection each, and no budget."""
    async with serving(Echo(), Gatehouse(SPENT).guard) as port:
        assert (await talk(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        async with a_line(port) as line:
            await line.send(b"GET / HTTP/1.1\r\n\r\n")

            assert (await line.answer()).status == 429


async def test_a_wish_for_another_protocol_hides_no_second_host() -> None:
    upgrade = b"connection: upgrade\r\nupgrade: h2c\r\n"
    async with serving(Echo(), Gatehouse().guard) as port:
        answer = await talk(port, b"GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n" + upgrade + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
