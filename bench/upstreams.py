"""Servers that always answer the same, for measuring what stands before them.

`constant` is nginx with one completion in one piece. `streaming` writes streams of
server-sent events, one token a piece, each at its time: run as a program with a
JSON object, this file is that server.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final, cast

import httptools
import msgspec
import uvloop
from peers import await_answer, nginx_running
from service import MODEL, free_port

_ANSWER: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "The tide comes in and goes out twice a day."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 16, "completion_tokens": 11, "total_tokens": 27},
}
_MODELS: Final = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "bench"}]}


class StreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream is: so many tokens, one each `gap_s`."""

    port: int = 0
    tokens: int = 300
    gap_s: float = 0.01


@contextlib.contextmanager
def constant(core: int) -> Iterator[int]:
    """The port of a server that answers at once."""
    location = f"""
        default_type application/json;
        location = /v1/models {{ return 200 '{msgspec.json.encode(_MODELS).decode()}'; }}
        location = /v1/chat/completions {{ return 200 '{msgspec.json.encode(_ANSWER).decode()}'; }}
        location / {{ return 404 '{{}}'; }}"""
    with nginx_running(location, core) as (port, _):
        yield port


@contextlib.contextmanager
def streaming(core: int, plan: StreamPlan) -> Iterator[int]:
    """The port of a server that answers in streams."""
    told = msgspec.structs.replace(plan, port=free_port())
    command = ["taskset", "-c", str(core), sys.executable, __file__, msgspec.json.encode(told).decode()]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        await_answer(f"http://127.0.0.1:{told.port}/v1/models", process)
        yield told.port
    finally:
        process.kill()
        process.wait()


def _event(**fields: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": MODEL}
    return b"data: " + msgspec.json.encode({**head, **fields}) + b"\n\n"


def _delta(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _event(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WORDS: Final = (" The", " tide", " comes", " in", " and", " goes", " out")
"""Not always the same one: some proxies take that for a model that has lost its way, and end the stream."""

_TOKENS: Final = [_chunk(_delta({"content": word})) for word in _WORDS]
_STOP: Final = _chunk(_delta({}, "stop"))
_DONE: Final = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_USAGE_ASKED: Final = b'"include_usage":true'


class _Streaming(asyncio.Protocol):
    """One connection. Each piece is written at a time of its own, however late the last one was."""

    def __init__(self, plan: StreamPlan) -> None:
        self._plan = plan
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._url = self._body = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no asyncio.Transport.

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._url.endswith(b"/completions"):
            self._transport.write(_HEAD)
            ending = _STOP + self._usage(body.replace(b" ", b"")) + _DONE
            self._write(self._loop.time(), self._plan.tokens, ending)
        elif self._url.endswith(b"/models"):
            text = msgspec.json.encode(_MODELS)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text)
            self._transport.write(head + text)
        else:
            # Who looks what kind of server this is must find none that it is not.
            self._transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()

    def _usage(self, body: bytes) -> bytes:
        if _USAGE_ASKED not in body:
            return b""
        tokens = self._plan.tokens
        return _chunk(
            _event(
                choices=[],
                usage={"prompt_tokens": 16, "completion_tokens": tokens, "total_tokens": 16 + tokens},
            )
        )

    def _write(self, due: float, left: int, ending: bytes) -> None:
        if left == 0:
            self._transport.write(ending)
            return
        self._transport.write(_TOKENS[left % len(_TOKENS)])
        due += self._plan.gap_s
        self._timer = self._loop.call_at(due, self._write, due, left - 1, ending)


async def _serve(plan: StreamPlan) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Streaming(plan), "127.0.0.1", plan.port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(msgspec.json.decode(sys.argv[1], type=StreamPlan)))
