"""Hands sources that keep sending to the firewall, and keeps the record of it.

What is decided is decided on the way of a request, synchronously; it is carried
out here, some moments later. A firewall that cannot be told keeps nobody out and
stops nothing: the gate goes on refusing, and it is told again, ever more slowly.
In a dry run all of it is written down and nothing handed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Final

from tidegate.core.events import FirewallChanged, FirewallFailed, FirewallSpared, Level, Tag
from tidegate.core.firewall.elements import ComesThrough, Element, EndedBy, Mode, Spared
from tidegate.core.firewall.inhabited import Kept
from tidegate.core.firewall.offloading import Offloading
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.identifiers import Fingerprint
from tidegate.ports.firewall import Firewall, FirewallUnavailableError
from tidegate.ports.journal import Journal

EVERY_S: Final = 60.0
"""So often what was spared is counted in the journal, and the memory of who lives where is kept."""
SOON_S: Final = 0.2
"""So long is waited for more, once there is something to tell the firewall."""
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 60.0


class Handover:
    """Carries out what `offloading` decides. `clock` tells Unix seconds, the same as of whoever asks for decisions.

    `keep` keeps the memory of who lives where over a restart; it may raise OSError.
    """

    def __init__(
        self,
        *,
        offloading: Offloading,
        firewall: Firewall | None,
        journal: Journal,
        fingerprint: Callable[[str], Fingerprint],
        clock: Callable[[], float],
        keep: Callable[[Kept], Awaitable[None]],
    ) -> None:
        """Nothing is handed over yet. What an earlier run left in the firewall is taken back, where that can be."""
        self.offloading = offloading
        self.failures = 0
        self.mistake: str | None = None  # What went wrong the last time, while it does.
        self._firewall = firewall
        self._journal = journal
        self._fingerprint = fingerprint
        self._clock = clock
        self._keep = keep
        self._unsent: list[Element] = []
        self._is_stale = True
        self._told_edition = 0
        self._retry_s, self._retry_at = _FIRST_RETRY_S, 0.0
        self._spared: dict[Spared, int] = {}
        self._counted_at = clock()
        self._awake = asyncio.Event()

    @property
    def unsent(self) -> int:
        """How many elements the firewall has not taken yet."""
        return len(self._unsent)

    def refused(self, address: bytes, now: float) -> None:
        """Somebody who is not known was refused at this address, of which the peer itself is the caller."""
        found = self.offloading.refused(address, now)
        if found is not None:
            self.decided(found)

    def decided(self, found: Element | Spared | ComesThrough) -> None:
        """Take what `offloading` has answered to a refusal."""
        if isinstance(found, Spared):
            self._spare(found)
            return
        if isinstance(found, ComesThrough):
            self._spare(Spared.COMES_THROUGH)
            element = found.element
        else:
            self._record(Tag.FIREWALL_ADDED, found)
            element = found
        if self._is_handing_over and all(element is not one for one in self._unsent):
            self._unsent.append(element)
            self._stale()

    def _spare(self, why: Spared) -> None:
        self._spared[why] = self._spared.get(why, 0) + 1

    def seen(self, address: bytes, now: float) -> None:
        """A valid session or key came from this address, of which the peer itself is the caller."""
        self._ended(self.offloading.seen(address, now), EndedBy.INHABITANT)

    def forget(self, address: bytes) -> list[Element]:
        """End every element that holds this address; answers which those were."""
        ended = self.offloading.forget(address)
        self._ended(ended, EndedBy.OPERATOR)
        return ended

    def apply(self, plan: FirewallPlan) -> None:
        """Decide by another plan from now on."""
        self._ended(self.offloading.apply(plan), EndedBy.POLICY)
        self._stale()

    async def step(self) -> float:
        """Do what is to be done now; answers the seconds until something is, if nothing else happens."""
        now = self._clock()
        self.offloading.expire(now)
        self._is_stale = self._is_stale or self.offloading.edition != self._told_edition
        if self._is_stale and now >= self._retry_at:
            await self._tell(now)
        if now - self._counted_at >= EVERY_S:
            self._count(now)
            await self._keep_memory(now)
        ends = [element.until_s for element in self.offloading.live]
        if self._is_stale:
            ends.append(self._retry_at)
        return max(SOON_S, min(self._counted_at + EVERY_S, *ends, now + EVERY_S) - self._clock())

    async def go_on(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Step for ever, until cancelled."""
        while True:
            wait_s = await self.step()
            try:
                await asyncio.wait_for(self._awake.wait(), wait_s)
            except TimeoutError:
                continue
            self._awake.clear()
            # A flood tips many scales at once: they go in one.
            await sleep(SOON_S)

    async def close(self) -> None:
        """Count what was not counted, keep the memory, and take back what a firewall would keep without us."""
        now = self._clock()
        self._count(now)
        await self._keep_memory(now, is_last=True)
        if self._firewall is not None:
            try:
                await self._firewall.enforce((), ())
            except FirewallUnavailableError as error:
                self._failed(error, now)

    @property
    def _is_handing_over(self) -> bool:
        return self._firewall is not None and self.offloading.plan.mode is Mode.ON

    async def _tell(self, now: float) -> None:
        firewall, self._told_edition = self._firewall, self.offloading.edition
        if firewall is None:
            self._is_stale = False
            return
        live = self.offloading.live if self._is_handing_over else []
        alive = {element.prefix: element for element in live}
        self._unsent = [element for element in self._unsent if alive.get(element.prefix) is element]
        added, self._is_stale = list(self._unsent), False
        try:
            await firewall.enforce(added, live)
        except FirewallUnavailableError as error:
            self._is_stale = True
            self._failed(error, now)
            return
        self.mistake = None
        self._retry_s, self._retry_at = _FIRST_RETRY_S, 0.0
        sent = set(map(id, added))
        self._unsent = [element for element in self._unsent if id(element) not in sent]

    def _failed(self, error: FirewallUnavailableError, now: float) -> None:
        self.failures, self.mistake = self.failures + 1, str(error)
        self._retry_at, self._retry_s = now + self._retry_s, min(_LONGEST_RETRY_S, self._retry_s * 2.0)
        self._journal.record(FirewallFailed(t=now, level=Level.WARNING, failures=self.failures, unsent=self.unsent))

    def _ended(self, elements: list[Element], by: EndedBy) -> None:
        for element in elements:
            self._record(Tag.FIREWALL_ENDED, element, by)
        if elements:
            self._stale()

    def _stale(self) -> None:
        self._is_stale = True
        self._awake.set()

    def _count(self, now: float) -> None:
        over_s, self._counted_at = now - self._counted_at, now
        if self._spared:
            self._journal.record(FirewallSpared(t=now, over_s=round(over_s, 3), spared=dict(self._spared)))
            self._spared.clear()

    async def _keep_memory(self, now: float, *, is_last: bool = False) -> None:
        inhabited = self.offloading.inhabited
        if is_last or inhabited.has_changed:
            try:
                await self._keep(inhabited.kept(now, is_whole=is_last))
            except OSError:
                # Kept again with the next change; a start without it watches for a day before it hands anything over.
                inhabited.has_changed = True

    def _record(self, tag: Tag, element: Element, by: EndedBy | None = None) -> None:
        self._journal.record(
            FirewallChanged(
                t=self._clock(),
                event=tag,
                src=self._fingerprint(str(ip_address(element.pressed_by))),
                bits=element.bits,
                why=element.reason,
                mode=self.offloading.plan.mode,
                until_s=element.until_s,
                times=element.times,
                by=by,
            )
        )
