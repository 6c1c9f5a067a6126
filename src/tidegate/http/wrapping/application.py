"""The gate around an application: every request is judged, and those that ask a model wait for a place.

What asks no model goes on as it came. Refusals of what does are answered here, in
the same words as everywhere; whatever the application raises is for those around
this to hear, as if it stood there alone.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.reasons import Reason
from tidegate.http.cross_origin import SHOWN
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.frame import Frame
from tidegate.http.gate.guard import Guard
from tidegate.http.gate.middleware import Gatekeeping
from tidegate.http.refusals import Refusal
from tidegate.http.wrapping.handler import CALL, Call, CallFailedError
from tidegate.http.wrapping.paths import Paths, routed

ASKING: Final = "/v1/chat/completions"
"""The address that the proxy knows every wrapped handler by."""

_REQUEST_ID: Final = b"x-request-id"


class Wrapping:
    """Stands around `app`. `admitting` is what calls its handler when there is a place, without a frame."""

    def __init__(self, app: ASGIApp, *, guard: Guard, paths: Paths, admitting: ASGIApp, **framed: Any) -> None:
        """`framed` is what a Frame needs besides an application."""
        self._app = app
        self._paths = paths
        self._frame = Frame(app=_Refusing(admitting), **framed)
        self._gate = Gatekeeping(self._passed, guard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises what the application does."""
        call = Call(scope, receive)
        token = CALL.set(call)
        try:
            await self._gate({**scope, "raw_path": routed(scope)}, receive, send)
        except CallFailedError as failed:
            raise failed.original from None
        finally:
            CALL.reset(token)
        await call.finish()

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = CALL.get()
        if scope["client"] != call.scope.get("client"):
            call.scope = {**call.scope, "client": scope["client"]}
        if Paths.asks(self._paths.find(scope["method"].encode(), scope["raw_path"])):
            scope = {**scope, "path": ASKING, "raw_path": ASKING.encode(), "root_path": ""}
            await self._frame(scope, call.receive, send)
        else:
            await self._app(call.scope, receive, send)


class _Refusing:
    """Answers for what it stands around when that refuses, and has the application's own headers sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope["state"]["exchange"]
        call = CALL.get()

        async def send_as_said(message: Message) -> None:
            if message["type"] == "http.response.start" and call.headers is not None:
                headers = [field for field in call.headers if field[0] != _REQUEST_ID]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, send_as_said)
        except Refusal as refusal:
            exchange.reason = refusal.reason
            if not exchange.status:  # Too late for a status line otherwise; what was begun is cut.
                await _refuse(refusal, exchange, scope, send)
        except ClientLeftError:
            exchange.reason = Reason.CLIENT_LEFT


async def _refuse(refusal: Refusal, exchange: Exchange, scope: Scope, send: Send) -> None:
    body = refusal.body()
    headers = {
        **refusal.headers(),
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    if not exchange.is_body_read and scope.get("http_version", "1.1").startswith("1"):
        headers["connection"] = "close"  # What is left of the body shall not be read.
    if any(name == b"origin" for name, _ in scope["headers"]):
        headers |= {"access-control-allow-origin": "*", "access-control-expose-headers": ", ".join(SHOWN)}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
