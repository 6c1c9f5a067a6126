"""The pretender within the test's own process: a service that is there at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.lab.live.pretender import Pretender
from tidegate.lab.live.service import LiveService, settings_text

LATEST: deque[Pretender] = deque(maxlen=1)
"""The one that was begun last, to be asked what it was shown."""


class Fellow:
    """In the place of the service's process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        self.returncode = -number

    async def wait(self) -> int:
        return self.returncode or 0


@contextlib.asynccontextmanager
async def pretended(
    settings: Mapping[str, Any], folder: Path, program: Sequence[str] = ()
) -> AsyncIterator[LiveService]:
    """In the place of `running`."""
    (folder / "tidegate.toml").write_text(settings_text(settings))
    one = Pretender(folder / "data", dict(settings))
    LATEST.append(one)
    (one.data / "run").mkdir(parents=True)
    one.log(t=time.time() + 60.0, kind="mode", **{"from": "open", "to": "throttled", "by": "auto"})
    async with contextlib.AsyncExitStack() as stack:
        ports = [await _listening(stack, app) for app in (one.public(), one.operator())]
        runner = await _runner(stack, one.control())
        await web.UnixSite(runner, str(one.data / "run" / "control.sock")).start()
        fellow = Fellow()
        lives_s = one.settings.get("lives_s")
        if lives_s is not None:
            asyncio.get_running_loop().call_later(lives_s, fellow.send_signal, 9)
        service = LiveService(fellow, folder, (ports[0], 0, ports[1]))  # type: ignore[arg-type] # as much of a process as is used
        yield await stack.enter_async_context(service)


async def _listening(stack: contextlib.AsyncExitStack, app: web.Application) -> int:
    runner = await _runner(stack, app)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port: int = runner.addresses[0][1]
    return port


async def _runner(stack: contextlib.AsyncExitStack, app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    return runner
