"""Starts, watches and ends the engine's process. One at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidegate.adapters.engines.child import EnginePlan

CHILD_COMMAND: Final = (sys.executable, "-m", "tidegate.adapters.engines.child")
_KEPT_LINES = 20
_LINE_BYTES = 2000


class EngineProcess:
    """A child process and its last words while it loads."""

    def __init__(
        self, plan: EnginePlan, environment: Mapping[str, str], command: Sequence[str] = CHILD_COMMAND
    ) -> None:
        """Nothing is started yet. `environment` is the child's whole environment."""
        self._environment = environment
        self._plan = plan
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._words: deque[str] = deque(maxlen=_KEPT_LINES)
        self._is_listening = True

    @property
    def pid(self) -> int | None:
        """The child's process id, if one runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def last_words(self) -> list[str]:
        """What the child wrote to standard error while loading, newest last."""
        return list(self._words)

    async def spawn(self) -> None:
        """Start the child and hand it its plan."""
        self._words.clear()
        self._is_listening = True
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            env=dict(self._environment),
        )
        self._listener = asyncio.create_task(self._listen(self._process))
        stdin = self._process.stdin
        if stdin is not None:
            plan = msgspec.structs.replace(self._plan, parent_pid=os.getpid())
            stdin.write(msgspec.json.encode(plan) + b"\n")
            with contextlib.suppress(ConnectionError):  # It died at once; `wait` will tell.
                await stdin.drain()

    def stop_listening(self) -> None:
        """Forget and discard its words from now on: once it serves, they may quote prompts."""
        self._is_listening = False
        self._words.clear()

    async def wait(self) -> int:
        """Wait for the child's end and answer its exit status (negative: the signal's number)."""
        if self._process is None:
            return 0
        status = await self._process.wait()
        if self._listener is not None:
            await self._listener
        return status

    async def kill(self) -> None:
        """End the child now and collect it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.wait()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        # The pipe is always drained: a full one would stop the child in the middle of a token.
        stderr = process.stderr
        while stderr is not None:
            try:
                line = await stderr.readline()
            except ValueError:  # Longer than the limit: dropped by the reader.
                continue
            if not line:
                return
            if self._is_listening:
                self._words.append(line.decode("utf-8", "replace").rstrip())
