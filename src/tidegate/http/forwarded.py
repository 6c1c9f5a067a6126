"""Whether the connection that a client made is protected, when a trusted proxy in front has ended its TLS.

Browsers say so themselves, but old ones and programs do not. A trusted proxy
does, in X-Forwarded-Proto or in Forwarded (RFC 7239 section 5.4); nobody else
is believed. What a caller gets out of a proxy that lets its own header through
is a cookie that its own browser will not send back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.http.gate.guard import Peer

# The last element alone, which is our proxy's: nothing but more of its pairs may follow.
_PROTO: Final = re.compile(rb'(?:\A|[;,])[ \t]*proto="?([A-Za-z]+)"?[ \t]*(?:;[^,]*)?\Z', re.IGNORECASE)


class Forwarded(msgspec.Struct, frozen=True):
    """Stands before `app` and makes the scope's scheme that of the client's own connection.

    Behind the gate, whose word it takes for who speaks: a client that a proxy has named has no port, and
    where none is named the client is the proxy itself. `peer` tells whether that is one.
    """

    app: ASGIApp
    peer: Callable[[tuple[str, int]], Peer]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and self._is_by_proxy(scope.get("client")) and is_https(scope["headers"]):
            scope["scheme"] = "https"
        await self.app(scope, receive, send)

    def _is_by_proxy(self, client: tuple[str, int] | None) -> bool:
        return client is not None and (client[1] == 0 or self.peer(client).is_proxy)


def is_https(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the hop nearest to us says that it was asked over HTTPS; two headers must agree."""
    found = {}
    for name, value in headers:
        if name == b"x-forwarded-proto":
            found[name] = value.rpartition(b",")[2].strip().lower()
        elif name == b"forwarded":
            match = _PROTO.search(value)
            found[name] = match[1].lower() if match else b""
    return bool(found) and set(found.values()) == {b"https"}
