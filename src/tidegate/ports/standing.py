"""Where it is kept what is known of accounts, for longer than a process lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record


class StandingStore(Protocol):
    """One record for each user. Every write is durable when it returns.

    Role and dates are the user's own, as the AccountStore has them, and are not
    written here. A user of whom nothing was saved has the record of an account
    just made, in a cohort of its own. A record goes with its user.
    """

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something: operators, the vouched for, most days first."""

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are users, in the order asked."""

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept, all or nothing; silently nothing for those who are no users."""
