"""Fair queueing by what was consumed, within the promises that were given.

Fair queueing over flows whose finish tags are virtual token counters (Demers,
Keshav, Shenker 1989; Sheng et al. 2024, "Fairness in Serving Large Language
Models"): a request starts at max(virtual time, its flow's counter), its tag is
that plus its cost, the smallest tag goes next, and the counter grows by what is
reserved when it asks, topped up and finally spent. Virtual time is the greatest start of
those that went. So idleness banks nothing, whoever consumed more than others
waits until they have caught up, and what costs little goes before what costs
much.

Alone that would let a stream of new flows pass an old expensive one for ever.
So whoever waits is promised a wait, and the order by tags holds only as far as
every promise can still be kept at the rate that the class can count on (earliest
due date, Jackson 1955). A promise is `MARGIN` times the forecast: only half of
the future is sold, the rest is for those who come later and ask for little.

Counters are bounded: the flow longest unseen is forgotten, which can only lower
its counter to virtual time, as for a flow that comes for the first time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import accumulate
from math import inf
from typing import Final

import msgspec

MARGIN: Final = 2.0


class Entry(msgspec.Struct, frozen=True, order=True):
    """One that waits, ordered by tag, then by arrival. It shall have started by `due_at`."""

    tag: float
    sequence: int
    start: float
    ticket: int
    cost: float
    due_at: float


class Counters:
    """Virtual counters of at most `most` flows, and the virtual time that they are held against."""

    def __init__(self, most: int) -> None:
        """Nobody has consumed anything."""
        self.most = most
        self.virtual_time = 0.0
        self._finish: dict[str, float] = {}

    def __len__(self) -> int:
        """How many flows are remembered."""
        return len(self._finish)

    def start(self, flow: str) -> float:
        """Where a flow's next request starts."""
        return max(self.virtual_time, self._finish.get(flow, 0.0))

    def charge(self, flow: str, cost: float) -> None:
        """Count what a flow asked for, or with a negative cost what it did not consume after all."""
        counter = self._finish.pop(flow, 0.0)
        # A counter below virtual time would be banked idleness; one that is given back to was there already.
        self._finish[flow] = max(self.virtual_time, counter) + cost if cost > 0 else counter + cost
        while len(self._finish) > self.most:
            del self._finish[next(iter(self._finish))]

    def went(self, start: float) -> None:
        """Move virtual time to the start of one that goes."""
        self.virtual_time = max(self.virtual_time, start)


class FairQueue:
    """Those of one class that wait, in the order in which they go."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._entries: list[Entry] = []
        self._by_due: list[Entry] = []
        self._tags: list[float] = []
        # The costs of all up to each. Made when asked for, and kept: most who ask are refused and change nothing.
        self._sums: list[float] | None = None
        self.cost = 0.0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """All that wait, smallest tag first."""
        return iter(self._entries)

    def add(self, entry: Entry) -> None:
        """Let one wait."""
        insort(self._entries, entry)
        insort(self._by_due, entry, key=_due)
        self._sums = None
        self.cost += entry.cost

    def remove(self, entry: Entry) -> None:
        """Let one go, or give up."""
        del self._entries[bisect_left(self._entries, entry)]
        del self._by_due[bisect_left(self._by_due, _due(entry), key=_due)]
        self._sums = None
        self.cost = self.cost - entry.cost if self._entries else 0.0

    def order(self, rate: float, free_at: float) -> Iterator[Entry]:
        """Who goes next: by tag, as long as all others can still start when promised; else the one due first.

        Work is done at `rate`, from `free_at` on.
        """
        # If they went as they fall due: by how much those before each could start later.
        room: dict[int, float] = {}
        at, least, last_late = free_at, inf, 0
        for place, entry in enumerate(self._by_due):
            room[entry.sequence] = least
            spare_s = entry.due_at - at
            if spare_s < 0:
                last_late = place
            least = min(least, spare_s)
            at += entry.cost / rate
        before_late = {entry.sequence for entry in self._by_due[:last_late]}
        passed = []
        for entry in list(self._entries):
            if entry.sequence not in before_late and room[entry.sequence] >= entry.cost / rate:
                yield entry
            else:
                passed.append(entry)
        yield from sorted(passed, key=_due)

    def position(self, tag: float, sequence: int) -> int:
        """Where one stands that waits; 1 is next."""
        return bisect_left(self._entries, (tag, float(sequence)), key=_tag) + 1

    def wait_s(self, tag: float, rate: float) -> float:
        """Seconds that those take whose tags are not above this, at `rate` cost tokens a second."""
        if self._sums is None:
            self._tags = [entry.tag for entry in self._entries]
            self._sums = list(accumulate((entry.cost for entry in self._entries), initial=0.0))
        return self._sums[bisect_right(self._tags, tag)] / rate

    def promise_s(self, tag: float, cost: float, rate: float, now: float, busy_s: float) -> float:
        """Seconds within which one who comes with this tag can be sure to start, no other promise being broken."""
        # When each would start if they went as they fall due, the last being one who comes after all.
        starts = list(accumulate((entry.cost / rate for entry in self._by_due), initial=busy_s))
        first = len(self._by_due)
        while first and self._by_due[first - 1].due_at - now - starts[first - 1] >= cost / rate:
            first -= 1
        # It falls due after those that it must not delay, as well as starting after them.
        after_s = self._by_due[first - 1].due_at - now if first else 0.0
        promised_s = max(MARGIN * (busy_s + self.wait_s(tag, rate)), starts[first], after_s)
        while first < len(self._by_due) and self._by_due[first].due_at - now <= promised_s:
            first += 1
            promised_s = max(promised_s, starts[first])
        return promised_s


def _due(entry: Entry) -> tuple[float, int]:
    return entry.due_at, entry.sequence


def _tag(entry: Entry) -> tuple[float, float]:
    return entry.tag, entry.sequence
