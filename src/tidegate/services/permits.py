"""How many newcomers are let in: so many a minute, and no more than letters are left for.

Where an account begins with a letter, each that is let in is a letter promised. So the
line slows down below half of the budget, and stands before it is used up: whoever takes
passes to waste letters makes the wait longer for everybody, and does not shut the door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from tidegate.core.admission.bucket import Buckets

LETTERS_FEW: Final = 0.5
"""Below this part of the budget the line slows down; from there on the mode is throttled for want of letters."""
LETTERS_KEPT: Final = 0.15
"""And here it stands: well before the mode asks for invitations because of letters (`ModePlan.mail_low`)."""
_LETTERS_OF_PASS: Final = 3
_MOST_AT_ONCE: Final = 20.0
_ALL: Final = b""


class JoiningPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How many are let in where it is not calm: a minute, and at once after a rest."""

    per_min: float = 30.0
    at_once: float = 5.0


class Letting(Protocol):
    """Sends the letter that an account begins with."""

    async def confirm_sign_up(self, email: str) -> None:
        """Send it, whoever has the address. Raises ValueError naming the field."""

    def budget_left(self, promised: int = 0) -> float | None:
        """The part of the letters to strangers that is left, 0 to 1, after so many promised ones; None without mail."""


class Permits:
    """Permits to let somebody in. `passes` tells how many were let in and have not signed up; `now` are seconds."""

    def __init__(self, plan: JoiningPlan, letters: Letting | None, passes: Callable[[], int]) -> None:
        """As many as there are after a rest. Without `letters` only the rate counts."""
        self._bucket = Buckets(plan.per_min / 60.0, plan.at_once, 1)
        self._letters = letters
        self._passes = passes

    def replan(self, plan: JoiningPlan) -> None:
        """Go on at another rate."""
        self._bucket.reshape(plan.per_min / 60.0, plan.at_once, 1)

    def take(self, now: float, others: int = 0) -> bool:
        """Take a permit to let one more in, beside `others` who are let in at this moment; False when there is none."""
        if self._bucket.wait_s(_ALL, 1.0, now):
            return False
        part = self._part(others)
        if part <= 0.0:
            return False
        # In debt for it where few letters are left: the next waits longer.
        self._bucket.charge(_ALL, min(_MOST_AT_ONCE, max(1.0, 1.0 / part)))
        return True

    @property
    def letters_of_pass(self) -> int:
        """So many letters may be sent with one pass: an address is easily mistyped. One, where few are left."""
        return _LETTERS_OF_PASS if self._part() >= 1.0 else 1

    def _part(self, others: int = 0) -> float:
        """How far letters allow to let people in: 1 and more is freely, 0 and less is nobody."""
        left = None if self._letters is None else self._letters.budget_left(self._passes() + others)
        return 1.0 if left is None else (left - LETTERS_KEPT) / (LETTERS_FEW - LETTERS_KEPT)
