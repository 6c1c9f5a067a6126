"""The least that answers HTTP: to every request the same short refusal. Shows a generator's own limit.

python bench/lab_responder.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

_BODY = b'{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}'
_ANSWER = (
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
    b"x-request-id: req_0123456789abcdef01234567\r\ncontent-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class Responder(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Refuse."""
        self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
