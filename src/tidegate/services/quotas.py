"""Budgets of tokens: in memory to decide by, in the store to last.

Decisions read the ledger only. What is kept of an account and of a key is read
when they are first met, and what they use is written back now and then. A store
that fails is no reason to refuse anybody: only the defaults count until it can
be read, and what was used meanwhile is added to what it has. What was used since
the last `flush`, which counts also what still runs, is lost with the process,
unless it is told to stop, which flushes: at most what the engine reads and writes
in FLUSH_EVERY_S.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Final, Protocol

import msgspec

from tidegate.core.accounts import ApiKey, User
from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Budget, Payer, State
from tidegate.core.quotas.ledger import Exhausted, Held, Ledger, Out
from tidegate.core.quotas.windows import Window
from tidegate.ports.quotas import QuotaStore
from tidegate.ports.storage import StorageUnavailableError

FLUSH_EVERY_S: Final = 15.0

_BATCH: Final = 500
"""Rows written at once: others who write wait for no longer than that takes."""

LEAST_S: Final = 1.0
"""Nobody is told to come back sooner."""


class QuotaExhaustedError(Exception):
    """A budget is used up. The message is for the caller; it is full again in `retry_after_s`."""

    def __init__(self, state: State, retry_after_s: float, principal: str) -> None:
        """`principal` is the account: any other payer is a key of its."""
        whose = "account" if state.payer == principal else "key"
        again = (
            f"in {ceil(retry_after_s)} s" if state.window is Window.MINUTE else f"from {_moment(state.resets_at_s)} on"
        )
        # Who is new shall know that it is not for ever.
        new = "is new and " if state.is_probation else ""
        more = " It may use more as it gets older and is used." if state.is_probation else ""
        super().__init__(
            f"This {whose} {new}has used up the {state.limit:,} tokens that it may use in one {state.window}. "
            f"Please try again {again}.{more}"
        )
        self.retry_after_s = retry_after_s


class QuotaHeldError(Exception):
    """Requests that are in may use up what is left of a budget; one of them should be over in `retry_after_s`."""

    def __init__(self, gone_s: float) -> None:
        """Carry the promise."""
        self.retry_after_s = max(LEAST_S, gone_s)
        super().__init__(f"held for {self.retry_after_s:.1f} s")


class Line(Protocol):
    """Whatever runs what is charged here: the line of one model."""

    def had(self) -> Iterable[tuple[int, int]]:
        """The bills of what runs, and what each has come to so far."""

    def gone_s(self, principal: str) -> float:
        """When the first of somebody's requests there should be over; 0.0 where there is none."""

    def inside(self, principal: str) -> int:
        """How many of somebody's requests run or wait there."""


def of_user(user_id: UserId) -> Payer:
    """An account as a payer."""
    return Payer(user_id, owner=user_id)


def of_key(key: ApiKey) -> Payer:
    """A key as a payer: it has the limits that were given to it, and its owner's count beside them."""
    return Payer(key.id, has_defaults=False, owner=key.owner)


