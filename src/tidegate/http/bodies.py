"""Reads a request's body: bounded, decoded into a type, and blamed by field name when it is wrong."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope

from tidegate.core.reasons import Reason
from tidegate.http.exchange import ClientLeftError, Exchange
from tidegate.http.refusals import Refusal

T = TypeVar("T")

_DISCARDED_BYTES = 32 << 20
_DISCARDING_S = 5.0
_AT = re.compile(r" - at `\$([^`]*)`\Z")
_MISSING = re.compile(r"missing required field `([^`]+)`")


async def read(request: Request, limit_bytes: int) -> bytes:
    """Read the whole body; raises a Refusal as soon as it is known to be larger than `limit_bytes`."""
    return await read_from(request.scope, request.receive, limit_bytes)


async def read_from(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """`read` without a request object: what is passed on has no other use for one."""
    exchange: Exchange = scope["state"]["exchange"]
    declared_bytes, expects = 0, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            declared_bytes = _number(value)
        elif name == b"expect":
            expects = True
        elif name == b"content-encoding" and value.strip().lower() != b"identity":
            raise Refusal(
                Reason.UNSUPPORTED_VALUE, "Compressed request bodies are not accepted.", param="content-encoding"
            )
    if declared_bytes > limit_bytes:
        if not expects:  # One that asks first has not begun to write.
            await _discard(receive, exchange)
        raise too_large(limit_bytes)
    pieces: list[bytes] = []
    more = True
    while more:
        piece, more = await _next(receive)
        exchange.bytes_in += len(piece)
        if exchange.bytes_in > limit_bytes:
            pieces.clear()
            exchange.is_body_read = not more
            if more:
                await _discard(receive, exchange)
            raise too_large(limit_bytes)
        pieces.append(piece)
    exchange.is_body_read = True
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _next(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise ClientLeftError
    return message.get("body", b""), message.get("more_body", False)


def seen_bytes(request: Request) -> int:
    """How large a body is, as far as it says or was read."""
    exchange: Exchange = request.state.exchange
    return max(_declared_bytes(request), exchange.bytes_in)


def _declared_bytes(request: Request) -> int:
    return _number(request.headers.get("content-length", "").encode("latin-1"))


def _number(declared: bytes) -> int:
    return int(declared[:20]) if declared.isdigit() else 0


async def _discard(receive: Receive, exchange: Exchange) -> None:
    """Let the caller finish writing, within bounds: one that is cut off in the middle never reads why."""
    enough_bytes = exchange.bytes_in + _DISCARDED_BYTES
    try:
        async with asyncio.timeout(_DISCARDING_S):
            more = True
            while more:
                piece, more = await _next(receive)
                exchange.bytes_in += len(piece)
                if exchange.bytes_in > enough_bytes:
                    return
            exchange.is_body_read = True
    except TimeoutError:
        return


def decode(body: bytes, kind: type[T], at: str = "") -> T:
    """Decode JSON into `kind`; raises a Refusal whose `param` is the path of the field at fault, from `at` on."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid(str(error), at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Reason.INVALID_JSON, f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise Refusal(Reason.INVALID_JSON, "The body is nested too deeply.") from None


def invalid(text: str, at: str = "") -> Refusal:
    """Say what msgspec found wrong, and blame the field by its path, which begins with `at`."""
    found = _AT.search(text)
    path = (at + found[1] if found else at).lstrip(".")
    what = _AT.sub("", text)
    missing = _MISSING.search(what)
    if missing:
        param = ".".join(filter(None, (path, missing[1])))
        return Refusal(Reason.MISSING_FIELD, f"{param}: this field is required.", param=param)
    return Refusal(Reason.INVALID_VALUE, f"{path or 'body'}: {what[:1].lower()}{what[1:]}.", param=path or None)


def too_large(limit_bytes: int) -> Refusal:
    """Refuse a body for its size."""
    return Refusal(Reason.BODY_TOO_LARGE, f"The body is larger than {limit_bytes} bytes.", param="body")
