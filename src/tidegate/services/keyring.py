"""Keys that were found a moment ago, so that a caller in conversation does not cost a query a request.

What is remembered is at most `LIFETIME_S` old and `CAPACITY` keys large, the
longest unused given up first; only genuine, live keys get here, so an attacker
cannot fill it. A revocation through this process forgets at once; one through
another process that shares the database counts after `LIFETIME_S` at most.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import msgspec

from tidegate.core.accounts import ApiKey, User
from tidegate.core.identifiers import UserId
from tidegate.ports.accounts import AccountStore

LIFETIME_S: Final = 5.0
CAPACITY: Final = 10_000
USE_GRAIN_S: Final = 60.0
"""How exactly the last use of a key is kept: a write for each request would not be cheap."""


class _Entry(msgspec.Struct):
    user: User
    key: ApiKey
    found_at: float


async def _meet_nobody(user: User) -> None:
    del user


def _tell_nobody(digest: bytes) -> None:
    del digest


class Keyring:
    """Finds live keys, first among those it remembers. `ticks` tells monotonic seconds."""

    def __init__(
        self,
        accounts: AccountStore,
        ticks: Callable[[], float],
        *,
        met: Callable[[User], Awaitable[object]] = _meet_nobody,
        dead: Callable[[bytes], None] = _tell_nobody,
    ) -> None:
        """Remember nothing yet. `met` is awaited for owners of keys found in the store, `dead` told of those not."""
        self._accounts = accounts
        self._ticks = ticks
        self._met = met
        self._dead = dead
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._revocations = 0

    async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
        """Find the unrevoked key with this digest, and its owner."""
        entry = self._entries.get(digest)
        if entry is not None and entry.key.owner == owner and self._ticks() - entry.found_at < LIFETIME_S:
            self._entries.move_to_end(digest)
            return entry.user, entry.key
        revocations = self._revocations
        found = await self._accounts.live_key(owner, digest)
        if found is None:
            self._dead(digest)
            return None
        await self._met(found[0])
        # A key that was read while another was being revoked may be that very one.
        if revocations == self._revocations:
            self._entries[digest] = _Entry(*found, self._ticks())
            self._entries.move_to_end(digest)
            if len(self._entries) > CAPACITY:
                self._entries.popitem(last=False)
        return found

    def forget(self, owner: UserId) -> None:
        """One of the owner's keys was just revoked: ask the store again for all of them."""
        self._revocations += 1
        for digest in [digest for digest, entry in self._entries.items() if entry.key.owner == owner]:
            del self._entries[digest]

    def use(self, digest: bytes, now: float) -> Coroutine[Any, Any, None] | None:
        """Note that a remembered key is used at `now` (Unix s); the answer, if any, is to be awaited some time."""
        entry = self._entries.get(digest)
        if entry is None or (entry.key.last_used_at_s is not None and now - entry.key.last_used_at_s < USE_GRAIN_S):
            return None
        entry.key = msgspec.structs.replace(entry.key, last_used_at_s=now)
        return self._accounts.note_key_use(entry.key.owner, entry.key.id, now)
