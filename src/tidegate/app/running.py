"""What a service and a gate have in common while they run: their log, and their servers up to the last answer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Final, Protocol

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.telemetry.log import JsonLog, console_echo
from tidegate.app.listening import Server, bind_path
from tidegate.app.stopping import Told, drain
from tidegate.config import Settings
from tidegate.core.events import ServiceChanged, Tag
from tidegate.ports.journal import Journal
from tidegate.services.lifecycle import Lifecycle

_CONTROL: Final = "control.sock"


class Ending(Protocol):
    """Whoever watches it stop."""

    def draining(self, running: int, limit_s: float) -> None:
        """It stops; `running` answers may still go on for `limit_s`."""

    def stopped(self, cut: int) -> None:
        """Nothing is served any more; `cut` answers were ended before they were complete."""


def open_log(settings: Settings, datadir: DataDir, *, is_echoed: bool = False) -> JsonLog:
    """Open the instance's log; echoed, it also goes where nobody sits at a terminal."""
    return JsonLog(
        datadir.logs_path / "events.jsonl",
        max_bytes=settings.log.max_bytes,
        kept_files=settings.log.kept_files,
        echo=console_echo() if is_echoed else None,
    )


async def serve_until_told(
    pairs: Sequence[tuple[Server, socket.socket]],
    control: Server,
    datadir: DataDir,
    lifecycle: Lifecycle,
    drain_s: float,
    journal: Journal,
    audience: Ending,
    told: Told,
) -> None:
    """Serve each socket by its server, and verbs by `control`, until a signal says to stop; then drain."""
    pairs = [*pairs, (control, bind_path(datadir.run_path / _CONTROL))]
    tasks = [asyncio.create_task(one.serve(sockets=[listener])) for one, listener in pairs]
    stopping = asyncio.create_task(told.stop.wait())
    # A server that ends by itself has failed: then all of it stops, loudly.
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    journal.record(ServiceChanged(t=time.time(), event=Tag.SERVICE_DRAINING, running=lifecycle.answering))
    audience.draining(lifecycle.answering, drain_s)
    cut = await drain(lifecycle, drain_s, told.hurry)
    for one, _ in pairs:
        one.should_exit = True
    await asyncio.gather(*tasks)
    stopping.cancel()
    (datadir.run_path / _CONTROL).unlink(missing_ok=True)
    audience.stopped(cut)
