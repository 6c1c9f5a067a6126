"""Asks a running service on the control socket of its data directory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir


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
