"""What is passed on keeps its form on the wire: heads in their order, lengths that hold, and who asks."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from tests.http.proxying import Gateway
from tests.http.wire import a_line, serving
from tidegate.http.exchange import CALLER
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.testing.upstream import passing

GET = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-ana\r\n\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_may_tell_the_length_of_one_and_its_connection_goes_on(status: int) -> None:
    gateway = Gateway()
    gateway.fake.script = passing(b"", status=status, kind=b"application/json", headers=((b"content-length", b"200"),))
    async with gateway.listening() as port, a_line(port) as line:
        for _ in range(2):
            await line.send(GET)
            answered = await line.answer(to_head=True)
            assert answered.status == status
            assert "content-length" not in answered.headers


@pytest.mark.parametrize("named", ["x-forwarded-for", "close, X-Forwarded-For , x-forwarded-proto"])
async def test_no_caller_can_have_what_the_gate_says_of_them_left_out(named: str) -> None:
    """A client that strips what `Connection` names would take it out behind the gate's back."""
    gateway = Gateway()
    await gateway.ask(headers={"connection": named, "x-forwarded-for": "203.0.113.9"})
    (asked,) = gateway.fake.asks
    assert [name for name, _ in asked.headers if name.startswith(b"x-forwarded-")][-1] == b"x-forwarded-proto"
    assert b"connection" not in dict(asked.headers)
    assert b"203.0.113.9" not in dict(asked.headers).values()


async def test_what_a_caller_names_for_one_hop_goes_no_further() -> None:
    gateway = Gateway()
    await gateway.ask(headers={"connection": "x-private", "x-private": "1", "x-else": "2"})
    (asked,) = gateway.fake.asks
    assert b"x-private" not in dict(asked.headers)
    assert dict(asked.headers)[b"x-else"] == b"2"


async def test_a_head_without_a_body_is_written_before_whatever_comes_next_on_its_connection() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b""})
        scope["state"][CALLER].drop()  # As the table does in the same moment, when it needs the place.

    table = Connections(ConnectionPlan())
    async with serving(app, table=table) as port, a_line(port) as line:
        await line.send(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await line.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
async def test_whose_body_is_complete_only_when_all_was_ended_is_not_begun(path: str) -> None:
    """Nothing would end it: the end has been told to everybody who was there."""
    gateway = Gateway()
    gateway.lifecycle.expire()
    answered = await gateway.ask(path=path, method="GET" if path.endswith("models") else "POST")
    assert (answered.status, answered.json()["error"]["code"]) == (503, "server_is_draining")
    assert gateway.fake.asks == []
    gateway.assert_all_free()
