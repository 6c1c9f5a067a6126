"""The keys that callers show to the server behind: tried, accepted, turned down, and never written anywhere."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator

import pytest

from tests.http.proxying import CHAT, MAX_BODY_BYTES, Gateway
from tests.http.wire import Line, a_line, talk
from tidegate.core.admission.claims import Place
from tidegate.core.admission.gate import GatePlan
from tidegate.core.identifiers import UserId
from tidegate.http.gate.callers import CLOSED_S, OPEN_S, alone, shown
from tidegate.ports.upstream import Ask, Piece, UpstreamBrokeError
from tidegate.testing.upstream import FakeUpstreams, passing

OK = passing(b"{}", kind=b"application/json", headers=((b"content-length", b"2"),))
NO = passing(b"{}", status=401, kind=b"application/json", headers=((b"content-length", b"2"),))
LENGTH = b"content-length: 2\r\n\r\n{}"


def bearer(key: str) -> bytes:
    return f"authorization: Bearer {key}\r\n".encode()


class Locked(FakeUpstreams):
    """A server that knows some keys, and lets anybody read its models as llama.cpp's does."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = set(keys)

    def _accepts(self, ask: Ask) -> bool:
        told = [value.removeprefix(b"Bearer ").decode() for name, value in ask.headers if name == b"authorization"]
        return not self.keys or bool(self.keys & set(told)) or ask.method == "GET"

    async def generate(self, ask: Ask, place: Place) -> AsyncGenerator[Piece, None]:
        self.script = OK if self._accepts(ask) else NO
        async for piece in super().generate(ask, place):
            yield piece


class Street:
    """A gate before a locked server, and callers on lines of their own."""

    def __init__(self, *keys: str, plan: GatePlan | None = None) -> None:
        self.server = Locked(*keys)
        self.gateway = Gateway(self.server, plan=plan)
        self.port = 0

    async def ask(self, *headers: bytes, local: str = "127.0.0.1", path: str = CHAT, method: str = "POST") -> int:
        async with a_line(self.port, local=local) as line:
            return await say(line, *headers, path=path, method=method)

    def principal(self, key: str) -> UserId:
        found = self.gateway.keys.principal(((b"authorization", key.encode()),))
        assert found is not None
        return found

    def is_known(self, key: str) -> bool:
        return self.gateway.proven.is_known(self.principal(key))


async def say(line: Line, *headers: bytes, path: str = CHAT, method: str = "POST") -> int:
    body = b"" if method == "GET" else b"content-length: 2\r\n\r\n{}"
    await line.send(f"{method} {path} HTTP/1.1\r\nhost: h\r\n".encode() + b"".join(headers) + (body or b"\r\n"))
    return (await line.answer()).status


async def test_a_key_is_tried_accepted_and_known_from_then_on() -> None:
    street = Street("good")
    async with street.gateway.listening() as street.port:
        assert not street.is_known("good")
        assert await street.ask(bearer("good")) == 200
        assert street.is_known("good")
        assert street.gateway.keys.remembered == 0
        assert await street.ask(bearer("good")) == 200
        assert street.gateway.keys.remembered == 1
        assert await street.ask(b"x-api-key: good\r\n") == 401, "this server does not look there"
    street.gateway.assert_all_free()


async def test_a_key_that_was_turned_down_is_refused_by_the_gate_without_asking_again() -> None:
    street = Street("good")
    async with street.gateway.listening() as street.port:
        assert await street.ask(bearer("bad")) == 401
        assert len(street.server.asks) == 1
        for local in ("127.0.0.1", "127.0.0.2"):
            assert await street.ask(bearer("bad"), local=local) == 401
        assert len(street.server.asks) == 1
        assert not street.is_known("bad")
        assert street.gateway.guessed == ["127.0.0.1"]


async def test_one_mistake_of_the_server_about_a_known_key_is_not_believed_and_a_row_of_them_not_for_long() -> None:
    """Such as of one of several servers that was started with other keys."""
    street = Street("good")
    async with street.gateway.listening() as street.port:
        assert await street.ask(bearer("good")) == 200
        for _ in range(4):
            street.server.keys = {"other"}
            assert await street.ask(bearer("good")) == 401
            street.server.keys = {"good"}
            assert await street.ask(bearer("good")) == 200
        street.server.keys = {"other"}
        for _ in range(2):
            assert await street.ask(bearer("good")) == 401
        asked = len(street.server.asks)
        assert await street.ask(bearer("good")) == 401
        assert len(street.server.asks) == asked, "it is believed now"
        street.server.keys = {"good"}
        street.gateway.clock.advance(1.1)
        assert await street.ask(bearer("good")) == 200
    assert street.gateway.guessed == []


