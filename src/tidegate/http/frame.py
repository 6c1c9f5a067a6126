"""The frame around every request: its id, and a line about what became of it.

Outermost ASGI application: whatever answers below, a route, a refusal or a
library's middleware, is counted here and carries the request's id.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.events import Level, RequestFinished
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.ports.journal import Journal
from tidegate.services.generate import Timing


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """The application that servers are given. `clock` tells Unix seconds, `ticks` monotonic ones.

    Without `is_counted` a request leaves no line: what the operator does on the
    command line is no traffic, and its acts have events of their own.
    """

    app: ASGIApp
    journal: Journal
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]
    ticks: Callable[[], float]
    is_counted: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(id=RequestId.of(secrets.token_bytes(12)))
        scope.setdefault("state", {})["exchange"] = exchange
        began_at = self.ticks()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.id.encode())]
            elif message["type"] == "http.response.body":
                exchange.bytes_out += len(message.get("body", b""))
            try:
                await send(message)
            except (OSError, RuntimeError):
                # The server says in its own ways that the connection is gone; none of them is a defect of ours.
                raise ClientLeftError from None

        try:
            await self.app(scope, receive, send_counted)
        finally:
            if self.is_counted:
                self._record(exchange, scope, self.ticks() - began_at)

    def _record(self, exchange: Exchange, scope: Scope, total_s: float) -> None:
        timing = exchange.timing or Timing()
        usage = timing.usage
        client = scope.get("client")
        source, network = _source(client[0]) if client else (None, None)
        left = exchange.reason is Reason.CLIENT_LEFT
        self.journal.record(
            RequestFinished(
                t=self.clock(),
                level=Level.ERROR if exchange.reason is Reason.INTERNAL_ERROR else Level.INFO,
                id=exchange.id,
                route=exchange.route,
                status=499 if left else exchange.status,
                total_s=total_s,
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
                reason=exchange.reason,
                src=None if source is None else self.fingerprint(source),
                net=None if network is None else self.fingerprint(network),
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
