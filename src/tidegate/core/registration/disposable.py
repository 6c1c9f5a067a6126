"""Which domains hand out addresses for a few minutes, by a list that has a date.

Such a list is evidence, never a verdict: people use these domains to be left
alone, and lists are wrong about some. It also ages, as new domains appear every
day: from FRESH_DAYS on what it says counts half. Its age is for operators to see.
"""

from __future__ import annotations

from typing import Final

import msgspec

DAY_S: Final = 86_400.0

FRESH_DAYS: Final = 90.0
"""So long after it was taken a list counts in full."""

STALE_WEIGHT: Final = 0.5

_MOST_LABELS: Final = 6
"""More than any entry has. A domain of a hundred labels costs no more than one of these."""


class DisposableList(msgspec.Struct, frozen=True, kw_only=True):
    """A list of domains as somebody keeps it in public: `source` and `commit` say which, `taken_at_s` (Unix s) when."""

    source: str
    commit: str
    licence: str
    taken_at_s: float
    domains: frozenset[str]

    def has(self, domain: str) -> bool:
        """Whether the domain, or one that it lies below, is listed. `domain` is in small letters."""
        labels = domain.rstrip(".").split(".")[-_MOST_LABELS:]
        return any(".".join(labels[start:]) in self.domains for start in range(len(labels) - 1))

    def age_days(self, now: float) -> float:
        """How old the list is; never less than nothing."""
        return max(0.0, (now - self.taken_at_s) / DAY_S)

    def weight(self, now: float) -> float:
        """How much it counts that a domain is listed, from 0 to 1."""
        return 1.0 if self.age_days(now) <= FRESH_DAYS else STALE_WEIGHT
