"""The frame around every request: its id, and a line about what became of it.

Outermost ASGI application: whatever answers below, a route, a refusal or a
library's middleware, is counted here and carries the request's id.
"""

from __future__ import annotations

import functools
import ipaddress
import secrets
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tidegate.core.events import Level, RequestFinished
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import OUR_FAULTS, Reason
from tidegate.http.exchange import GIVEN_UP, ClientLeftError, Exchange
from tidegate.http.refusals import WIRE
from tidegate.ports.journal import Journal

_MOST_REMEMBERED: Final = 8192


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
        exchange.source, exchange.network = self._source(scope)
        began_at = self.ticks()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own = [(b"x-request-id", exchange.id.encode())]
                if exchange.told is not None:
                    own += [(name.encode(), value.encode()) for name, value in exchange.told().items()]
                message["headers"] = [*message["headers"], *own]
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

    def _source(self, scope: Scope) -> tuple[Fingerprint | None, Fingerprint | None]:
        client = scope.get("client")
        if client is None:
            return None, None
        source, network = _source(client[0])
        if source is None or network is None:
            return None, None
        return self.fingerprint(source), self.fingerprint(network)

    def _record(self, exchange: Exchange, scope: Scope, total_s: float) -> None:
        left = exchange.reason is Reason.CLIENT_LEFT
        given_up: Reason | None = scope["state"].get(GIVEN_UP) if left else None
        if given_up is not None:
            # It was the server that left, in words of its own.
            left, exchange.reason, exchange.status = False, given_up, WIRE[given_up].status
        timing = exchange.timing
        figures = {} if timing is None else timing.figures()
        self.journal.record(
            RequestFinished(
                t=self.clock(),
                level=Level.ERROR if exchange.reason in OUR_FAULTS else Level.INFO,
                id=exchange.id,
                route=exchange.route,
                status=499 if left else exchange.status,
                total_s=total_s,
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
                reason=exchange.reason,
                src=exchange.source,
                net=exchange.network,
                acct=exchange.account,
                sess=exchange.session,
                key=exchange.key,
                stream=exchange.is_stream,
                max_tok=exchange.max_tokens,
                abandoned=left or None,
                retry=_retry_count(scope),
                **figures,
            )
        )


@functools.lru_cache(_MOST_REMEMBERED)
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
