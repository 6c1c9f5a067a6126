"""A wrapped application as the server behind the gate: it is called when a place was found, and listened to.

It is called at most once for a request, for what it does may not bear repeating.
So its answer has begun for the scheduler when it is called: a place is never taken
back to call it again later, and whoever must leave it is told when to come back.

It runs in a task of its own. Until its answer is complete that task is ended with
the request, and the place is free when it has ended; what it does after that, it
may finish.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope

from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import MemberReport
from tidegate.core.generation.metering import Meter, NotAStreamError
from tidegate.ports.upstream import Ask, Head, Headers, Piece, UpstreamBrokeError

_BY_OTHER_WAYS: Final = "http.response."
"""Extensions by which an answer would be sent without its bytes passing here."""


class CallFailedError(Exception):
    """The application raised `original`, which is for its own server to hear of."""

    def __init__(self, original: Exception) -> None:
        """Carry it."""
        super().__init__(type(original).__name__)
        self.original = original


class Call:
    """One request to the application. `scope` is what it is called with."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """It was not called yet."""
        self.scope = scope
        self.headers: Headers | None = None
        """Those of its answer, as soon as it has begun."""
        self._receive = receive
        self._body: deque[Message] = deque()
        self._left = asyncio.Event()
        self._said: asyncio.Queue[Message | None] = asyncio.Queue(1)
        self._task: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._is_complete = False

    async def receive(self) -> Message:
        """What the server says, kept for the application."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._body.append(message)
        return message

    def begin(self, app: ASGIApp) -> None:
        """Call the application. The body must have been received."""
        self._task = asyncio.create_task(self._run(app))

    async def next(self) -> Message | None:
        """What it says next, None when it says nothing more. Raises CallFailedError."""
        message = await self._said.get()
        if message is None and self._error is not None:
            raise CallFailedError(self._error) from self._error
        return message

    async def end(self) -> None:
        """Have it end, unless its answer is complete."""
        if self._task is None or self._is_complete:
            return
        self._left.set()
        self._task.cancel()
        await asyncio.wait({self._task})

    async def finish(self) -> None:
        """Wait until it has done what it does after its answer. Raises what it raised."""
        if self._task is not None:
            await asyncio.wait({self._task})
            if not self._task.cancelled():
                self._task.result()

    async def _run(self, app: ASGIApp) -> None:
        scope = self.scope
        extensions = scope.get("extensions") or {}
        kept = {name: value for name, value in extensions.items() if not name.startswith(_BY_OTHER_WAYS)}
        try:
            await app({**scope, "extensions": kept}, self._replay, self._hear)
        except Exception as error:
            self._error = error
            raise
        finally:
            if not self._is_complete and not self._left.is_set():
                await self._said.put(None)

    async def _replay(self) -> Message:
        if self._body:
            return self._body.popleft()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _hear(self, message: Message) -> None:
        if self._left.is_set() or self._is_complete:
            return  # As servers do, that have nobody to send it to.
        if message["type"] == "http.response.start":
            self.headers = tuple((name.lower(), value) for name, value in message.get("headers", ()))
        await self._said.put(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_complete = True


CALL: Final[ContextVar[Call]] = ContextVar("call")
"""The request in hand: what is passed on through the gate says no more of it than the gate must know."""


class Handler:
    """The application, as the proxy sees servers."""

    def __init__(self, app: ASGIApp) -> None:
        """Nobody has called."""
        self._app = app

    def places(self, model: str) -> int:
        """As many as there is demand for: the scheduler bounds them."""
        del model
        return 1 << 16

    def report(self) -> list[MemberReport]:
        """Nothing is known but what the scheduler knows."""
        return []

    async def generate(self, ask: Ask, place: Place) -> AsyncGenerator[Piece, None]:
        """Call it with the request in hand, and tell what it answers.

        Raises CallFailedError, and UpstreamBrokeError where its answer is not in the form that it is said to be in.
        """
        del ask, place
        call = CALL.get()
        call.begin(self._app)
        try:
            yield Piece(tokens=1)
            first = await call.next()
            if first is None or first["type"] != "http.response.start":
                return
            head: Head | None = Head(status=first["status"], headers=call.headers or ())
            meter = Meter(_media_type(call.headers or ()))
            while (message := await call.next()) is not None:
                if message["type"] != "http.response.body":
                    continue
                piece = _piece(meter, head, message)
                if piece.data or piece.is_last or piece.usage is not None:
                    head = None
                    yield piece
                if piece.is_last:
                    return
        except NotAStreamError as error:
            raise UpstreamBrokeError(str(error)) from error
        finally:
            await call.end()


def _piece(meter: Meter, head: Head | None, message: Message) -> Piece:
    metered = meter.feed(message.get("body", b""))
    if message.get("more_body", False):
        return Piece(data=metered.data, tokens=metered.pieces, head=head, usage=metered.usage)
    rest = meter.close()
    return Piece(
        data=metered.data + rest.data,
        tokens=metered.pieces + rest.pieces,
        head=head,
        usage=rest.usage or metered.usage,
        is_last=True,
    )


def _media_type(headers: Headers) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"content-type"), "")
