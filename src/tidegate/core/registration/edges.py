"""How long the step down from a mode takes, after it has been up and down before.

A flap is a rise within `memory_s` (an hour) of the fall of the same edge. After a flap
the edge does not fall for an hour: so there is at most one flap an hour, whatever the
load does. Beyond that the dwell doubles with each flap, up to a limit, and halves again
with each hour between a fall and the next rise.
"""

from __future__ import annotations

import msgspec


class Edge(msgspec.Struct, frozen=True):
    """One edge, from a mode to the next. Times are steady seconds; `doubled` counts flaps that still weigh."""

    fell_at: float | None = None
    flapped_at: float | None = None
    doubled: int = 0

    def risen(self, now: float, memory_s: float) -> Edge:
        """After a rise."""
        if self.fell_at is None:
            return self
        calm_s = now - self.fell_at
        if calm_s <= memory_s:
            return Edge(self.fell_at, now, self.doubled + 1)
        return Edge(self.fell_at, self.flapped_at, max(0, self.doubled - int(calm_s / memory_s)))

    def fallen(self, now: float) -> Edge:
        """After a fall."""
        return Edge(now, self.flapped_at, self.doubled)

    def wait_s(self, calm_s: float, dwell_s: float, limit_s: float, memory_s: float, now: float) -> float:
        """How long until it may fall, after `calm_s` of calm; 0.0 is now."""
        # Beyond 2**32 the limit has long been reached.
        rest_s = min(limit_s, dwell_s * 2.0 ** min(self.doubled, 32)) - calm_s
        held_s = 0.0 if self.flapped_at is None else self.flapped_at + memory_s - now
        return max(0.0, rest_s, held_s)
