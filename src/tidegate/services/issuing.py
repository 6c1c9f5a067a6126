"""Keys of a gate's own: issued to callers, ended, and told from those that count no more.

Only one process uses a gate's store, so a key that was found there once counts
until it is ended here. What is remembered of that is bounded, the longest unused
given up first; only keys that count get here, so nobody else can fill it.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from tidegate.core.callers import IssuedKey
from tidegate.core.credentials import RANDOM_BYTES, Genuine, Kind, ServerKeys, digest, issue
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record
from tidegate.ports.callers import IssuedKeyStore
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.reputation import Reputation

CAPACITY: Final = 10_000
_PRINCIPAL_BYTES: Final = 8


def _tell_nobody(digest: bytes) -> None:
    del digest


class Issuing:
    """Issues keys, ends them, and knows those that count. `clock` tells Unix seconds."""

    def __init__(
        self,
        store: IssuedKeyStore,
        server_keys: ServerKeys,
        reputation: Reputation,
        clock: Callable[[], float],
        *,
        most: int = CAPACITY,
    ) -> None:
        """Remember nothing yet."""
        self.dead: Callable[[bytes], None] = _tell_nobody
        """Told the digest of every key that does not count, when that is found or made so."""
        self._store = store
        self._server_keys = server_keys
        self._reputation = reputation
        self._clock = clock
        self._most = most
        self._live: OrderedDict[bytes, None] = OrderedDict()
        self._revocations = 0

    @property
    def remembered(self) -> int:
        """How many keys are remembered to count."""
        return len(self._live)

    async def create(self, name: str) -> tuple[UserId, str]:
        """Make a caller and its key; the text is nowhere but in the answer. Raises StorageUnavailableError."""
        now, principal = self._clock(), UserId.of(os.urandom(_PRINCIPAL_BYTES))
        text = issue(Kind.API_KEY, principal, self._server_keys, now=now, entropy=os.urandom(RANDOM_BYTES))
        await self._store.issue(IssuedKey(digest=digest(text), principal=principal, name=name, issued_at_s=now))
        self._reputation.register.change(Record.of_caller(principal, now))
        # Should it fail, what is written next time says the same; the key counts already.
        await self._reputation.flush()
        return principal, text

    async def revoke(self, principal: UserId) -> int:
        """End a caller's keys at once, and forget it; answers how many counted. Raises StorageUnavailableError."""
        ended = await self._store.revoke(principal)
        self._revocations += 1
        for one in ended:
            self._live.pop(one, None)
            self.dead(one)
        if ended:
            self._reputation.register.forget(principal)
        return len(ended)

    async def names(self, principals: list[UserId]) -> dict[UserId, str]:
        """What an operator called those of them who have a key of the gate's own. Raises StorageUnavailableError."""
        return {key.principal: key.name for key in await self._store.issued_to(principals)}

    async def is_live(self, key: Genuine) -> bool:
        """Whether a key that this instance has made counts; then its caller is known from here on.

        Raises StorageUnavailableError for one of which nothing is remembered.
        """
        if key.digest in self._live:
            self._live.move_to_end(key.digest)
        elif not await self._find(key):
            self.dead(key.digest)
            return False
        if self._reputation.register.record(key.principal) is None:
            await self._meet(key.principal)
        return True

    async def _find(self, key: Genuine) -> bool:
        revocations = self._revocations
        found = await self._store.issued(key.digest)
        if found is None:
            return False
        # A key that was read while another was being ended may be that very one.
        if revocations == self._revocations:
            self._live[key.digest] = None
            if len(self._live) > self._most:
                self._live.popitem(last=False)
        return True

    async def _meet(self, principal: UserId) -> None:
        """Have the register know somebody whom it has forgotten, or the store has."""
        try:
            found = await self._reputation.find(principal)
        except StorageUnavailableError:
            # Open, and as a stranger: asked again with the next request.
            self._reputation.failures += 1
            return
        if found is None:
            self._reputation.register.change(Record.of_caller(principal, self._clock()))
