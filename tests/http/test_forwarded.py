"""Only a trusted proxy says of a connection that it is protected."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.types import Receive, Scope, Send

from tests.http.asgi import Visit
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.credentials import ServerKeys
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.forwarded import Forwarded
from tidegate.http.gate.clients import Clients
from tidegate.http.gate.credential import Credentials
from tidegate.http.gate.guard import Guard
from tidegate.http.gate.middleware import Gatekeeping
from tidegate.http.gate.public import public_lanes

PROXY, STRANGER = ("10.0.0.1", 4000), ("192.0.2.7", 4000)


async def _scheme(client: tuple[str, int] | None, **headers: str) -> str:
    """What an application behind gate and proxy is told."""
    guard = Guard(
        gate=Gate(GatePlan(), Register(StandingPlan(), 10)),
        credentials=Credentials(ServerKeys(1, {1: b"k" * 32})),
        clients=Clients((ip_network("10.0.0.0/8"),)),
        lanes=public_lanes(),
        clock=lambda: 1.0,
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["scheme"].encode()})

    given = {name.replace("_", "-"): value for name, value in headers.items()}
    front = Gatekeeping(Forwarded(app, guard.peer), guard)
    return (await Visit(front, "GET", "/sign-in", headers=given, client=client).ask()).body.decode()


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({"x_forwarded_proto": "https"}, "https"),
        ({"x_forwarded_proto": "HTTPS", "x_forwarded_for": "192.0.2.7"}, "https"),
        ({"x_forwarded_proto": "http, https"}, "https"),
        ({"x_forwarded_proto": "https, http"}, "http"),
        ({"x_forwarded_proto": ""}, "http"),
        ({"forwarded": "for=192.0.2.7;proto=https"}, "https"),
        ({"forwarded": 'for=192.0.2.7;proto="https";by=_x'}, "https"),
        ({"forwarded": "proto=https;for=6.6.6.6, for=192.0.2.7"}, "http"),
        ({"forwarded": "proto=https, proto=http;for=192.0.2.7"}, "http"),
        ({"forwarded": 'for="proto=https'}, "http"),
        ({"forwarded": "xproto=https"}, "http"),
        ({"forwarded": "for=192.0.2.7", "x_forwarded_proto": "https"}, "http"),
        ({}, "http"),
    ],
)
async def test_what_the_nearest_hop_says_counts_where_it_is_a_trusted_proxy(
    headers: dict[str, str], scheme: str
) -> None:
    assert await _scheme(PROXY, **headers) == scheme
    assert await _scheme(STRANGER, **headers) == "http", "anybody can write this"
    assert await _scheme(None, **headers) == "http"
