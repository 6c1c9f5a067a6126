"""What is known of accounts: in memory to decide by, in the store to last.

Decisions read the register only. It is filled from the store, the best known
first, and by whoever calls and was not in it; what changes is written back now
and then. A store that fails is no reason to refuse anybody: the caller counts
as a newcomer until the store can be asked again, and changes wait in the
register, within its bound. What was counted since the last `flush` is lost with
the process: a few answers of a day that will be counted at the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from tidegate.core.accounts import User
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, standing_of
from tidegate.core.standing.register import Register
from tidegate.ports.standing import StandingStore
from tidegate.ports.storage import StorageUnavailableError

FLUSH_EVERY_S: Final = 15.0

_BATCH: Final = 500
"""Records written at once: others who write wait for no longer than that takes."""


class Reputation:
    """Keeps a register and a store together. `clock` tells Unix seconds."""

    def __init__(self, store: StandingStore, register: Register, clock: Callable[[], float]) -> None:
        """Know nobody yet."""
        self.register = register
        self.failures = 0
        self._store = store
        self._clock = clock
        self._writing = asyncio.Lock()

    async def load(self) -> int:
        """Read the best known accounts, as many as are remembered; answers how many. Raises StorageUnavailableError."""
        found = await self._store.best_known(self.register.most)
        # The best last: who was read first is forgotten first.
        for record in reversed(found):
            self.register.know(record)
        return len(found)

    async def meet(self, user: User) -> Record:
        """What is known of somebody who has just shown who they are. Asks the store only when memory does not know."""
        known = self.register.record(user.id)
        if known is not None:
            return known
        try:
            return await self._read(user)
        except StorageUnavailableError:
            # Open, as a newcomer; not remembered, so that the next request asks again.
            self.failures += 1
            return Record.of(user)

    def served(self, principal: UserId, cost_tokens: float, in_flight: int) -> None:
        """Count a request that was served, while so many of the account's were in flight, this one too."""
        self.register.served(principal, cost_tokens, in_flight, self._clock())

    def joined(self, user: User, net: Fingerprint | None, *, is_flooded: bool, inviter: UserId | None = None) -> None:
        """Remember where an account was made that its owner made, whether a flood ran, and who invited them."""
        self.register.change(Record.of(user, net, is_born_in_flood=is_flooded, is_self_made=True, inviter=inviter))

    def verified(self, user: User) -> None:
        """Remember that somebody reads the mail of their address. Of an account that is not known, nothing is."""
        record = self.register.record(user.id)
        if record is not None:
            self.register.change(msgspec.structs.replace(record, is_verified=True))

    async def is_unproved(self, user: User) -> bool:
        """Whether somebody made this account for themselves who has not shown that they read the mail of its address.

        Raises StorageUnavailableError.
        """
        record = await self.find(user.id)
        return record is not None and record.is_self_made and not record.is_verified

    async def vouch(self, user: User, *, is_vouched: bool) -> Standing:
        """Give or withdraw an operator's word; kept when this returns.

        Raises StorageUnavailableError; then it counts already, and is kept when the store can be written again.
        """
        return await self.vouch_record(await self._read(user), is_vouched=is_vouched)

    async def find(self, principal: UserId) -> Record | None:
        """What is known of somebody who may have no account. Raises StorageUnavailableError."""
        known = self.register.record(principal)
        if known is not None:
            return known
        found = await self._store.find([principal])
        return self._remembered(found[0]) if found else self.register.record(principal)

    async def vouch_record(self, record: Record, *, is_vouched: bool) -> Standing:
        """Do as `vouch` for whom `record` is of: as found, or just made for somebody of whom nothing is known yet."""
        worded = (self.register.record(record.principal) or record).with_word(is_vouched=is_vouched)
        self.register.change(worded)
        async with self._writing:
            # What was counted while this waited stands in the newer record; an older one must not come after it.
            await self._save([self.register.record(record.principal) or worded])
        return standing_of(worded, self.register.plan, self._clock())

    async def records(self, users: Sequence[User]) -> list[Record]:
        """What is known of each, for lists: nobody is remembered for it. Raises StorageUnavailableError."""
        found = {record.principal: record for record in await self._store.find([user.id for user in users])}
        return [self.register.record(user.id) or found.get(user.id) or Record.of(user) for user in users]

    async def standings(self, users: Sequence[User]) -> list[Standing]:
        """How well each is known, for lists: nobody is remembered for it. Raises StorageUnavailableError."""
        return [standing for standing, _ in await self.described(users)]

    async def described(self, users: Sequence[User]) -> list[tuple[Standing, bool]]:
        """The same, each with whether an operator vouches for them. Raises StorageUnavailableError."""
        now, plan = self._clock(), self.register.plan
        return [(standing_of(record, plan, now), record.is_vouched) for record in await self.records(users)]

    async def flush(self) -> bool:
        """Write what has changed. False when the store failed: what was not written is tried again next time."""
        async with self._writing:
            changed = self.register.changed()
            try:
                for start in range(0, len(changed), _BATCH):
                    await self._save(changed[start : start + _BATCH])
            except StorageUnavailableError:
                self.failures += 1
                return False
            return True

    async def flush_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Flush for ever, until cancelled. Whoever stops it flushes once more."""
        while True:
            await sleep(FLUSH_EVERY_S)
            await self.flush()

    async def _read(self, user: User) -> Record:
        return await self.find(user.id) or self._remembered(Record.of(user))

    def _remembered(self, read: Record) -> Record:
        # Another request of theirs may have been first, and something may have been counted since.
        known = self.register.record(read.principal)
        if known is not None:
            return known
        self.register.know(read)
        return read

    async def _save(self, records: list[Record]) -> None:
        await self._store.save(records)
        self.register.saved(records)
