"""Server-sent events as engines send them: one line of `data:` an event.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

MOST_LINE_BYTES: Final = 1 << 20
"""One chunk with the log-probabilities of many tokens."""

_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:", b":")
_DONE: Final = b"[DONE]"


async def payloads(read: Callable[[], Awaitable[bytes]]) -> AsyncGenerator[bytes, None]:
    """What the `data:` lines hold, until `[DONE]` or the end. Raises ValueError for what is no such stream."""
    rest = b""
    while piece := await read():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            payload = _payload(line)
            if payload == _DONE:
                return
            if payload:
                yield payload
        if len(rest) > MOST_LINE_BYTES:
            msg = "a line without an end"
            raise ValueError(msg)
    payload = _payload(rest)
    if payload and payload != _DONE:
        yield payload


def _payload(line: bytes) -> bytes:
    line = line.rstrip(b"\r")
    if line and not line.startswith(_FIELDS):
        msg = "no line of an event stream"
        raise ValueError(msg)
    return line[5:].strip() if line.startswith(b"data:") else b""
