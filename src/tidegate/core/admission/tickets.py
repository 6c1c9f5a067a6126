"""One request inside the scheduler, from its entry to its end."""

from __future__ import annotations

import msgspec

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.fair import Entry
from tidegate.core.standing.classes import STRANGERS, Standing


class Ticket(msgspec.Struct, kw_only=True, eq=False):
    """Running while it has a `place`, else waiting where its `entry` says.

    `standing` is the class it is judged in, which is worse than its claim's
    when it goes beyond what is usual for its principal. `flows` are whose
    counters it is charged to, `charged` is how much of that is not settled yet.
    `is_by_right`: its place is its class's own, even beside known people.
    """

    number: int
    claim: Claim
    standing: Standing
    flows: tuple[str, ...]
    prompt_tokens: int
    reserved_tokens: int
    entry: Entry
    charged: float
    place: int | None = None
    is_by_right: bool = False
    is_begun: bool = False
    is_cut: bool = False
    is_returning: bool = False
    read_tokens: int = 0
    used_tokens: int = 0
    slices: int = 1
    returns: int = 0
    last_token_at: float | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it has no place."""
        return self.place is None

    @property
    def is_stranger(self) -> bool:
        """Whether it competes among those without a history."""
        return self.standing in STRANGERS

    @property
    def is_within_usual(self) -> bool:
        """Whether it is served in the class of a principal with a history."""
        return self.standing not in STRANGERS
