"""The gate for other servers: the same decisions and words, as a plain ASGI application around another.

It costs more than the protocol does, because a server makes a scope and a task
before it asks; and deadlines, connections and PROXY protocol are that server's.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from tidegate.http.gate.guard import Guard
from tidegate.http.gate.refusing import Answer


class Gatekeeping(msgspec.Struct, frozen=True):
    """Stands before `app`, outside of everything else."""

    app: ASGIApp
    guard: Guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method, headers = scope["method"].encode("ascii"), list(scope["headers"])
        peer = self.guard.peer(scope.get("client"))
        path: bytes = scope.get("raw_path") or quote(scope["path"]).encode("ascii")
        judged = self.guard.judge(method, path, headers, peer)
        if isinstance(judged, Answer):
            await _send(judged, send, may_close=scope.get("http_version", "1.1").startswith("1"))
            return
        state = {**scope.get("state", {}), "gate": judged.decision}
        await self.app({**scope, "client": judged.client, "state": state}, receive, send)


async def _send(answer: Answer, send: Send, *, may_close: bool) -> None:
    first, *lines = answer.head.removesuffix(b"\r\n").split(b"\r\n")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    # Connections of HTTP/2 and later carry other requests too, and may not name this header (RFC 9113, 8.2.2).
    if answer.is_last and may_close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(first.split(b" ")[1]), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
