"""The webhook is told once and signed, is never sent on elsewhere, and is not waited for without end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tidegate.adapters.firewall import webhook
from tidegate.adapters.firewall.webhook import MOST_AT_ONCE, WebhookFirewall
from tidegate.ports.firewall import FirewallUnavailableError
from tidegate.testing.firewall import an_element

AT = 1.8e9
SECRET = b"s" * 32
ONE = [an_element("203.0.113.7", AT)]


class Receiver:
    """The operator's program."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.answer = web.Response(status=204)
        self.heard: list[tuple[str, dict[str, str], bytes]] = []
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.told)
        self.server = TestServer(application)

    async def told(self, request: web.Request) -> web.Response:
        self.heard.append((request.path, dict(request.headers), await request.read()))
        await self.may_answer.wait()
        return web.Response(status=self.answer.status, headers=self.answer.headers)

    def firewall(self) -> WebhookFirewall:
        return WebhookFirewall(str(self.server.make_url("/told")), SECRET, lambda: AT + 5)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    await one.server.start_server()
    yield one
    await one.server.close()


async def test_it_says_what_why_and_until_when_and_that_it_is_us(receiver: Receiver) -> None:
    await receiver.firewall().enforce(ONE, ONE)
    ((path, headers, body),) = receiver.heard
    assert path == "/told"
    assert body == (
        b'{"type":"firewall.added","timestamp":"2027-01-15T08:00:00Z","data":{"elements":[{"prefix":"203.0.113.7/32",'
        b'"reason":"kept_sending","since":"2027-01-15T08:00:00Z","until":"2027-01-15T08:10:00Z","times":1}]}}'
    )
    assert headers["webhook-timestamp"] == str(int(AT + 5))
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_it_follows_nobody_elsewhere(receiver: Receiver) -> None:
    receiver.answer = web.Response(status=307, headers={"location": "/elsewhere"})
    with pytest.raises(FirewallUnavailableError, match="307"):
        await receiver.firewall().enforce(ONE, ONE)
    assert [path for path, *_ in receiver.heard] == ["/told"]


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_only_a_2xx_says_that_it_arrived(receiver: Receiver, status: int) -> None:
    receiver.answer = web.Response(status=status)
    with pytest.raises(FirewallUnavailableError, match=str(status)):
        await receiver.firewall().enforce(ONE, ONE)


async def test_nothing_is_said_where_nothing_was_added(receiver: Receiver) -> None:
    await receiver.firewall().enforce((), ONE)
    assert receiver.heard == []


async def test_who_does_not_answer_is_waited_for_only_so_long(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.05)
    receiver.may_answer.clear()
    with pytest.raises(FirewallUnavailableError, match="could not be reached"):
        await receiver.firewall().enforce(ONE, ONE)
    receiver.may_answer.set()


async def test_many_are_told_in_several_messages(receiver: Receiver) -> None:
    await receiver.firewall().enforce([*ONE] * (MOST_AT_ONCE + 1), ())
    assert [len(json.loads(body)["data"]["elements"]) for *_, body in receiver.heard] == [MOST_AT_ONCE, 1]


async def test_who_is_not_there_is_said() -> None:
    with pytest.raises(FirewallUnavailableError, match="could not be reached"):
        await WebhookFirewall("http://127.0.0.1:1/", SECRET, lambda: AT).enforce(ONE, ONE)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "\u2024\u2024", "[::1", "127.0.0.1:99999", "a b"])
async def test_an_address_that_can_be_nobodys_is_said_and_ends_nothing(host: str) -> None:
    """Names are looked at by several libraries, each with errors of its own."""
    with pytest.raises(FirewallUnavailableError, match="could not be reached"):
        await WebhookFirewall(f"http://{host}/", SECRET, lambda: AT).enforce(ONE, ONE)
