"""A plain request is refused as any other is: by the same judgement, in the same words, the same to the byte."""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple

import pytest
import uvicorn
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState

from tests.http.wire import Echo, Gatehouse, a_credential
from tidegate.core.admission.gate import GatePlan
from tidegate.core.credentials import ServerKeys
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.http.gate.heads import BODY_LIMIT_BYTES, FIELD_LIMIT, PLAIN_LIMIT_BYTES, Heads
from tidegate.http.gate.protocol import GateProtocol, guarded

PAGE = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
KEYLESS = PAGE.replace(b"GET /", b"GET /v1/models")
POST = PAGE.replace(b"GET /", b"POST /sign-in").replace(b"host", b"content-length: 5\r\nhost")
LAST = PAGE.replace(b"host", b"connection: close\r\nhost")
LAST_POST = POST.replace(b"host", b"connection: close\r\nhost")
CHUNKED = PAGE.replace(b"host", b"transfer-encoding: chunked\r\nhost")
UPGRADING = PAGE.replace(b"host", b"connection: upgrade\r\nupgrade: h2c\r\nhost")
OTHER_KEYS = ServerKeys(1, {1: b"z" * 32})
PLAN = GatePlan(address_rate=0.25, address_burst=1, account_address_rate=0.25, account_address_burst=1)


TURNS = 8
"""Of the loop: more than the application takes for an answer, or to begin waiting for a body."""


