"""Asks the service that runs on a data directory, through its control socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from tidegate.cli.output import NOT_SO, refuse

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir

_OK = 200


def ask(datadir: DataDir, method: str, path: str, *, instead: str) -> Any:
    """Answer what the service says. Ends the program with its sentence, or with `instead` when none runs."""
    answer = asyncio.run(_exchange(datadir, method, path))
    if answer is None:
        refuse(f"no service runs on this data directory; {instead}", NOT_SO)
    status, body = answer
    told = msgspec.json.decode(body)
    if status != _OK:
        refuse(told["error"]["message"], NOT_SO)
    return told


async def _exchange(datadir: DataDir, method: str, path: str) -> tuple[int, bytes] | None:
    import aiohttp

    connector = aiohttp.UnixConnector(str(datadir.run_path / "control.sock"))
    try:
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://control{path}") as response,
        ):
            return response.status, await response.read()
    except aiohttp.ClientError:
        return None
