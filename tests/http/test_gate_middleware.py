"""Behind any server the gate says the same as in its own protocol."""

from __future__ import annotations

import re

import pytest

from tests.http.wire import SPENT, Answered, Echo, Gatehouse, a_credential, a_line, denying, serving
from tidegate.core.credentials import Kind
from tidegate.http.gate.connections import ConnectionPlan, Connections
from tidegate.http.gate.middleware import Gatekeeping

KEY = b"authorization: Bearer " + a_credential() + b"\r\n"
FORGED = KEY[:-9] + b"aaaaaaa\r\n"
SESSION = b"cookie: tidegate-session=" + a_credential(Kind.SESSION) + b"\r\n"
PAGE = b"accept: text/html\r\n"
REQUESTS = [
    b"GET / HTTP/1.1\r\nhost: x\r\n",
    b"HEAD / HTTP/1.1\r\nhost: x\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\n" + PAGE,
    b"GET /v1/models HTTP/1.1\r\nhost: x\r\n",
    b"GET /v1/models HTTP/1.1\r\nhost: x\r\norigin: https://a.example\r\n" + FORGED,
    b"GET /v1/mod%65ls HTTP/1.1\r\nhost: x\r\n" + KEY,
    b"GET /account?a=b HTTP/1.1\r\nhost: x\r\n" + PAGE,
    b"GET /api/session HTTP/1.1\r\nhost: x\r\n" + SESSION,
    b"GET /api/session HTTP/1.1\r\nhost: x\r\n",
    b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\n",
]


async def told(house: Gatehouse, *, is_middleware: bool) -> tuple[list[Answered], Echo]:
    echo = Echo()
    if is_middleware:
        made = serving(Gatekeeping(echo, house.guard))
    else:
        made = serving(echo, house.guard, Connections(ConnectionPlan()))
    answers = []
    async with made as port:
        for request in REQUESTS:
            async with a_line(port) as line:
                await line.send(request if b"\r\n\r\n" in request else request + b"\r\n")
                answers.append(await line.answer(to_head=request.startswith(b"HEAD")))
    return answers, echo


@pytest.mark.parametrize("plan", [None, SPENT, denying("127.0.0.0/8")], ids=["calm", "spent", "denied"])
async def test_status_headers_and_body_are_those_of_the_protocol(plan: object) -> None:
    ours, middle = Gatehouse(plan), Gatehouse(plan)  # type: ignore[arg-type]
    middle.now = ours.now
    by_protocol, behind_protocol = await told(ours, is_middleware=False)
    by_middleware, behind_middleware = await told(middle, is_middleware=True)

    assert len(by_protocol) == len(REQUESTS)
    for request, one, other in zip(REQUESTS, by_protocol, by_middleware, strict=True):
        assert _without_id(one) == _without_id(other), request
    assert ours.counted == middle.counted
    for one_scope, other_scope in zip(behind_protocol.scopes, behind_middleware.scopes, strict=True):
        assert one_scope["client"][0] == other_scope["client"][0]
        assert one_scope["state"]["gate"] == other_scope["state"]["gate"]


def _without_id(answered: Answered) -> tuple[int, dict[str, str], bytes]:
    headers = {**answered.headers}
    name = headers.pop("x-request-id", None)
    assert name is None or re.fullmatch("req_[0-9a-f]{24}", name)
    return answered.status, headers, answered.body


async def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: object, receive: object, send: object) -> None:
        seen.append(scope)

    await Gatekeeping(app, Gatehouse().guard)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert seen == [{"type": "lifespan"}]
