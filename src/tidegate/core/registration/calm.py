"""Is it calm at the door? The answer of the first second, long before a mode can change.

Sign-ups that come at an everyday rate ask nothing of anybody. As soon as more
come than that, everybody is asked for work or a wait, until it has been quiet for
a while: a flood must not win the accounts that its beginning would be given, nor
those that a bucket would go on giving out while it lasts.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.admission.bucket import Buckets

HELD_S: Final = 120.0
"""So long after the last sign-up that was too many it is believed that there are more to come."""

_ALL: Final = b""


class Calm:
    """Counts sign-ups of everybody together. `now` never steps (Unix seconds)."""

    def __init__(self, per_min: float, at_once: float) -> None:
        """Calm are so many a minute, and so many at once after a rest."""
        self._bucket = Buckets(per_min / 60.0, at_once, 1)
        self._pressed_until = float("-inf")

    def came(self, now: float, times: int = 1) -> None:
        """Count sign-ups that came, whatever becomes of them."""
        for _ in range(times):
            if self._bucket.take(_ALL, 1.0, now):
                self._pressed_until = now + HELD_S
                return

    def holds(self, now: float) -> bool:
        """Whether nobody need be asked for anything."""
        return now >= self._pressed_until

    def replan(self, per_min: float, at_once: float) -> None:
        """Go on by other bounds."""
        self._bucket.reshape(per_min / 60.0, at_once, 1)
