"""Tells the journal what was refused at the gate: some in full, all of them counted.

A line for each refusal would be a gift to a flood: it would fill the disk. So
the first few of a second have a line of their own, marked as a sample, and
every few seconds one line counts them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from typing import Final

from tidegate.core.admission.facts import Lane
from tidegate.core.capacity.pressure import TELLING, Pressure
from tidegate.core.events import GateRefused, Level, RequestCrashed, RequestFinished, RouteKind
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.guard import Report
from tidegate.http.refusals import WIRE
from tidegate.ports.journal import Journal
from tidegate.services.failures import origin

EVERY_S: Final = 5.0
TOLD_AT_ONCE: Final = 8
"""The pressure hears of a flood's refusals in lots of so many, and of what is left whenever the journal does."""

# Python 3.11 takes as long for a member of an enumeration as for a call.
_SIGN_UP: Final = Lane.SIGN_UP
_KINDS = {Lane.INFERENCE: RouteKind.CHAT, Lane.PAGE: RouteKind.PAGE, Lane.ASSET: RouteKind.PAGE}
_NETWORK_BITS = {4: 24, 6: 48}


class Telling:
    """Counts for the journal and for the pressure. `clock` tells Unix seconds, `ticks` monotonic ones."""

    def __init__(
        self,
        journal: Journal,
        pressure: Pressure,
        fingerprint: Callable[[str], Fingerprint],
        clock: Callable[[], float],
        ticks: Callable[[], float],
    ) -> None:
        """Nothing was refused yet."""
        self._journal = journal
        self._pressure = pressure
        self._fingerprint = fingerprint
        self._clock = clock
        self._ticks = ticks
        self._refused: dict[Reason, int] = {}
        self._would: dict[Reason, int] = {}
        self._untold = 0
        self._sign_ups = 0
        self._since = ticks()

    def counted(self, reason: Reason, standing: Standing, lane: Lane | None) -> None:
        """Count one refusal."""
        del standing
        if lane is _SIGN_UP:
            self._sign_ups += 1
        self._refused[reason] = self._refused.get(reason, 0) + 1
        if reason in TELLING:
            self._untold += 1
            if self._untold >= TOLD_AT_ONCE:
                self._press(self._ticks())

    def take_sign_ups(self) -> int:
        """How many sign-ups were refused since this was asked last."""
        taken, self._sign_ups = self._sign_ups, 0
        return taken

    def spared(self, reason: Reason) -> None:
        """Count one that a dry run let through."""
        self._would[reason] = self._would.get(reason, 0) + 1

    def reported(self, report: Report) -> None:
        """Write one refusal down in full."""
        facts = report.facts
        address = None if facts.address is None else ip_address(facts.address)
        network = None if address is None else ip_network((address, _NETWORK_BITS[address.version]), strict=False)
        self._journal.record(
            RequestFinished(
                t=self._clock(),
                id=report.id,
                route=_KINDS.get(facts.lane, RouteKind.OTHER),
                status=WIRE[report.reason].status,
                total_s=0.0,
                reason=report.reason,
                src=None if address is None else self._fingerprint(str(address)),
                net=None if network is None else self._fingerprint(str(network)),
                acct=None if facts.principal is None else self._fingerprint(facts.principal),
                standing=report.standing,
                is_sample=True,
            )
        )

    def crashed(self, request: RequestId, error: Exception) -> None:
        """Write a defect of the gate's own down."""
        kind, place = origin(error)
        self._journal.record(
            RequestCrashed(t=self._clock(), level=Level.ERROR, id=request, error=kind, raised_at=place)
        )

    def tell(self) -> None:
        """Write down what was counted since the last time, if anything was."""
        now = self._ticks()
        if self._untold:
            self._press(now)
        over_s, self._since = now - self._since, now
        if not self._refused and not self._would:
            return
        self._journal.record(
            GateRefused(t=self._clock(), over_s=round(over_s, 3), refused=dict(self._refused), would=dict(self._would))
        )
        self._refused.clear()
        self._would.clear()

    def _press(self, now: float) -> None:
        self._pressure.refused(now, self._untold)
        self._untold = 0

    async def tell_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Tell for ever, until cancelled; then once more."""
        try:
            while True:
                await sleep(EVERY_S)
                self.tell()
        finally:
            self.tell()