class Quotas:
    """Keeps a ledger and a store together. `clock` tells Unix seconds."""

    def __init__(self, store: QuotaStore, ledger: Ledger, clock: Callable[[], float]) -> None:
        """Know nobody yet."""
        self.ledger = ledger
        self.failures = 0
        self._store = store
        self._clock = clock
        self._lines: list[Line] = []
        self._changes = 0
        self._writing = asyncio.Lock()
        self._changing = asyncio.Lock()

    def follow(self, line: Line) -> None:
        """Take a line for one whose requests are charged here, for as long as the process lives."""
        self._lines.append(line)

    # ------------------------------------------------------------ deciding

    async def meet(self, user: User, key: ApiKey | None = None) -> tuple[Payer, ...]:
        """Who pays for somebody's request. Asks the store only for those of whom memory does not know."""
        payers = (of_user(user.id),) if key is None else (of_user(user.id), of_key(key))
        unknown = [payer for payer in payers if not self.ledger.knows(payer.name)]
        if unknown:
            try:
                await self._read(unknown)
            except StorageUnavailableError:
                # Open, by the defaults; not remembered as read, so that the next request asks again.
                self.failures += 1
        return payers

    def reserve(self, payers: Sequence[Payer], tokens: int) -> Out | Exhausted | Held:
        """Let a request begin that comes to at most so many tokens, or say what is in the way."""
        return self.ledger.reserve(payers, tokens, self._clock())

    def narrow(self, bill: int, tokens: int) -> None:
        """Hold no more than this for a bill."""
        self.ledger.narrow(bill, tokens)

    def settle(self, bill: int, tokens: int) -> None:
        """End a bill as what it came to. More than once does no harm."""
        self.ledger.settle(bill, tokens)

    def states(self, payers: Sequence[Payer]) -> list[State]:
        """Where payers stand who were met."""
        return self.ledger.states(payers, self._clock())

    def wait_s(self, state: State) -> float:
        """How long it is until a window ends."""
        return max(0.0, state.resets_at_s - self._clock())

    def gone_s(self, principal: str) -> float:
        """When the first of somebody's requests should be over, in whatever line; 0.0 where there is none."""
        return min(filter(None, (line.gone_s(principal) for line in self._lines)), default=0.0)

    def inside(self, principal: str) -> int:
        """How many of somebody's requests run or wait, in all lines."""
        return sum(line.inside(principal) for line in self._lines)

    # ------------------------------------------------------------ what operators do and see

    async def change(self, payer: Payer, limits: Mapping[str, int | None]) -> None:
        """Give a payer other limits of its own, by the names of a budget's; kept when this returns, and counting.

        Raises LookupError when its owner is gone, or StorageUnavailableError.
        """
        # One at a time: of two changes at once, each would take back the other's.
        async with self._changing:
            (own,) = await self.limits([payer])
            budget = msgspec.structs.replace(own, **limits)
            await self._store.allow(UserId(payer.owner), payer.name, budget)
            self._changes += 1
            self.ledger.allow(payer.name, budget)

    async def limits(self, payers: Sequence[Payer]) -> list[Budget]:
        """The limits of each one's own. Raises StorageUnavailableError."""
        return [kept.budget for kept in await self._store.find([payer.name for payer in payers])]

    async def described(self, payers: Sequence[Payer]) -> list[list[State]]:
        """Where each stands in every window, for lists: nobody is remembered for it. Raises StorageUnavailableError."""
        unknown = [payer for payer in payers if not self.ledger.knows(payer.name)]
        aside = Ledger(self.ledger.defaults, len(unknown) + 1, self.ledger.probation)
        found = await self._store.find([payer.name for payer in unknown]) if unknown else []
        for payer, kept in zip(unknown, found, strict=True):
            aside.know(payer, kept)
        now = self._clock()
        return [(self.ledger if self.ledger.knows(payer.name) else aside).states((payer,), now) for payer in payers]

    # ------------------------------------------------------------ lasting

    async def flush(self) -> bool:
        """Write what was used. False when the store failed: what was not written is tried again next time."""
        async with self._writing:
            for line in self._lines:
                for bill, tokens in line.had():
                    self.ledger.accrue(bill, tokens)
            try:
                await self._read(self.ledger.unread())
                changed = self.ledger.changed()
                for start in range(0, len(changed), _BATCH):
                    batch = changed[start : start + _BATCH]
                    await self._store.save([(UserId(payer.owner), kept) for payer, kept in batch])
                    self.ledger.saved([kept for _, kept in batch])
            except StorageUnavailableError:
                self.failures += 1
                return False
            return True

    async def flush_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Flush for ever, until cancelled. Whoever stops it flushes once more."""
        while True:
            await sleep(FLUSH_EVERY_S)
            await self.flush()

    async def _read(self, payers: Sequence[Payer]) -> None:
        if not payers:
            return
        names = [payer.name for payer in payers]
        changes, found = self._changes, await self._store.find(names)
        while changes != self._changes:
            # What was read while limits were being changed may be what they were before.
            changes, found = self._changes, await self._store.find(names)
        for payer, kept in zip(payers, found, strict=True):
            self.ledger.know(payer, kept)


def _moment(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M} UTC"
