"""A QuotaStore in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Budget, Kept
from tidegate.ports.accounts import AccountStore


class MemoryQuotaStore:
    """Limits and use for as long as the object lives; `calls` counts each method's calls by name."""

    def __init__(self, accounts: AccountStore) -> None:
        """Start empty; `accounts` says which users there are."""
        self.calls: Counter[str] = Counter()
        self._accounts = accounts
        self._kept: dict[str, Kept] = {}

    async def find(self, payers: Sequence[str]) -> list[Kept]:
        """What is kept of each, in the order asked."""
        self.calls["find"] += 1
        return [self._kept.get(payer, Kept(payer=payer)) for payer in payers]

    async def allow(self, owner: UserId, payer: str, budget: Budget) -> None:
        """Replace the limits of a payer. Raises LookupError without the owner."""
        self.calls["allow"] += 1
        if await self._accounts.user(owner) is None:
            msg = "quota: there is no such user"
            raise LookupError(msg)
        self._kept[payer] = msgspec.structs.replace(self._kept.get(payer, Kept(payer=payer)), budget=budget)

    async def save(self, used: Sequence[tuple[UserId, Kept]]) -> None:
        """Replace the use of payers."""
        self.calls["save"] += 1
        for owner, kept in used:
            if await self._accounts.user(owner) is not None:
                before = self._kept.get(kept.payer, kept)
                self._kept[kept.payer] = msgspec.structs.replace(
                    kept, budget=before.budget if kept.payer in self._kept else Budget()
                )