class Wire(asyncio.Transport):
    """Keeps what is done to it, in order."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4000), "sockname": ("192.0.2.1", 80)})
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def is_closing(self) -> bool:
        return "close" in self.done or "abort" in self.done

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def pause_reading(self) -> None:
        """Nothing reads."""

    def resume_reading(self) -> None:
        """Nothing reads."""


class Seen(NamedTuple):
    """Everything that can be seen of a connection from outside, and of what was counted for it."""

    done: list[bytes | str]
    paths: list[str]
    counted: object
    phase: object
    since: float
    is_fresh: bool


def _nameless(written: bytes | str) -> bytes | str:
    return re.sub(rb"req_[0-9a-f]{24}", b"req_", written) if isinstance(written, bytes) else written


class Connection:
    """One connection, spoken to piece by piece. With `is_quick` plain requests have their own way."""

    def __init__(
        self, *, is_quick: bool, most: int = 8, trusted: tuple[str, ...] = (), expects_proxy_header: bool = False
    ) -> None:
        self.house = Gatehouse(PLAN, trusted=trusted, expects_proxy_header=expects_proxy_header)
        self.app, self.wire = Echo(), Wire()
        # Times of this size are exact to far less than the millisecond that is told.
        self.house.now = 1000.0
        table = Connections(ConnectionPlan(connections_per_address=most), lambda: self.house.now)
        kind = guarded(self.house.guard, table)
        if not is_quick:
            kind.heads = None
        settings_ = uvicorn.Config(self.app, ws="none", lifespan="off", log_config=None)
        settings_.load()
        self.state = ServerState()
        self.protocol: GateProtocol = kind(settings_, self.state, {})
        self.protocol.connection_made(self.wire)

    async def take(self, piece: bytes) -> None:
        """Let a piece come, and what it leads to be done."""
        self.house.now += 0.25
        self.protocol.data_received(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def seen(self) -> Seen:
        protocol = self.protocol
        found = Seen(
            [_nameless(each) for each in self.wire.done],
            self.app.paths,
            self.house.counted,
            protocol.phase,
            0.0 if self.wire.is_closing() else protocol.since,
            protocol.is_fresh,
        )
        protocol.connection_lost(None)
        await asyncio.gather(*self.state.tasks)
        return found


async def both(*pieces: bytes, is_paused: bool = False, **settings_: Any) -> tuple[Seen, Seen]:
    quick, thorough = Connection(is_quick=True, **settings_), Connection(is_quick=False, **settings_)
    if is_paused:
        quick.protocol.pause_writing()
        thorough.protocol.pause_writing()
    for piece in pieces:
        await quick.take(piece)
        await thorough.take(piece)
    return await quick.seen(), await thorough.seen()


methods = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"M-SEARCH", b"get", b"", b"\r\nGET"])
addresses = st.sampled_from(
    [b"/", b"/sign-in", b"/v1/chat/completions", b"/healthz", b"/a%2f?b", b"*", b"http://x/", b"a b"]
)
versions = st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b""])
fields = st.sampled_from(
    [
        b"Host: x",
        b"host: y",
        b"accept: text/html",
        b"Origin: https://a.example",
        b"content-length: 0",
        b"Content-Length: 5",
        b"content-length: 5, 5",
        b"content-length: +5",
        b"content-length: 05",
        b"content-length: 70000",
        b"content-length: 99999999999999999999999",
        b"content-length : 5",
        b"transfer-encoding: chunked",
        b"transfer-encoding: x, chunked",
        b"expect: 100-continue",
        b"connection: close",
        b"Connection: Close",
        b"connection: keep-alive",
        b"connection: keep-alive, close",
        b"connection: upgrade\r\nupgrade: websocket",
        b"proxy-connection: close",
        b"upgrade: h2c",
        b" folded",
        b"\tfolded: x",
        b"bare: a\nhost: b",
        b"bare: a\rhost: b",
        b"nul: \0",
        b"nothing",
        b": nameless",
        b"a:",
        b"authorization: Bearer " + a_credential(),
        b"authorization: Bearer " + a_credential(keys=OTHER_KEYS),
        b"authorization: Basic x",
        b"cookie: tidegate-session=x",
        b"x-forwarded-for: 198.51.100.1",
        b"long: " + b"a" * PLAIN_LIMIT_BYTES,
    ]
)
bodies = st.sampled_from(
    [b""] * 6 + [b"hello", b"hell", b"hello!", b"5\r\nhello\r\n0\r\n\r\n", b"\r\n", b"a" * 6000, PAGE, b"GE"]
)
ends = st.sampled_from([b"\r\n\r\n"] * 8 + [b"\n\n", b"\r\n", b"\r\n \r\n\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, or something like it."""
    if draw(st.booleans()):
        return draw(
            st.sampled_from([PAGE, PAGE, LAST, POST, POST + b"hello", POST + b"hel", LAST_POST + b"he", CHUNKED])
        )
    line = b" ".join((draw(methods), draw(addresses), draw(versions)))
    return b"\r\n".join((line, *draw(st.lists(fields, max_size=4)))) + draw(ends) + draw(bodies)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """Some requests, cut into pieces anywhere or where they end."""
    sent = draw(st.lists(requests(), min_size=1, max_size=6))
    if draw(st.booleans()):
        return sent
    whole = b"".join(sent)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    return [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(conversations())
@example([PAGE, PAGE + b"GE", PAGE])
@example([KEYLESS])
@example([PAGE + b"GET /a HTTP/1.1\r\nfoo: ", KEYLESS, PAGE])
@example([PAGE, LAST, PAGE])
@example([PAGE, POST, b"hello", PAGE, POST + b"hel", b"lo" + PAGE, PAGE])
@example([PAGE, POST, b"hello" + PAGE[:9], PAGE[9:], PAGE])
@example([PAGE, LAST_POST, b"hel", b"lo", PAGE])
@example([PAGE, CHUNKED, b"0\r\n\r\n", PAGE])
@example([PAGE, b"\r\n" * 20000, PAGE, b"\r\n" * 20000, PAGE])
@example([PAGE, UPGRADING + PAGE + PAGE, PAGE])
@example([PAGE, PAGE, PAGE, b"\r\n", PAGE, b"\r\n" + PAGE, PAGE + b"\r\n", PAGE])
async def test_whatever_comes_is_answered_as_by_the_connections_own_parser(pieces: list[bytes]) -> None:
    quick, thorough = await both(*pieces)

    assert quick == thorough


@pytest.mark.parametrize("size_bytes", [1, 5, PLAIN_LIMIT_BYTES, BODY_LIMIT_BYTES, BODY_LIMIT_BYTES + 1])
@pytest.mark.parametrize("cut_at", [0, 1, 4000, 5000, BODY_LIMIT_BYTES])
async def test_a_refused_body_ends_where_its_length_says_wherever_it_is_cut(size_bytes: int, cut_at: int) -> None:
    head = b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size_bytes
    body = (PAGE * (size_bytes // len(PAGE) + 1))[:size_bytes]
    quick, thorough = await both(head + body, head + body[:cut_at], body[cut_at:], PAGE, PAGE, PAGE)

    assert quick == thorough
    assert len(quick.counted) >= 1  # type: ignore[arg-type] # a list


async def test_a_caller_who_does_not_read_is_cut_off() -> None:
    quick, thorough = await both(KEYLESS, is_paused=True)

    assert quick.done == thorough.done == ["abort"]
    assert quick.counted == thorough.counted


@pytest.mark.parametrize("first", [PAGE, KEYLESS])
async def test_a_connection_too_many_ends_with_its_first_request(first: bytes) -> None:
    quick, thorough = await both(first, PAGE, most=0)

    assert quick == thorough
    assert quick.done[1:] == ["eof"]


@pytest.mark.parametrize("first", [b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n", KEYLESS])
async def test_what_a_proxy_begins_with_is_no_request(first: bytes) -> None:
    quick, thorough = await both(first, PAGE, PAGE, PAGE, PAGE, trusted=("192.0.2.7",), expects_proxy_header=True)

    assert quick == thorough
    assert len(quick.paths) == (1 if first != KEYLESS else 0)


async def test_clients_behind_a_proxy_are_told_apart() -> None:
    pieces = [PAGE.replace(b"host", b"x-forwarded-for: 198.51.%d.1\r\nhost" % (number % 3)) for number in range(12)]
    quick, thorough = await both(*pieces, trusted=("192.0.2.7",))

    assert quick == thorough
    assert len(quick.paths) == 3


def test_what_is_not_plain_is_left_alone_and_does_not_reach_into_what_comes_next() -> None:
    heads = Heads()
    close = PAGE.replace(b"host", b"connection: close\r\nhost")
    odd = [
        b"",
        b"\r\n",
        PAGE[:-1],
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-len",
        PAGE + PAGE,
        close + PAGE,
        PAGE + b"G",
        b"\r\n" + PAGE,
        PAGE.replace(b"1.1", b"1.0"),
        PAGE.replace(b"host", b"transfer-encoding: chunked\r\nhost"),
        PAGE.replace(b"host", b"expect: 100-continue\r\nhost"),
        PAGE.replace(b"host", b"connection: upgrade\r\nupgrade: h2c\r\nhost"),
        PAGE.replace(b"host", b"connection: close, x\r\nhost"),
        PAGE.replace(b"host", b"proxy-connection: close\r\nhost"),
        PAGE.replace(b"host", b"a: b\r\n" * FIELD_LIMIT + b"host"),
        PAGE.replace(b"host", b"a: " + b"b" * PLAIN_LIMIT_BYTES + b"\r\nhost"),
        PAGE.replace(b"host", b"content-length: 1\r\nhost") + b"ab",
        PAGE.replace(b"host", b"content-length: %d\r\nhost" % (BODY_LIMIT_BYTES + 1)),
        b"GET /\x00 HTTP/1.1\r\n\r\n",
    ]
    for data in odd:
        assert heads.read(data) is None, data
        for plain, is_last in ((PAGE, False), (close, True), (PAGE, False)):
            found = heads.read(plain)
            assert found is not None, data
            assert (found.method, found.url, found.is_last) == (b"GET", b"/", is_last)
            assert found.fields[b"host"] == b"x"
            assert (found.body_bytes, found.here_bytes) == (0, 0)


def test_a_body_is_counted_where_it_is_not_shown_to_the_parser() -> None:
    heads = Heads()
    head = b"POST / HTTP/1.1\r\nContent-Length: 10000\r\n\r\n"
    for here in (0, 1, PLAIN_LIMIT_BYTES, 9999, 10000):
        found = heads.read(head + b"a" * here)
        assert found is not None
        assert (found.body_bytes, found.here_bytes) == (10000, here)
    assert heads.read(head + b"a" * 10001) is None


@pytest.mark.parametrize("was_base_used", [False, True])
async def test_most_of_what_is_refused_needs_no_parser_of_its_own(
    monkeypatch: pytest.MonkeyPatch, was_base_used: bool
) -> None:
    if was_base_used:
        monkeypatch.setattr(GateProtocol, "_made_like", ServerState())
    one = Connection(is_quick=True)
    for _ in range(4):
        await one.take(PAGE)
    another = type(one.protocol)(one.protocol.config, one.state, {})
    another.connection_made(Wire())
    another.data_received(PAGE)
    parser: object = another.parser
    assert parser is None
    another.connection_lost(None)
    await one.seen()
