"""A server behind the gate's protocol, and callers who speak to it by hand."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Lane
from tidegate.core.admission.gate import Gate, GatePlan, Preview
from tidegate.core.credentials import Kind, ServerKeys, issue
from tidegate.core.entering import devices
from tidegate.core.identifiers import RequestId, UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.gate.clients import Clients
from tidegate.http.gate.connections import Connections
from tidegate.http.gate.credential import Credentials, Marks
from tidegate.http.gate.guard import Guard, Report
from tidegate.http.gate.protocol import guarded
from tidegate.http.gate.public import public_lanes
from tidegate.http.gate.sockets import UNTAKEN_LIMIT_S, tune
from tidegate.services.handover import Handover
from tidegate.testing.standing import a_record

SERVER_KEYS = ServerKeys(1, {1: b"k" * 32})
MARKS_LAST_S = 1000.0
CLOSE = b"connection: close\r\n"
SPENT = GatePlan(address_rate=0.001, address_burst=1)
"""One request of an address, then none for a long while."""


def a_credential(kind: Kind = Kind.API_KEY, number: int = 1, keys: ServerKeys = SERVER_KEYS) -> bytes:
    """A genuine key or session of account `number`."""
    principal = UserId.of(number.to_bytes(8, "big"))
    return issue(kind, principal, keys, now=time.time(), entropy=number.to_bytes(16, "big")).encode()


def a_mark(*numbers: int, keys: ServerKeys = SERVER_KEYS, at: float | None = None) -> bytes:
    """The cookie of a device on which these accounts have signed in, the last one first."""
    now = time.time() if at is None else at
    made = (
        devices.issue(
            UserId.of(number.to_bytes(8, "big")),
            f"{number}@example.org",
            keys,
            now=now,
            entropy=number.to_bytes(devices.DEVICE_BYTES, "big"),
        )
        for number in numbers
    )
    return b"__Host-tidegate-device=" + ".".join(made).encode()


def bearer(number: int = 1) -> bytes:
    return b"authorization: Bearer " + a_credential(number=number) + b"\r\n"


class Gatehouse:
    """A guard with a real gate, and what it told of its refusals."""

    def __init__(
        self,
        plan: GatePlan | None = None,
        *,
        trusted: tuple[str, ...] = (),
        expects_proxy_header: bool = False,
        preview: Preview | None = None,
        handover: Handover | None = None,
    ) -> None:
        self.counted: list[tuple[Reason, Standing, Lane | None]] = []
        self.reports: list[Report] = []
        self.spared: list[Reason] = []
        self.crashes: list[tuple[RequestId, Exception]] = []
        self.now = time.time()
        self.register = Register(StandingPlan(), 100)
        self.gate = Gate(plan or GatePlan(), self.register, preview)
        self.guard = Guard(
            gate=self.gate,
            credentials=Credentials(SERVER_KEYS),
            clients=Clients(tuple(ip_network(text) for text in trusted)),
            lanes=public_lanes(),
            clock=lambda: self.now,
            counted=lambda *told: self.counted.append(told),
            spared=self.spared.append,
            reported=self.reports.append,
            crashed=lambda *told: self.crashes.append(told),
            expects_proxy_header=expects_proxy_header,
            handover=handover,
            marks=Marks(SERVER_KEYS, MARKS_LAST_S),
        )

    def knows(self, number: int) -> None:
        """Account `number` is established from now on."""
        self.register.know(a_record(UserId.of(number.to_bytes(8, "big")), Standing.ESTABLISHED, self.now))

    @property
    def reasons(self) -> list[Reason]:
        return [reason for reason, _, _ in self.counted]


def denying(*networks: str) -> GatePlan:
    return GatePlan(deny=Networks(networks))


class Echo:
    """Answers each request with its path; those whose query says `wait` only when let, or when the caller has left."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.let = asyncio.Event()
        self.begun = asyncio.Event()
        self.left = asyncio.Event()

    @property
    def paths(self) -> list[str]:
        return [scope["path"] for scope in self.scopes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.begun.set()
        body = b""
        message: Message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message["body"]
        if scope["path"] == "/wait" or scope["query_string"] == b"wait":
            leaving = asyncio.ensure_future(receive())
            letting = asyncio.ensure_future(self.let.wait())
            await asyncio.wait({leaving, letting}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                self.left.set()
            leaving.cancel()
            letting.cancel()
        answer = f"{scope['path']} {len(body)}".encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def serving(
    app: ASGIApp,
    guard: Guard | None = None,
    table: Connections | None = None,
    *,
    untaken_limit_s: float = UNTAKEN_LIMIT_S,
) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    tune(listener, untaken_limit_s=untaken_limit_s)
    settings = uvicorn.Config(app, http=guarded(guard, table), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(settings)
    settings.load()
    server.lifespan = settings.lifespan_class(settings)
    await server.startup(sockets=[listener])
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await server.shutdown(sockets=[listener])


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """One connection to a server, spoken by hand. Every wait ends after ten seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self, *, to_head: bool = False) -> Answered:
        """Read one answer that says how long it is."""
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        size = 0 if to_head else int(headers["content-length"])
        body = await asyncio.wait_for(self._reader.readexactly(size), 10)
        return Answered(int(first.split(" ")[1]), headers, body)

    async def rest(self) -> bytes:
        """Read until the other side ends the connection."""
        return await asyncio.wait_for(self._reader.read(), 10)

    async def is_ended(self) -> bool:
        """Whether the other side has ended the connection without another word."""
        try:
            return await self.rest() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def a_line(port: int, *, local: str = "127.0.0.1") -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def talk(port: int, *pieces: bytes) -> bytes:
    """Send the pieces and read until the other side closes or has been silent."""
    async with a_line(port) as line:
        try:
            await line.send(*pieces)
            return await line.rest()
        except ConnectionError:
            return b"reset"
