"""Whether the generator kept up: how late it asked, and how much of its core that took.

A generator that is late measures itself. So each live run says how late requests left after the moment that their
actors had chosen, and calls itself the bottleneck when that is no longer small.
"""

from __future__ import annotations

import time
from array import array
from typing import Final

import msgspec

BOTTLENECK_LATE_S: Final = 0.05
BOTTLENECK_CORE: Final = 0.9


class Lateness(msgspec.Struct, frozen=True, kw_only=True):
    """`late` figures are seconds of asks; `core_share` the generator's part of one core while it played.

    `connections_waited` is how many requests had to wait for a connection at once, at the most.
    """

    asks: int
    late_p50_s: float
    late_p95_s: float
    late_most_s: float
    core_share: float
    connections_waited: int = 0

    @property
    def is_bottleneck(self) -> bool:
        """Whether the figures of this run say more of the generator than of the service."""
        return self.late_p95_s > BOTTLENECK_LATE_S or self.core_share > BOTTLENECK_CORE or self.connections_waited > 0

    def in_words(self) -> str:
        """One sentence for people."""
        said = (
            f"{self.asks:,} asks, late by {1000 * self.late_p95_s:.0f} ms at the 95th percentile; "
            f"the generator used {self.core_share:.0%} of a core"
        )
        if self.connections_waited:
            said += f"; up to {self.connections_waited:,} asks waited for a connection"
        return f"{said}. THE GENERATOR WAS THE BOTTLENECK." if self.is_bottleneck else f"{said}."


class LatenessMeter:
    """Measures it. Keeps four bytes an ask, of which a run has a bounded number."""

    def __init__(self) -> None:
        """From now on."""
        self._late = array("f")
        self._began_at = time.perf_counter()
        self._cpu_s = time.process_time()
        self.connections_waited = 0

    def asked(self, late_s: float) -> None:
        """One ask, so late."""
        self._late.append(max(0.0, late_s))

    def told(self) -> Lateness:
        """What it came to until now."""
        ordered = sorted(self._late)
        wall_s = max(1e-9, time.perf_counter() - self._began_at)

        def at(part: float) -> float:
            return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

        return Lateness(
            asks=len(ordered),
            late_p50_s=at(0.5),
            late_p95_s=at(0.95),
            late_most_s=at(1.0),
            core_share=(time.process_time() - self._cpu_s) / wall_s,
            connections_waited=self.connections_waited,
        )
