"""The line for the one worker that hashes passwords: who is next, and who is told to come again.

A ticket waits -> runs -> is gone, or waits -> is gone: its caller left, it was
evicted, or waited longer than patience allows. What decides:

Between places: start-time fair queueing (Goyal, Vin and Cheng 1996), each place
by its share, the better place where tags are equal. A place in which nobody
waited begins at the present virtual time, so whoever comes to an empty place
waits for the hash that runs and for at most one of each other place; one with a
backlog goes on at its share. Every share is kept: known devices are first, and
strangers always get theirs, whatever known devices do.

Within a place: known ones in the order of their coming. Strangers draw lots, the
greater effort first: a flood gains nothing by being early, and a full place
exchanges its lowest lot for a higher one. So of n that come in the time of one
hash, each has one chance in n, the first as the last.

Of one account (as it was typed) only `most_per_account` may be in a place, so
nobody fills a place by asking for one account again and again; among strangers
lots decide there, too, and who asks for that account on another device than the
crowd is not kept out by it.

While the service is attacked strangers and those who join get no more than
`attacked_part` of the worker's time together. A hash takes a core from everybody
else, and its price is what a flood of passwords is for.

What can never happen: two running; more than `most_waiting` in a place; a known
device refused for strangers' sake; a free worker while somebody waits whom no
budget holds back; a stranger running while attacked beyond burst and part.

Bounds: `remembered` is at most the sum of `most_waiting`, and one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.admission.bucket import Buckets
from tidegate.core.entering.places import UNKNOWN, Claim, Place

_EWMA_WEIGHT: Final = 0.2
_LEAST_S: Final = 0.1
_LEAST_JOB_S: Final = 1e-4
_LONGEST_S: Final = 120.0
_RANK: Final = {place: rank for rank, place in enumerate(Place)}
_WORKER: Final = "worker"

_SHARES: Final = {
    Place.OWN: 0.15,
    Place.ESTABLISHED: 0.35,
    Place.MEMBER: 0.15,
    Place.NEWCOMER: 0.1,
    Place.STRANGER: 0.2,
    Place.JOINING: 0.05,
}
_WAITING: Final = {
    Place.OWN: 16,
    Place.ESTABLISHED: 64,
    Place.MEMBER: 32,
    Place.NEWCOMER: 16,
    Place.STRANGER: 12,
    Place.JOINING: 8,
}


class LinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Shares are minima relative to each other; times in seconds, `attacked_part` of one core."""

    shares: dict[Place, float] = msgspec.field(default_factory=lambda: dict(_SHARES))
    most_waiting: dict[Place, int] = msgspec.field(default_factory=lambda: dict(_WAITING))
    most_per_account: int = 2
    patience_s: float = 10.0
    attacked_part: float = 0.25
    attacked_burst_s: float = 0.5
    first_guess_s: float = 0.03


class Full(msgspec.Struct, frozen=True):
    """There is no room; there should be in `retry_after_s`."""

    retry_after_s: float


class Joined(msgspec.Struct, frozen=True):
    """The ticket waits. `evicted` is the one that had to make room for it, to be told `retry_after_s`."""

    evicted: int | None = None
    retry_after_s: float = 0.0


class Held(msgspec.Struct, frozen=True):
    """Somebody waits, but for a budget: ask again in `wait_s`."""

    wait_s: float


class _Waiting(msgspec.Struct, frozen=True):
    number: int
    claim: Claim
    came_at: float

    @property
    def precedence(self) -> tuple[float, float, int]:
        """The greatest is next."""
        claim = self.claim
        return (claim.effort, claim.lot, -self.number) if claim.place in UNKNOWN else (0.0, 0.0, -self.number)


