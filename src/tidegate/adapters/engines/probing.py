"""Looks after the servers behind the gate: whether they answer, and how much they do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from tidegate.adapters.engines import telemetry
from tidegate.adapters.engines.kinds import MODELS_PATH, Kind
from tidegate.adapters.engines.passing import PassingEngines
from tidegate.adapters.engines.servers import TooMuchError, whole
from tidegate.adapters.engines.upstream import UnreachableError, Upstream
from tidegate.core.capacity.pool import Pool
from tidegate.ports.upstream import UpstreamBrokeError

_PROBE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_ASK_EVERY_S: Final = 5.0
_OK: Final = 200
_NOT_FOUND: Final = 404
_TURNED_DOWN: Final = frozenset({401, 403})
_SERVER_ERROR: Final = 500
_NOTHING_CAME: Final = 599
_TELLING: Final = (
    (Kind.LLAMA_CPP, "/slots"),
    (Kind.VLLM, "/metrics"),
    (Kind.SGLANG, "/metrics"),
    (Kind.LLAMA_CPP, "/metrics"),
)


class Probing:
    """Probes. `causes` are why a server failed its last one, empty where it did not."""

    def __init__(
        self,
        pool: Pool,
        upstreams: Mapping[str, Upstream],
        engines: PassingEngines,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`engines` let go of what they asked of a server that answers nobody."""
        self._pool = pool
        self._upstreams = upstreams
        self._engines = engines
        self._clock = clock
        self.causes: dict[str, str] = {}
        self._asked: set[str] = set()

    async def look_after(self) -> None:
        """Probe servers that are untried, silent or resting, and ask all how much they do, for ever."""
        asked_at = -_ASK_EVERY_S
        async with asyncio.TaskGroup() as works:
            while True:
                now = self._clock()
                for name in self._pool.probe_due(now):
                    works.create_task(self._probe(name))
                if now - asked_at >= _ASK_EVERY_S:
                    asked_at = now
                    for name in self._upstreams.keys() - self._asked:
                        works.create_task(self._ask_how_much(name))
                self._engines.let_go_of_the_dead()
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _probe(self, name: str) -> None:
        why = "silent"
        try:
            status, payload = await self._fetch(name, MODELS_PATH)
            is_well = _is_well(status, payload, has_own_key=self._upstreams[name].has_own_key)
            why = "" if is_well else _why(status, payload)
        finally:
            self.causes[name] = why
            self._pool.probed(name, is_well=not why, now=self._clock())

    async def _ask_how_much(self, name: str) -> None:
        """Ask one of the places that its kind tells it at; which kind it is shows in what it answers to."""
        self._asked.add(name)
        try:
            for kind, path in _TELLING:
                status, payload = await self._fetch(name, path)
                told = telemetry.read(kind, path, payload) if status == _OK else None
                if told is not None:
                    self._pool.told(name, told, self._clock())
                if told is not None or status == _NOTHING_CAME:
                    return
        finally:
            self._asked.discard(name)

    async def _fetch(self, name: str, path: str) -> tuple[int, bytes]:
        """Status and body of a short answer; 599 and the kind of error where there was none."""
        try:
            async with asyncio.timeout(_PROBE_S):
                opened = await self._upstreams[name].open("GET", path, (), b"", _PROBE_S)
                try:
                    return opened.status, await whole(opened, telemetry.MOST_BYTES)
                finally:
                    opened.close()
        except UnreachableError as error:
            return _NOTHING_CAME, error.kind.encode()
        except (UpstreamBrokeError, TooMuchError, TimeoutError) as error:
            return _NOTHING_CAME, type(error).__name__.encode()


def _is_well(status: int, payload: bytes, *, has_own_key: bool) -> bool:
    """Whether a server lists models, or would if it were asked by somebody whose key it knows."""
    if status in _TURNED_DOWN:
        return not has_own_key
    if status == _OK:
        return payload.lstrip()[:1] in {b"{", b"["}  # And no page, as something else at that address would show.
    return status < _SERVER_ERROR and status != _NOT_FOUND


def _why(status: int, payload: bytes) -> str:
    """`payload` is the kind of error where nothing came."""
    if status == _NOTHING_CAME:
        return payload.decode("ascii", "replace")
    if status == _OK:
        return f"something that is no list of models at {MODELS_PATH}"
    if status in _TURNED_DOWN:
        return "refuses the gate's key"
    return f"status {status} at {MODELS_PATH}"
