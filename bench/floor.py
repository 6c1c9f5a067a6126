"""The least that a proxy in Python does: uvicorn and aiohttp, and nothing decided in between.

Run as a program with the URL behind it and its port.
"""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import uvicorn

_PASSED = frozenset({b"authorization", b"content-type"})


class Floor:
    """An ASGI application that passes everything on."""

    def __init__(self, behind: str) -> None:
        """Nothing is connected before the first request."""
        self._behind = behind
        self._http: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Pass one request on, and its answer back as it comes."""
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"] if name in _PASSED]
        async with self._http.request(
            scope["method"], self._behind + scope["path"], data=body or None, headers=headers
        ) as answer:
            fields = [(b"content-type", answer.headers.get("content-type", "").encode())]
            if answer.content_length is not None:
                fields.append((b"content-length", b"%d" % answer.content_length))
            await send({"type": "http.response.start", "status": answer.status, "headers": fields})
            async for data in answer.content.iter_any():
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def main() -> None:
    """Serve until killed."""
    config = uvicorn.Config(
        Floor(sys.argv[1]),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="critical",
        backlog=1024,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
