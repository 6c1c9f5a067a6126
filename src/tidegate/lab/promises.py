"""A wait that somebody was told, and what it came to: one meaning for both worlds.

Who had what was told of is known to have waited so long. Of who left before, nobody knows what it would have come to;
unless the promise was broken already: then it is what they waited until then, however much longer it would have been.
"""

from __future__ import annotations


class Promise:
    """What one asker is told. Times are seconds of one clock, whichever."""

    __slots__ = ("_told_at", "_waited_s", "promised_s")

    def __init__(self) -> None:
        """Nothing was told. `promised_s` is None until then."""
        self.promised_s: float | None = None
        self._told_at = 0.0
        self._waited_s: float | None = None

    def told(self, promised_s: float, now: float) -> None:
        """Hear how long it will be: the first time counts."""
        if self.promised_s is None:
            self.told_anew(promised_s, now)

    def told_anew(self, promised_s: float, now: float) -> None:
        """Hear it of something else than before: that promise counts instead."""
        self.promised_s, self._told_at, self._waited_s = promised_s, now, None

    def over(self, now: float) -> None:
        """What was told of is here: the first time counts."""
        if self.promised_s is not None and self._waited_s is None:
            self._waited_s = now - self._told_at

    def waited_s(self, now: float) -> float | None:
        """What the wait came to, for who asks no further; None where nobody knows."""
        if self.promised_s is None or self._waited_s is not None:
            return self._waited_s
        waited_s = now - self._told_at
        return waited_s if waited_s > self.promised_s else None
