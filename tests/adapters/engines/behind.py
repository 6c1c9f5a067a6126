"""A server of models that does what a test tells it, down to the bytes; and one request through the gate to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from tidegate.adapters.engines.passing import PassingEngines
from tidegate.adapters.engines.probing import Probing
from tidegate.adapters.engines.upstream import Upstream, UpstreamPlan
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.breaker import BreakerPlan
from tidegate.core.capacity.pool import Member, MemberState, Pool, PoolPlan
from tidegate.core.generation.call import Usage
from tidegate.ports.upstream import Ask, Head, Piece

CHAT = "/v1/chat/completions"
QUICK = UpstreamPlan(silence_s=1.0, first_s=1.0, whole_s=1.0)
"""For those who wait until a server is given up: no less than what a busy machine may hold one up that is well."""
PATIENT = UpstreamPlan(silence_s=10.0, first_s=10.0, whole_s=10.0)
USAGE = {"prompt_tokens": 5, "completion_tokens": 2}
WHOLE = json.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": USAGE}).encode()
WORD = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
DONE = b"data: [DONE]\n\n"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer(body: bytes = WHOLE, kind: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    """A whole answer that says how long it is."""
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


def stream(*events: bytes) -> bytes:
    """A whole answer in chunks, one for each event."""
    return EVENTS + b"".join(map(chunk, events)) + b"0\r\n\r\n"


class Asked(NamedTuple):
    """One request as the server got it."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name]


class Line:
    """One connection, with a request on it that is to be answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> None:
        self._reader = reader
        self._writer = writer
        self.asked = asked

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with contextlib.suppress(ConnectionError):
            assert await self._reader.read() == b"", "it asks again on a connection that is not free"

    def cut(self) -> None:
        self._writer.transport.abort()


Behaviour = Callable[[Line], Awaitable[None]]


def saying(data: bytes, *, ends: bool = False) -> Behaviour:
    """Write this, and close if it `ends` with that."""

    async def behave(line: Line) -> None:
        await line.write(data)
        if ends:
            line.cut()

    return behave


async def cutting(line: Line) -> None:
    line.cut()


class Behind:
    """One server. `behave` is how it answers now; probes get `probe`."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.probe: Behaviour = saying(answer(b"{}"))
        self.asked: list[Asked] = []
        self.open = 0
        self.left = asyncio.Event()
        self.begun = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def frozen(self, line: Line, first: bytes = b"") -> None:
        """Write no more than this, and wait until the caller has left."""
        await line.write(first)
        self.begun.set()
        await line.gone()
        self.left.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while asked := await _read(reader):
                if asked.line.startswith("GET /v1/models "):
                    await self.probe(Line(reader, writer, asked))
                else:
                    self.asked.append(asked)
                    await self.behave(Line(reader, writer, asked))
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *fields = head.rstrip().split("\r\n")
    headers = [(name, value) for name, _, value in (field.partition(": ") for field in fields)]
    size = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Asked(line, headers, await reader.readexactly(size))


@contextlib.asynccontextmanager
async def listening(*servers: Behind) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        for behind in servers:
            server = await asyncio.start_server(behind.serve, "127.0.0.1", behind.port, limit=1 << 20)
            behind.port = server.sockets[0].getsockname()[1]
            stack.callback(server.close)
        yield


class Whole(NamedTuple):
    """What came through."""

    head: Head
    data: bytes
    usage: Usage | None
    tokens: int


class Gate:
    """Engines before some servers, the pool that they share, and requests through them."""

    def __init__(self, pool: Pool, engines: PassingEngines, probing: Probing, names: list[str]) -> None:
        self.pool, self.engines, self.probing, self.names = pool, engines, probing, names

    def pieces(self, group: str = "", **fields: object) -> AsyncIterator[Piece]:
        asked = {"method": "POST", "target": CHAT, "body": b'{"model":"m"}', "is_stream": True, **fields}
        return self.engines.generate(Ask(**asked), Place(0, is_warm=False, group=group))  # type: ignore[arg-type] # as named

    async def ask(self, group: str = "", **fields: object) -> Whole:
        pieces = [piece async for piece in self.pieces(group, **fields)]
        assert pieces[-1].is_last
        assert not any(piece.is_last for piece in pieces[:-1])
        (head,) = [piece.head for piece in pieces if piece.head is not None]
        usage = next((piece.usage for piece in reversed(pieces) if piece.usage is not None), None)
        return Whole(head, b"".join(piece.data for piece in pieces), usage, sum(piece.tokens for piece in pieces))

    @property
    def outstanding(self) -> int:
        return sum(member.outstanding for member in self.engines.report())

    def state(self, number: int = 0) -> MemberState:
        return self.engines.report()[number].state


@contextlib.asynccontextmanager
async def gate(
    *servers: Behind,
    plan: UpstreamPlan = PATIENT,
    key: str | None = None,
    models: frozenset[str] = frozenset(),
) -> AsyncIterator[Gate]:
    """A gate before servers that listen; nothing runs on them when it ends."""
    async with contextlib.AsyncExitStack() as stack:
        upstreams = {behind.url: await stack.enter_async_context(Upstream(behind.url, key, plan)) for behind in servers}
        plans = PoolPlan(breaker=BreakerPlan(failures=3, pause_first_s=0.05), doubt_s=0.0)
        pool = Pool(plans, [Member(name=name, models=models) for name in upstreams])
        engines = PassingEngines(pool, upstreams)
        made = Gate(pool, engines, Probing(pool, upstreams, engines), list(upstreams))
        yield made
        assert made.outstanding == 0, "everything that began has ended"
