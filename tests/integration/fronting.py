"""Real proxies in front of a real listener that tells who it thinks is calling."""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tests.integration.running import free_port, until
from tidegate.app.listening import bind_port, port_of, server
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.credentials import ServerKeys
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.gate.clients import Clients
from tidegate.http.gate.credential import Credentials
from tidegate.http.gate.guard import Guard
from tidegate.http.gate.protocol import guarded
from tidegate.http.gate.public import public_lanes

_PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
_START_S = 10.0


class Doorman:
    """Answers each request with its client's address; `/stream` in pieces, each only once the last one has arrived."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self.has_left = threading.Event()
        self.paths: list[str] = []
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        self.paths.append(scope["path"])
        self.headers = [*scope["headers"]]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        if scope["path"] == "/stream":
            await self._stream(receive, send)
        client = scope["client"]
        await send({"type": "http.response.body", "body": client[0].encode() if client else b"nobody"})

    async def _stream(self, receive: Receive, send: Send) -> None:
        await receive()
        leaving = asyncio.ensure_future(receive())
        for number in range(3):
            self._arrived.clear()
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            arriving = asyncio.ensure_future(self._arrived.wait())
            await asyncio.wait({leaving, arriving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.has_left.set()
                arriving.cancel()
                return
        leaving.cancel()

    def go_on(self) -> None:
        """The last piece has arrived."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._arrived.set)


@contextmanager
def listening(app: Doorman, *trusted: str, expects_proxy_header: bool = False) -> Iterator[int]:
    """The public port's own server and protocol, with these proxies trusted."""
    guard = Guard(
        gate=Gate(GatePlan(), Register(StandingPlan(), 100)),
        credentials=Credentials(ServerKeys(1, {1: b"k" * 32})),
        clients=Clients(tuple(map(ip_network, trusted))),
        lanes=public_lanes(),
        clock=time.time,
        expects_proxy_header=expects_proxy_header,
    )
    listener = bind_port("127.0.0.1", 0, "server.port")
    port = port_of(listener)
    one = server(app, protocol=guarded(guard, None))
    thread = threading.Thread(target=lambda: asyncio.run(one.serve(sockets=[listener])))
    thread.start()
    try:
        yield port
    finally:
        one.should_exit = True
        thread.join()


def program(name: str) -> str:
    """The path of a proxy; without it the test is skipped."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"No {name} here. On Debian and Ubuntu: sudo apt install {name}")
    return found


@contextmanager
def running(command: Sequence[str | Path], port: int, folder: Path) -> Iterator[None]:
    """A proxy, from when it accepts connections at `port` to its end."""
    log = folder / "proxy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, cwd=folder)
    try:
        until(lambda: _accepts(process, port, log), _START_S, "the proxy accepts connections")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_START_S)


def _accepts(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(text: str, folder: Path, port: int) -> Iterator[None]:
    """An nginx with this in its `http` block."""
    paths = "".join(
        f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off;\nmaster_process off;\npid {folder / 'nginx.pid'};\nerror_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n"
    )
    path = folder / "nginx.conf"
    path.write_text(whole)
    with running((program("nginx"), "-e", "stderr", "-p", folder, "-c", path), port, folder):
        yield


@contextmanager
def haproxy(text: str, folder: Path, port: int) -> Iterator[None]:
    """A HAProxy with this configuration."""
    path = folder / "haproxy.cfg"
    path.write_text(text)
    with running((program("haproxy"), "-db", "-f", path), port, folder):
        yield


def ask(
    port: int,
    path: str = "/",
    *,
    source: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> str:
    """Who the listener thinks this is."""
    place = (source, 0)
    connection = (
        http.client.HTTPConnection(host, port, timeout=10, source_address=place)
        if tls is None
        else http.client.HTTPSConnection(host, port, timeout=10, source_address=place, context=tls)
    )
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return response.read().decode()
    finally:
        connection.close()


__all__ = ["Doorman", "ask", "free_port", "haproxy", "listening", "nginx", "program", "running"]
