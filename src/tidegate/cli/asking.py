"""Asks the service that runs on a data directory, through its control socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from tidegate.cli.output import NOT_SO, refuse

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

_OK = 200


def ask(datadir: DataDir, method: str, path: str, body: object = None, *, instead: str) -> Any:
    """Answer what the service says. Ends the program with its sentence, or with `instead` when none runs."""
    answer = ask_service(datadir, method, path, body)
    if answer is None:
        refuse(f"no service runs on this data directory; {instead}", NOT_SO)
    status, told = answer
    if status != _OK:
        refuse(told["error"]["message"], NOT_SO)
    return told


def ask_service(datadir: DataDir, method: str, path: str, body: object = None) -> tuple[int, Any] | None:
    """Status and JSON of its answer; None when no service runs there."""
    return asyncio.run(_exchange(datadir, method, path, body))


async def _exchange(datadir: DataDir, method: str, path: str, body: object) -> tuple[int, Any] | None:
    import aiohttp

    connector = aiohttp.UnixConnector(str(datadir.run_path / "control.sock"))
    content = None if body is None else msgspec.json.encode(body)
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://control{path}", data=content) as response,
        ):
            return response.status, msgspec.json.decode(await response.read())
    except aiohttp.ClientError:
        return None
