"""Asks the service or gate that runs on a data directory, through its control socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from tidegate.cli.output import NOT_SO, WRONG_USAGE, refuse
from tidegate.core.reasons import Reason

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

Answer = tuple[int, bytes]
"""A status and a body."""

_OK = 200
_BAD_REQUEST = 400


class _Refused(msgspec.Struct):
    message: str
    code: str | None = None


class _ErrorBody(msgspec.Struct):
    error: _Refused


def ask(datadir: DataDir, method: str, path: str, body: object = None, *, instead: str) -> Any:
    """Answer what it says. Ends the program with its sentence, or with `instead` when nothing runs there."""
    answer = asyncio.run(answer_of(datadir, method, path, body))
    if answer is None:
        refuse(f"no service runs on this data directory; {instead}", NOT_SO)
    return msgspec.json.decode(granted(answer, datadir, "a gate before another server, which has nothing of the kind"))


def granted(answer: Answer, datadir: DataDir, lacks: str) -> bytes:
    """The body of an answer. Ends the program with a sentence when it is a refusal.

    What runs there and does not know what was asked is said to be what `lacks` it.
    """
    status, body = answer
    if status != _OK:
        error = msgspec.json.decode(body, type=_ErrorBody).error
        is_foreign = error.code == Reason.ROUTE_NOT_FOUND
        said = f"what runs on {datadir.path} is {lacks}" if is_foreign else error.message
        refuse(said, WRONG_USAGE if status == _BAD_REQUEST else NOT_SO)
    return body


async def answer_of(datadir: DataDir, method: str, path: str, body: object = None) -> Answer | None:
    """Ask, and answer whatever comes; None when nobody is there to ask."""
    import aiohttp

    connector = aiohttp.UnixConnector(str(datadir.run_path / "control.sock"))
    content = None if body is None else msgspec.json.encode(body, enc_hook=str)
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://control{path}", data=content) as response,
        ):
            return response.status, await response.read()
    except aiohttp.ClientError:
        return None