class PasswordLine:
    """Decides. Synchronous; `now` is seconds of a clock that only goes forward. Ticket numbers rise."""

    def __init__(self, plan: LinePlan) -> None:
        """Nobody waits, nothing runs."""
        self.plan = plan
        self.job_s = plan.first_guess_s
        self._places: dict[Place, dict[int, _Waiting]] = {place: {} for place in Place}
        self._tags: dict[Place, float] = dict.fromkeys(Place, 0.0)  # Where the next of a place begins.
        self._virtual = 0.0
        self._running: tuple[int, Claim] | None = None
        self._worker = Buckets(plan.attacked_part, plan.attacked_burst_s, 1)

    @property
    def remembered(self) -> int:
        """How many tickets there are, running or waiting."""
        return sum(map(len, self._places.values())) + (self._running is not None)

    def waiting(self, place: Place) -> int:
        """How many wait in a place."""
        return len(self._places[place])

    def capacity(self) -> float:
        """How many passwords of strangers can be checked a second when everybody wants one: what an attack is
        measured by.
        """
        return self.plan.shares[Place.STRANGER] / sum(self.plan.shares.values()) / self.job_s

    def room(self, claim: Claim) -> Full | None:
        """Whether there is no room for a claim that came now. None is: there is; the line is as it was."""
        waiting = self._places[claim.place]
        if self._rival(claim) is not None:
            return None
        own = sum(one.claim.account == claim.account for one in waiting.values()) if claim.account else 0
        if own < self.plan.most_per_account and len(waiting) < self.plan.most_waiting[claim.place]:
            return None
        return Full(self.drain_s(claim.place))

    def join(self, number: int, claim: Claim, now: float) -> Joined | Full:
        """Let a new ticket wait, or say when to come again."""
        full = self.room(claim)
        if full is not None:
            return full
        waiting = self._places[claim.place]
        rival = self._rival(claim)
        if rival is not None:
            del waiting[rival.number]
        if not waiting:
            self._tags[claim.place] = max(self._tags[claim.place], self._virtual)
        waiting[number] = _Waiting(number, claim, now)
        return Joined() if rival is None else Joined(rival.number, self.drain_s(claim.place))

    def leave(self, number: int) -> None:
        """A ticket that waits does so no longer; one that does not is left alone."""
        for waiting in self._places.values():
            waiting.pop(number, None)

    def late(self, now: float) -> list[int]:
        """Drop and answer those that have waited for too long."""
        late = [
            one.number
            for waiting in self._places.values()
            for one in waiting.values()
            if now - one.came_at >= self.plan.patience_s
        ]
        for number in late:
            self.leave(number)
        return late

    def call(self, now: float, *, is_attacked: bool) -> int | Held | None:
        """Let the next one run and answer its number; None when something runs already, or nobody waits."""
        if self._running is not None:
            return None
        # What strangers use is counted in calm too: an attack does not begin with a gift.
        held_s = self._worker.wait_s(_WORKER, min(self.job_s, self.plan.attacked_burst_s), now) if is_attacked else 0.0
        open_to = [place for place, waiting in self._places.items() if waiting and not (held_s and place in UNKNOWN)]
        if not open_to:
            return Held(held_s) if held_s and any(self._places.values()) else None
        place = min(open_to, key=lambda one: (self._tags[one], _RANK[one]))
        waiting = self._places[place]
        called = max(waiting.values(), key=lambda one: one.precedence)
        del waiting[called.number]
        self._virtual = max(self._virtual, self._tags[place])
        self._tags[place] += 1.0 / self.plan.shares[place]
        self._running = (called.number, called.claim)
        return called.number

    def done(self, number: int, took_s: float, now: float) -> None:
        """The running ticket is done, after so long."""
        if self._running is None or self._running[0] != number:
            return
        took_s = max(_LEAST_JOB_S, took_s)  # How many fit into a second is divided by this.
        self.job_s += _EWMA_WEIGHT * (took_s - self.job_s)
        if self._running[1].place in UNKNOWN:
            self._worker.wait_s(_WORKER, 0.0, now)
            self._worker.charge(_WORKER, took_s)
        self._running = None

    def drain_s(self, place: Place) -> float:
        """Seconds until whoever waits in a place has had a turn, if every other place has a backlog."""
        part = self.plan.shares[place] / sum(self.plan.shares.values())
        wait_s = (len(self._places[place]) + 1) * self.job_s / part
        return min(_LONGEST_S, max(_LEAST_S, wait_s))

    def _rival(self, claim: Claim) -> _Waiting | None:
        """Who has to go for a stranger: of its own account when that has its number, else anybody; with less only."""
        if claim.place not in UNKNOWN:
            return None
        waiting = self._places[claim.place].values()
        own = [one for one in waiting if claim.account and one.claim.account == claim.account]
        if len(own) < self.plan.most_per_account:
            own = list(waiting) if len(waiting) >= self.plan.most_waiting[claim.place] else []
        lowest = min(own, key=lambda one: one.precedence, default=None)
        if lowest is None or (claim.effort, claim.lot) <= lowest.precedence[:2]:
            return None
        return lowest
