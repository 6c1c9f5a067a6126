"""The frame around every request: its id, its account, and a decent end whatever happens.

Outermost ASGI application. It gives the request an id, refuses it while the
service drains, turns refusals and our own defects into error objects, and
records what became of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable, Iterator

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.events import Level, RequestCrashed, RequestFinished, RouteKind, Site
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.http.refusals import Refusal
from tidegate.ports.journal import Journal
from tidegate.services.generate import Timing


class Exchange(msgspec.Struct, kw_only=True):
    """What is known of the request in hand. Routes add to it; the frame writes it down."""

    id: RequestId
    route: RouteKind = RouteKind.OTHER
    account: Fingerprint | None = None
    key: Fingerprint | None = None
    is_stream: bool | None = None
    max_tokens: int | None = None
    timing: Timing | None = None
    reason: Reason | None = None
    bytes_in: int = 0
    is_body_read: bool = False
    bytes_out: int = 0
    status: int = 0


class Lifecycle:
    """Whether the service takes requests, and how many are running."""

    def __init__(self) -> None:
        """Open."""
        self.is_draining = False
        self.drain_s = 0.0
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.expired = asyncio.Event()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count one request as running."""
        self.running += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.idle.set()


class ClientLeftError(Exception):
    """The caller closed the connection before the answer was complete."""


class Frame:
    """The application that servers are given."""

    def __init__(
        self,
        app: ASGIApp,
        journal: Journal,
        lifecycle: Lifecycle,
        fingerprint: Callable[[str], Fingerprint],
        clock: Callable[[], float],
        *,
        stays_open: bool = False,
    ) -> None:
        """`clock` tells Unix seconds; one that `stays_open` is served while the service drains."""
        self._app = app
        self._journal = journal
        self._lifecycle = lifecycle
        self._fingerprint = fingerprint
        self._clock = clock
        self._stays_open = stays_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(id=RequestId.of(secrets.token_bytes(12)))
        scope.setdefault("state", {})["exchange"] = exchange
        began_at = self._clock()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.id.encode())]
            elif message["type"] == "http.response.body":
                exchange.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            # Health must be seen to the end: it is how a balancer learns that we are going.
            stays_open = self._stays_open or scope["path"] in {"/healthz", "/readyz"}
            if self._lifecycle.is_draining and not stays_open:
                await self._refuse(_draining(self._lifecycle), exchange, scope, receive, send_counted)
                return
            with self._lifecycle.request():
                await self._serve(exchange, scope, receive, send_counted)
        finally:
            self._record(exchange, scope, self._clock() - began_at)

    async def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Refusal as refusal:
            await self._refuse(refusal, exchange, scope, receive, send)
        except ClientLeftError:
            exchange.reason = Reason.CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 - the last line of defence: recorded, and answered cleanly
            kind, place = _origin(error)
            self._journal.record(
                RequestCrashed(t=self._clock(), level=Level.ERROR, id=exchange.id, error=kind, raised_at=place)
            )
            sentence = f"Something broke on our side. Quote {exchange.id} to the operator."
            await self._refuse(Refusal(Reason.INTERNAL_ERROR, sentence), exchange, scope, receive, send)

    async def _refuse(self, refusal: Refusal, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        exchange.reason = refusal.reason
        if exchange.status:  # Too late for a status line; what was begun is cut.
            return
        headers = refusal.headers()
        if not exchange.is_body_read and scope["method"] not in {"GET", "HEAD"}:
            headers["connection"] = "close"  # What is left of the body shall not be read.
        await Response(refusal.body(), refusal.status, headers, media_type="application/json")(scope, receive, send)

    def _record(self, exchange: Exchange, scope: Scope, total_s: float) -> None:
        timing = exchange.timing or Timing()
        usage = timing.usage
        client = scope.get("client")
        source, network = _source(client[0]) if client else (None, None)
        left = exchange.reason is Reason.CLIENT_LEFT
        self._journal.record(
            RequestFinished(
                t=self._clock(),
                level=Level.ERROR if exchange.reason is Reason.INTERNAL_ERROR else Level.INFO,
                id=exchange.id,
                route=exchange.route,
                status=499 if left else exchange.status,
                total_s=total_s,
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
                reason=exchange.reason,
                src=None if source is None else self._fingerprint(source),
                net=None if network is None else self._fingerprint(network),
                acct=exchange.account,
                key=exchange.key,
                stream=exchange.is_stream,
                in_tok=usage.prompt_tokens if usage else None,
                cached_tok=usage.cached_tokens if usage else None,
                out_tok=usage.completion_tokens if usage else timing.deltas or None,
                max_tok=exchange.max_tokens,
                queue_s=timing.queue_s if exchange.timing else None,
                ttft_s=timing.ttft_s,
                service_s=timing.service_s if exchange.timing else None,
                gap_s=timing.gap_s,
                finish=timing.finish,
                abandoned=left or None,
                retry=_retry_count(scope),
            )
        )


def _draining(lifecycle: Lifecycle) -> Refusal:
    return Refusal(
        Reason.SERVER_IS_DRAINING,
        "The service is restarting. Please try again shortly.",
        retry_after_s=max(1.0, lifecycle.drain_s),
    )


def _origin(error: BaseException) -> tuple[Site, Site]:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback else ""
    line = traceback.tb_lineno if traceback else 0
    return Site(type(error).__name__, 0), Site(module, line)


def _source(address: str) -> tuple[str | None, str | None]:
    """An address and the network it is counted in: its /24, or its /48 for IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None, None
    # A socket for both families tells IPv4 callers as ::ffff:a.b.c.d: all of them would be one /48.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    prefix = 24 if parsed.version == 4 else 48  # noqa: PLR2004 - IP versions
    return str(parsed), str(ipaddress.ip_network((parsed, prefix), strict=False))


def _retry_count(scope: Scope) -> int | None:
    """OpenAI's SDKs say how often they have tried; at most two digits are believed."""
    for name, value in scope["headers"]:
        if name == b"x-stainless-retry-count" and value.isdigit() and len(value) <= 2:  # noqa: PLR2004
            return int(value)
    return None
