"""Where it is kept what is known of accounts, for longer than a process lives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record


class StandingStore(Protocol):
    """One record for each user, or for each caller of a gate. Every write is durable when it returns.

    Of users, role and dates are the user's own, as the AccountStore has them, and are not
    written here. A user of whom nothing was saved has the record of an account
    just made, in a cohort of its own. A record goes with its user.

    Callers have no account: whoever is saved is known from then on, with all that
    the record says, until there is no room for those known least.
    """

    async def best_known(self, limit: int) -> list[Record]:
        """At most `limit` records of those who have earned something: operators, the vouched for, most days first."""

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        """The records of those who are users, or known callers, in the order asked."""

    async def save(self, records: Sequence[Record]) -> None:
        """Replace what is kept, all or nothing; where there are users, silently nothing for those who are none."""
