"""What every Firewall promises, the helper's and the operator's side of it played by the test."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Protocol

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tidegate.adapters.firewall import helper
from tidegate.adapters.firewall.mapfile import MapFirewall, MapForm
from tidegate.adapters.firewall.nftables import NftablesFirewall
from tidegate.adapters.firewall.webhook import WebhookFirewall
from tidegate.core.firewall.elements import Element
from tidegate.ports.firewall import Firewall, FirewallUnavailableError
from tidegate.testing.firewall import MemoryFirewall, an_element


class Side(Protocol):
    """The other side of a firewall: who is kept out, and how it breaks."""

    firewall: Firewall
    forgets: bool

    def kept_out(self) -> set[str]: ...

    def break_down(self) -> None: ...

    def recover(self) -> None: ...


class MemorySide:
    forgets = True

    def __init__(self) -> None:
        self.memory = MemoryFirewall()
        self.firewall: Firewall = self.memory

    def kept_out(self) -> set[str]:
        return self.memory.kept_out

    def break_down(self) -> None:
        self.memory.is_broken = True

    def recover(self) -> None:
        self.memory.is_broken = False


class MapSide:
    forgets = True

    def __init__(self, folder: Path, form: MapForm) -> None:
        self.folder, self.path = folder / "maps", folder / "maps" / "blocked"
        self.folder.mkdir()
        self.firewall: Firewall = MapFirewall(self.path, form)

    def kept_out(self) -> set[str]:
        return {line.split()[0] for line in self.path.read_text().splitlines()} if self.path.exists() else set()

    def break_down(self) -> None:
        self.folder.rename(self.folder.with_name("away"))

    def recover(self) -> None:
        self.folder.with_name("away").rename(self.folder)


class HelperSide:
    """The real helper's own loop, with a stand-in for nft that knows one sentence."""

    forgets = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / "helper"
        self.seen: set[str] = set()
        self.is_broken = False
        self.firewall: Firewall = NftablesFirewall(self.path, time.time)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        try:
            helper.serve(self.listener, os.getuid(), helper.Bounds(), self.run)
        except OSError:
            return  # The listener was closed.

    def run(self, command: str) -> None:
        if self.is_broken:
            raise OSError
        found = re.fullmatch(r"add element inet tidegate (\w+) { (\S+) timeout \d+s }\n", command)
        assert found is not None, command
        bits = next(bits for (_, bits), name in helper.SETS.items() if name == found[1])
        self.seen.add(str(ip_network((found[2], bits))))

    def kept_out(self) -> set[str]:
        return self.seen

    def break_down(self) -> None:
        self.is_broken = True

    def recover(self) -> None:
        self.is_broken = False

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


class WebhookSide:
    forgets = False

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.status = 204
        application = web.Application()
        application.router.add_post("/told", self.told)
        self.server = TestServer(application)
        self.firewall: Firewall

    async def told(self, request: web.Request) -> web.Response:
        if self.status < 300:
            message = await request.json()
            self.seen |= {element["prefix"] for element in message["data"]["elements"]}
        return web.Response(status=self.status)

    async def open(self) -> None:
        await self.server.start_server()
        self.firewall = WebhookFirewall(str(self.server.make_url("/told")), b"s" * 32, time.time)

    def kept_out(self) -> set[str]:
        return self.seen

    def break_down(self) -> None:
        self.status = 503

    def recover(self) -> None:
        self.status = 204


@pytest.fixture(params=["memory", "haproxy", "nginx", "helper", "webhook"])
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Side]:
    if request.param == "helper":
        one = HelperSide(tmp_path)
        yield one
        await asyncio.to_thread(one.close)
    elif request.param == "webhook":
        other = WebhookSide()
        await other.open()
        yield other
        await other.server.close()
    else:
        made: dict[str, Callable[[], Side]] = {
            "memory": MemorySide,
            "haproxy": lambda: MapSide(tmp_path, MapForm.HAPROXY),
            "nginx": lambda: MapSide(tmp_path, MapForm.NGINX),
        }
        yield made[request.param]()


def elements() -> list[Element]:
    now = time.time()
    return [
        an_element("203.0.113.7", now),
        an_element("203.0.113.8", now, is_network=True),
        an_element("2001:db8:1:2::3", now),
        an_element("2001:db8:9:2::3", now, is_network=True),
    ]


SHOWN = {"203.0.113.7/32", "203.0.113.0/24", "2001:db8:1:2::/64", "2001:db8:9::/56"}


async def test_all_that_was_added_is_kept_out_in_each_form_there_is(side: Side) -> None:
    added = elements()
    await side.firewall.enforce(added, added)
    assert side.kept_out() == SHOWN


async def test_what_was_added_before_stays_when_more_is_added(side: Side) -> None:
    added = elements()
    await side.firewall.enforce(added[:1], added[:1])
    await side.firewall.enforce(added[1:], added)
    assert side.kept_out() == SHOWN


async def test_telling_it_again_changes_nothing(side: Side) -> None:
    added = elements()
    for _ in range(3):
        await side.firewall.enforce(added, added)
    assert side.kept_out() == SHOWN


async def test_nothing_to_tell_keeps_nobody_out(side: Side) -> None:
    await side.firewall.enforce((), ())
    assert side.kept_out() == set()


async def test_what_is_live_no_more_is_let_in_wherever_that_can_be_told(side: Side) -> None:
    added = elements()
    await side.firewall.enforce(added, added)
    await side.firewall.enforce((), added[:1])
    assert side.kept_out() == ({"203.0.113.7/32"} if side.forgets else SHOWN)


async def test_one_that_cannot_be_told_says_so_and_takes_it_when_told_again(side: Side) -> None:
    added = elements()
    side.break_down()
    with pytest.raises(FirewallUnavailableError):
        await side.firewall.enforce(added, added)
    side.recover()
    assert side.kept_out() == set()
    await side.firewall.enforce(added, added)
    assert side.kept_out() == SHOWN
