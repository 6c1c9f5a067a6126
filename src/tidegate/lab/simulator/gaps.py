"""How long the gaps between tokens were, for any answer among many that are written in the same batches.

All answers that are written at one time get their tokens from the same batches. So one
histogram of all batches, from which an answer notes a copy when it begins, tells at its
end what its own gaps were: the cost is that of two looks, however long the answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Final

_LEAST_S: Final = 0.0005
_LONGEST_S: Final = 120.0
_RATIO: Final = 1.1
_P95: Final = 0.95


def _edges() -> tuple[float, ...]:
    edges = [_LEAST_S]
    while edges[-1] < _LONGEST_S:
        edges.append(edges[-1] * _RATIO)
    return tuple(edges)


_EDGES: Final = _edges()
_MIDDLES: Final = (_LEAST_S, *(edge * _RATIO**0.5 for edge in _EDGES))
"""What a bin stands for: at most 5 % away from what was counted in it."""


class Gaps:
    """Counts the batches of one engine by how long they took."""

    def __init__(self) -> None:
        """None was."""
        self._counts: dict[int, int] = {}
        self._last_s, self._last_bin = -1.0, 0

    def took(self, batch_s: float, batches: int) -> None:
        """Count batches that took so long each."""
        if batch_s != self._last_s:
            self._last_s, self._last_bin = batch_s, bisect_right(_EDGES, batch_s)
        self._counts[self._last_bin] = self._counts.get(self._last_bin, 0) + batches

    def mark(self) -> dict[int, int]:
        """What to ask with later."""
        return self._counts.copy()

    def since(self, mark: Mapping[int, int]) -> tuple[float, float]:
        """Of the batches since then: the 95th percentile, and the longest; 0.0 where there was none."""
        own = sorted([(place, own) for place, count in self._counts.items() if (own := count - mark.get(place, 0))])
        if not own:
            return 0.0, 0.0
        above = (1.0 - _P95) * sum([count for _, count in own])
        longest = own[-1][0]
        while own[-1][1] <= above:
            above -= own.pop()[1]
        return _MIDDLES[own[-1][0]], _MIDDLES[longest]
