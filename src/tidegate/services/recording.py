"""Writes down what a recorder has gathered, now and then, where no request waits for it.

A disk that refuses stops the record, with one event, and nothing else: the service goes on. What was
gathered until then stands in the files.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from tidegate.core.decisions.lines import AnyLine, Began
from tidegate.core.events import Level, RecordStopped
from tidegate.ports.journal import Journal
from tidegate.services.recorder import Recorder

EVERY_S: Final = 0.25


class Files(Protocol):
    """Where lines go. Every method may raise OSError, and is called from a thread of its own."""

    @property
    def is_full(self) -> bool:
        """Whether another part is to begin."""

    def begin(self, run: str, part: int, head: bytes) -> None:
        """Begin a part with its first line."""

    def append(self, lines: bytes) -> None:
        """Write whole lines."""

    def close(self) -> None:
        """Write no more."""


class Recording:
    """See the head of this file. `clock` tells Unix seconds."""

    def __init__(
        self,
        recorder: Recorder,
        files: Files,
        journal: Journal,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Nothing is written yet."""
        self.recorder = recorder
        self._files = files
        self._journal = journal
        self._clock = clock
        self._sleep = sleep
        self._encoder = msgspec.json.Encoder()
        self._part = 0

    async def write_now_and_then(self) -> None:
        """Write for as long as the service runs and the disk takes it."""
        while self.recorder.is_on:
            await self.write()
            await self._sleep(EVERY_S)

    async def write(self) -> None:
        """Write what has been gathered."""
        recorder = self.recorder
        if not recorder.is_on or recorder.register is None:
            return
        # Taken first: whoever is met from here on is met in the part that begins.
        lines, head = recorder.take(), None
        if self._files.is_full:
            self._part += 1
            head = recorder.begin(self._part)
        work = asyncio.create_task(asyncio.to_thread(self._put, lines, head))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            # The service ends: what is being written is written whole before anything else is.
            await asyncio.gather(work, return_exceptions=True)
            raise
        except OSError as error:
            recorder.stop()
            self._journal.record(RecordStopped(t=self._clock(), level=Level.ERROR, errno=error.errno or errno.EIO))

    async def close(self) -> None:
        """Write the rest and close."""
        await self.write()
        try:
            self._files.close()
        except OSError:
            self.recorder.stop()  # All of it was taken before: there is nothing left to tell.

    def _put(self, lines: list[AnyLine], head: Began | None) -> None:
        """Write lines where those whom they are about were met: before another part begins, but for the first."""
        if head is not None and head.part == 1:
            self._begin(head)
        if lines:
            self._files.append(self._encoder.encode_lines(lines))
        if head is not None and head.part > 1:
            self._begin(head)

    def _begin(self, head: Began) -> None:
        self._files.begin(head.run, head.part, self._encoder.encode(head) + b"\n")
