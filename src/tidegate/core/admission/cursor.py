"""Refusing the same people for an hour, instead of everybody now and then.

Under lasting overload a conversation of five questions would survive five
independent refusals of one half in 3 % of cases. So who is refused depends on a
hash of the principal and the hour, as in DAGOR (Zhou et al. 2018, "Overload
Control for Scaling WeChat Microservices", section 4.2): whoever gets in, gets
in again, and next hour others do. The cursor is the part that gets in. Strangers are
taken by their cohort: of names of their own choice they would choose what gets in.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

_WINDOW_S: Final = 1.0
_DOWN: Final = 0.95
_UP: Final = 0.01
_LOWEST: Final = 0.02
_HOUR_S: Final = 3600.0


class Cursor:
    """The part of a class's principals that is let in. Times are monotonic seconds."""

    def __init__(self) -> None:
        """Let everybody in."""
        self.part = 1.0
        self._since = 0.0
        self._was_overloaded = False

    def saw(self, now: float, *, is_overloaded: bool) -> None:
        """Take one arrival: was there no room for it, or would there be soon?"""
        self._was_overloaded = self._was_overloaded or is_overloaded
        if 0 <= now - self._since < _WINDOW_S:
            return
        self.part = max(_LOWEST, self.part * _DOWN) if self._was_overloaded else min(1.0, self.part + _UP)
        self._since, self._was_overloaded = now, False

    def lets_in(self, who: str, now: float) -> bool:
        """Whether this principal or cohort is among those that are let in this hour."""
        return self.part >= 1.0 or level(who, now) < self.part


def level(who: str, now: float) -> float:
    """Where a principal or a cohort stands between 0 and 1 in this hour."""
    digest = blake2s(f"{who}:{int(now // _HOUR_S)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
