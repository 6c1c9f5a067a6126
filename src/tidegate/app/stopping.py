"""How the service stops: what signals ask for, and how running answers come to an end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import msgspec

from tidegate.services.lifecycle import Lifecycle

_LAST_WORDS_S = 5.0


class Told(msgspec.Struct, frozen=True):
    """What signals have asked for: the first one to stop, the next to hurry."""

    stop: asyncio.Event
    hurry: asyncio.Event


def listen_to_signals() -> Told:
    """Take SIGTERM and SIGINT from here on."""
    told = Told(asyncio.Event(), asyncio.Event())

    def asked() -> None:
        (told.hurry if told.stop.is_set() else told.stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return told


async def drain(lifecycle: Lifecycle, drain_s: float, hurry: asyncio.Event) -> int:
    """Let running answers finish, up to the limit or a second signal; then end them and tell how many."""
    lifecycle.drain_s, lifecycle.is_draining = drain_s, True
    idle, hurried = asyncio.create_task(lifecycle.idle.wait()), asyncio.create_task(hurry.wait())
    await asyncio.wait({idle, hurried}, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    cut = lifecycle.answering
    lifecycle.expire()
    await asyncio.wait({idle}, timeout=_LAST_WORDS_S)
    idle.cancel()
    hurried.cancel()
    return cut


def when_hung_up(told: Callable[[], None]) -> None:
    """Have `told` called on each SIGHUP, by which daemons are asked to read their settings again."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, told)
