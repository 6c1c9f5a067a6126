"""An agenda that a test turns by hand."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf


class HandAgenda:
    def __init__(self) -> None:
        self.now = 0.0
        self._sequence = 0
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []

    def at(self, when_s: float, do: Callable[[float], None]) -> None:
        self._sequence += 1
        heappush(self._entries, (max(when_s, self.now), self._sequence, do))

    def run(self, until_s: float = inf) -> None:
        while self._entries and self._entries[0][0] <= until_s:
            self.now, _, do = heappop(self._entries)
            do(self.now)
        if until_s < inf:
            self.now = max(self.now, until_s)