async def test_a_guesser_is_slowed_and_then_refused_while_known_keys_of_the_same_address_pass() -> None:
    street = Street("good", plan=GatePlan(account_address_burst=1000, account_address_rate=1000))
    async with street.gateway.listening() as street.port:
        assert await street.ask(bearer("good")) == 200
        told = []
        for number in range(60):
            told.append(await street.ask(bearer(f"guess{number}")))
            street.gateway.clock.advance(2.0)
            assert await street.ask(bearer("good")) == 200
        assert told[:6] == [401] * 6
        assert 429 in told
        assert sum(status == 401 for status in told) <= 20, "of a guesser's tries few reach the server"
        for _ in range(20):
            street.gateway.note_guess("127.0.0.1")  # As those do that were on their way all at once.
        assert await street.ask(bearer("another")) == 403
        assert await street.ask(bearer("good")) == 200
        assert await street.ask(bearer("another"), local="127.0.0.2") == 401, "elsewhere nobody is held"


async def test_what_anybody_may_read_proves_no_key() -> None:
    """Or every key that is made up would be somebody, with a share of their own."""
    street = Street("good")
    async with street.gateway.listening() as street.port:
        assert await street.ask(bearer("made-up"), method="GET", path="/v1/models") == 200
        assert not street.is_known("made-up")
    assert len(street.gateway.register) == 0


async def test_a_redirect_proves_no_key() -> None:
    gateway = Gateway()
    gateway.fake.script = passing(b"", status=307, headers=((b"location", b"/login"),))
    assert (await gateway.ask()).status == 307
    assert len(gateway.register) == 0


async def test_one_key_shown_beside_others_is_one_caller() -> None:
    """A key that the server does not look at must not stand for the one that it does."""
    street = Street("good")
    async with street.gateway.listening() as street.port:
        for number in range(3):
            made_up = f"x-api-key: made-up-{number}\r\n".encode()
            assert await street.ask(made_up, bearer("good"), b"cookie: s=1\r\napi-key: k\r\n") == 401
            assert await street.ask(bearer("good"), made_up) == 200
    assert len(street.gateway.register) == 1
    assert all(not dict(ask.headers).keys() & {b"cookie", b"api-key"} for ask in street.server.asks)


def test_headers_that_say_the_same_key_twice_both_go_on() -> None:
    both = ((b"authorization", b"Bearer k"), (b"a", b"b"), (b"x-api-key", b"k"))
    assert alone(both) == both
    assert alone(((b"cookie", b"a=b"), (b"cookie", b"c=d"))) == ((b"cookie", b"a=b"), (b"cookie", b"c=d"))
    assert alone((*both, (b"authorization", b"Basic k"))) == (*both, (b"authorization", b"Basic k"))[:3]


def test_a_key_is_read_from_where_clients_put_it() -> None:
    basic = b"Basic " + base64.b64encode(b"me:secret")
    for headers, key in (
        ([(b"authorization", b"Bearer  k ")], b"k"),
        ([(b"authorization", b"bearer k")], b"k"),
        ([(b"authorization", basic)], basic),
        ([(b"x-api-key", b"k")], b"k"),
        ([(b"authorization", b"Bearer "), (b"x-api-key", b"k")], b"k"),
        ([(b"authorization", b"Bearer")], None),
        ([(b"x-api-key", b"")], None),
        ([(b"host", b"h")], None),
    ):
        assert shown(headers) == key


async def test_without_a_key_an_open_server_is_open_and_a_closed_one_asked_once_a_minute() -> None:
    street = Street()
    async with street.gateway.listening() as street.port:
        assert await street.ask() == 200
        street.server.keys.add("good")
        street.gateway.clock.advance(OPEN_S + 1)
        assert await street.ask() == 401
        asked = len(street.server.asks)
        assert await street.ask() == 401
        assert await street.ask(bearer("good")) == 200
        assert len(street.server.asks) == asked + 1
        street.gateway.clock.advance(CLOSED_S + 1)
        assert await street.ask() == 401
        assert len(street.server.asks) == asked + 2
    assert len(street.gateway.register) == 1


