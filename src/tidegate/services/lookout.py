"""Looks after all that answers for models, as it comes and goes: is each still what was pinned?

Of one server one model is asked at a time, however many it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from tidegate.core.models.sameness import Look
from tidegate.ports.journal import Journal
from tidegate.services.looks import PinError, Pinned, SamenessReport, Target
from tidegate.services.pinning import PinBook
from tidegate.services.sameness import SamenessWatcher

_FOLLOW_S: Final = 1.0


class NotPinned(msgspec.Struct, frozen=True, kw_only=True):
    """What was not pinned, and why."""

    model: str
    replica: str | None
    why: str


class Pinnings(msgspec.Struct, frozen=True, kw_only=True):
    """What came of pinning all that answers now."""

    pinned: list[Pinned]
    not_pinned: list[NotPinned]


class Lookout:
    """`targets` tells what there is at that moment. `looked` hears of every look at something that still is."""

    def __init__(
        self,
        targets: Callable[[], Iterable[Target]],
        every_s: float,
        *,
        book: PinBook,
        journal: Journal,
        clock: Callable[[], float],
        looked: Callable[[Look], None],
    ) -> None:
        """Nobody is asked yet."""
        self._targets = targets
        self._every_s = every_s
        self._book = book
        self._journal = journal
        self._clock = clock
        self._looked = looked
        self._turns: dict[str, asyncio.Lock] = {}
        self._watchers: dict[tuple[str, str], SamenessWatcher] = {}
        self._follow()

    def reports(self) -> list[SamenessReport]:
        """Where each stands, without asking anybody."""
        self._follow()
        return [watcher.report() for watcher in self._watchers.values()]

    async def look_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look for ever, until cancelled."""
        tasks: dict[SamenessWatcher, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._follow()
                watchers = list(self._watchers.values())
                for watcher in [one for one in tasks if one not in watchers]:
                    tasks.pop(watcher).cancel()
                for watcher in watchers:
                    if watcher not in tasks:
                        tasks[watcher] = group.create_task(watcher.look_now_and_then(sleep))
                await sleep(_FOLLOW_S)

    async def pin(self, replica: str | None = None) -> Pinnings:
        """Pin what answers now, all of it or one engine's. Raises PinError when nothing was."""
        self._follow()
        chosen = [one for one in self._watchers.values() if replica is None or one.report().replica == replica]
        if not chosen:
            known = ", ".join(sorted({str(one.report().replica) for one in self._watchers.values()} - {"None"}))
            msg = f"there is no engine {replica}; there is: {known or 'the embedded one alone'}"
            raise PinError(msg)
        tried = await asyncio.gather(*(_tried(one) for one in chosen))
        pinned = [one for one in tried if isinstance(one, Pinned)]
        not_pinned = [one for one in tried if isinstance(one, NotPinned)]
        if not pinned:
            raise PinError("; ".join(dict.fromkeys(one.why for one in not_pinned)))
        return Pinnings(pinned=pinned, not_pinned=not_pinned)

    def _follow(self) -> None:
        """Have a watcher for each target, and for nothing else."""
        targets = {target.key: target for target in self._targets()}
        self._watchers = {key: self._watchers.get(key) or self._watcher(target) for key, target in targets.items()}
        self._turns = {server: self._turns[server] for server, _ in targets}

    def _watcher(self, target: Target) -> SamenessWatcher:
        return SamenessWatcher(
            target,
            self._every_s,
            book=self._book,
            journal=self._journal,
            clock=self._clock,
            looked=lambda look: self._heard(target, look),
            turn=self._turns.setdefault(target.server, asyncio.Lock()),
        )

    def _heard(self, target: Target, look: Look) -> None:
        # What was left out while it was looked at has no figures any more.
        if any(one.key == target.key for one in self._targets()):
            self._looked(look)


async def _tried(watcher: SamenessWatcher) -> Pinned | NotPinned:
    try:
        return await watcher.pin()
    except PinError as error:
        report = watcher.report()
        return NotPinned(model=report.model, replica=report.replica, why=str(error))
