"""Where it is kept what people and keys may use, and what they have used, for longer than a process lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Budget, Kept


class QuotaStore(Protocol):
    """Limits and use, by payer: the id of a user, or of a key that a user owns. Every write is durable.

    A payer of whom nothing was kept has no limits of its own and has used
    nothing. What is kept goes with the user who owns it.
    """

    async def find(self, payers: Sequence[str]) -> list[Kept]:
        """What is kept of each, in the order asked, for payers that nobody has ever heard of too."""

    async def allow(self, owner: UserId, payer: str, budget: Budget) -> None:
        """Replace the limits of a payer that `owner` owns. Raises LookupError without the owner."""

    async def save(self, used: Sequence[tuple[UserId, Kept]]) -> None:
        """Replace the use of payers, by owner, all or nothing; limits stay. Silently nothing for owners that are gone.

        At most one for each payer.
        """