async def test_one_without_a_key_cannot_have_an_open_server_closed_to_all_others_without_one() -> None:
    """By asking for what is answered 401 there, such as a model that the server itself has no key for."""
    street = Street()
    async with street.gateway.listening() as street.port:
        assert await street.ask() == 200
        for _ in range(3):
            street.server.keys.add("good")
            assert await street.ask(local="127.0.0.9") == 401
            street.server.keys.clear()
            assert await street.ask() == 200
            street.gateway.clock.advance(OPEN_S - 1)
    assert len(street.server.asks) == 7


async def test_a_read_that_is_turned_away_closes_nothing_to_those_without_keys() -> None:
    gateway = Gateway()
    gateway.fake.script = NO
    await gateway.ask(b"", "/v1/models", method="GET", key=None)
    await gateway.ask({}, "/api/show", key=None)
    gateway.fake.script = OK
    async with gateway.listening() as port:
        said = await talk(port, f"POST {CHAT} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n".encode() + LENGTH)
    assert said.startswith(b"HTTP/1.1 200 ")


async def test_a_key_longer_than_any_is_refused_at_once() -> None:
    street = Street()
    async with street.gateway.listening() as street.port:
        assert await street.ask(bearer("k" * 5000)) == 401
    assert street.server.asks == []


async def test_no_key_is_in_any_line_of_the_log() -> None:
    street = Street("good-key-1234", plan=GatePlan(account_address_burst=1000))
    async with street.gateway.listening() as street.port:
        for key in ("good-key-1234", "bad-key-5678"):
            for _ in range(2):
                await street.ask(bearer(key))
                await street.ask(b"x-api-key: " + key.encode() + b"\r\n")
    assert len(street.gateway.journal.events) >= 2
    for told in (repr(street.gateway.journal.events), repr(vars(street.gateway.register))):
        assert "good-key" not in told
        assert "bad-key" not in told


@pytest.mark.parametrize("is_first", [True, False])
async def test_who_asks_whether_to_send_is_told_to(*, is_first: bool) -> None:
    street = Street()
    async with street.gateway.listening() as street.port, a_line(street.port) as line:
        if not is_first:
            await say(line)
        await line.send(
            f"POST {CHAT} HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n".encode()
        )
        assert (await line.answer(to_head=True)).status == 100
        await line.send(b"{}")
        assert (await line.answer()).status == 200


async def test_a_head_alone_and_a_body_that_is_too_large_are_answered_on_the_wire() -> None:
    street = Street()
    async with street.gateway.listening() as street.port:
        async with a_line(street.port) as line:
            await line.send(b"HEAD /v1/models HTTP/1.1\r\nhost: h\r\n\r\n")
            answered = await line.answer(to_head=True)
            assert (answered.status, answered.headers["content-length"]) == (200, "2")
            assert await say(line, method="GET", path="/v1/models") == 200, "the connection goes on"
        size = MAX_BODY_BYTES + 1
        head = f"POST {CHAT} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n".encode()
        said = await talk(street.port, head, b" " * size)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert said.count(b"x-request-id") == 1
    assert len(street.server.asks) == 2


async def test_half_a_whole_answer_ends_the_connection_and_half_a_stream_says_why() -> None:
    gateway = Gateway()
    begun = passing(b'{"a":', kind=b"application/json", headers=((b"content-length", b"99"),))[0]
    gateway.fake.script = [begun, UpstreamBrokeError("cut")]
    ask = f"POST {CHAT} HTTP/1.1\r\nhost: h\r\n".encode() + LENGTH
    async with gateway.listening() as port:
        said = await talk(port, ask)
        assert said.endswith(b'{"a":')
        gateway.fake.script = [passing(b"data: 1\n\n")[0], UpstreamBrokeError("cut")]
        said = await talk(port, ask.replace(b"host: h", b"host: h\r\nconnection: close"))
        assert b"engine_failed" in said
        assert said.endswith(b"0\r\n\r\n")
    gateway.assert_all_free()
