"""How a live service is, seen as its operator sees it: vitals each second, and what its log says that happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final, Protocol

import msgspec

from tidegate.lab.hearing import Happened, Listener, Sampled

EVERY_S: Final = 1.0
_MOST_READ_BYTES: Final = 4 << 20
_TOLD: Final = (b'"kind":"mode"', b'"kind":"firewall"', b'"kind":"engine"', b'"kind":"change"')


class Watched(Protocol):
    """What tells how it is."""

    @property
    def log_path(self) -> Path:
        """Where it writes what happened."""

    async def vitals(self) -> dict[str, Any] | None:
        """How it is now; None where it does not say."""

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Answer what it says to its operator."""


class Served:
    """Tokens that came out of the service, counted by whoever reads answers."""

    def __init__(self) -> None:
        """None yet."""
        self.cost = 0.0
        self.asked = 0
        self.failed = 0


class _Line(msgspec.Struct):
    t: float
    kind: str
    event: str = ""
    was: str = msgspec.field(name="from", default="")
    to: str = ""
    by: Any = ""
    state: str = ""
    is_dry: bool = False
    detail: Any = ""
    mode: str = ""


class Watch:
    """Tells a listener how the service is, until cancelled."""

    def __init__(
        self,
        service: Watched,
        served: Served,
        listener: Listener,
        began_at: float,
        began_unix_s: float,
        is_guessed_at: Callable[[], Any],
    ) -> None:
        """`is_guessed_at` tells whether the page to sign in asks strangers for work: while passwords are tried."""
        self._service = service
        self._served = served
        self._listener = listener
        self._began_at = began_at
        self._began_unix_s = began_unix_s
        self._is_guessed_at = is_guessed_at
        self._was_guessed_at = False
        self._read_bytes = 0
        self._rest = b""
        self._mode = "open"
        self._best_tok_s = 0.0

    async def run(self) -> None:
        """Look each second."""
        looked_at, cost, asked, failed = monotonic(), 0.0, 0, 0
        while True:
            await asyncio.sleep(EVERY_S)
            vitals = await self._service.vitals()
            await self._see_guesses()
            self.read_log()
            now, served = monotonic(), self._served
            tok_s = (served.cost - cost) / (now - looked_at)
            self._best_tok_s = max(self._best_tok_s, tok_s)
            wrong = (served.failed - failed) / max(1, served.asked - asked)
            looked_at, cost, asked, failed = now, served.cost, served.asked, served.failed
            self._listener.sampled(
                Sampled(
                    at_s=now - self._began_at,
                    running=vitals["running"] if vitals else 0,
                    waiting=vitals["waiting"] if vitals else 0,
                    tok_s=tok_s,
                    capacity_tok_s=self._best_tok_s,
                    err_rate=wrong,
                    mode=self._mode,
                    is_healthy=vitals is not None and vitals["engine"]["state"] == "ready",
                )
            )

    def read_log(self) -> None:
        """Tell what was written since the last time."""
        try:
            with self._service.log_path.open("rb") as log:
                log.seek(self._read_bytes)
                piece = log.read(_MOST_READ_BYTES)
        except OSError:
            return
        self._read_bytes += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if any(mark in line for mark in _TOLD):
                self._tell(line)

    def _tell(self, line: bytes) -> None:
        try:
            told = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            return
        at_s = told.t - self._began_unix_s
        if at_s < 0.0 or told.is_dry:
            return
        by = "operator" if "operator" in str(told.by) else "auto"
        match told.kind, told.event:
            case "mode", _:
                self._mode = told.to
                self._listener.happened(Happened(at_s=at_s, what="mode", was=told.was, to=told.to, by=by))
            case "firewall", "firewall:added" if told.mode != "dry_run":
                self._listener.happened(Happened(at_s=at_s, what="handover", to="firewall"))
            case "engine", _:
                self._listener.happened(Happened(at_s=at_s, what="engine", to=told.state))
            case _:
                return

    async def _see_guesses(self) -> None:
        is_guessed_at = await self._is_guessed_at()
        if is_guessed_at and not self._was_guessed_at:
            at_s = monotonic() - self._began_at
            self._listener.happened(Happened(at_s=at_s, what="suspicion", to="guessing"))
        self._was_guessed_at = is_guessed_at
