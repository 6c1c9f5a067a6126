"""Which of several engines takes the next request.

The one with the least outstanding work for its weight, of those that serve the
model, are not known to be broken (breaker.py) and have room by their own rhythm
(concurrency.py). What an engine tells of itself only ever lowers what is
believed: it may be asked by others too.

    untried --answer or probe--> up
    any     --failures in a row--> broken --trial after a pause--> up
    any     --not in the plan any more--> draining: nothing new; gone when its last request ends

What can never happen: more outstanding on an engine than its limit; a request
for an engine that is draining or resting after failures; an engine forgotten
while something runs on it. Every `began` is followed by one `ended`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.capacity.blame import Blame
from tidegate.core.capacity.breaker import Breaker, BreakerPlan, BreakerState
from tidegate.core.capacity.concurrency import ConcurrencyLimit

_SOME_S: Final = 1.0
_BUSY_FACTOR: Final = 3.0
_TOLD_FOR_S: Final = 30.0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One engine. `models` are the names it is asked for, any when empty; at most `places` requests run on it."""

    name: str
    weight: float = 1.0
    places: int = 64
    models: frozenset[str] = frozenset()


class PoolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`gap_s`: time between tokens that is still good. `probe_after_s`: silence before an engine is probed.

    `probes_busy`: also while requests run on it, for engines that answer probes beside their work.
    `doubt_s`: so long after it has answered a request, what another fails at may be that one's own fault.
    """

    gap_s: float = 0.2
    probe_after_s: float = 5.0
    probes_busy: bool = False
    doubt_s: float = 3.0
    breaker: BreakerPlan = BreakerPlan()


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine tells of itself: requests it works on, those waiting in it, and its places if it knows them."""

    running: int = 0
    waiting: int = 0
    places: int | None = None


class Outcome(StrEnum):
    """How a request ended, as far as the engine is to blame."""

    GOOD = "good"
    FAILED = "failed"
    LEFT = "left"


class Missing(StrEnum):
    """Why there is no engine for a request."""

    MODEL = "model"
    BROKEN = "broken"
    BUSY = "busy"


class Nowhere(msgspec.Struct, frozen=True):
    """No engine takes it now; worth asking again in `retry_after_s`."""

    why: Missing
    retry_after_s: float


class MemberState(StrEnum):
    """Where an engine stands."""

    UNTRIED = "untried"
    UP = "up"
    BROKEN = "broken"
    DRAINING = "draining"


class MemberReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine is."""

    name: str
    state: MemberState
    outstanding: int
    limit: int
    failures: int
    mean_gap_s: float


class _Held:
    """One engine, and what is known of it."""

    def __init__(self, member: Member, plan: PoolPlan, order: int) -> None:
        self.member = member
        self.breaker = Breaker(plan.breaker)
        self.concurrency = ConcurrencyLimit(member.places, plan.gap_s)
        self.outstanding = 0
        self.failures = 0
        self.picked_at = order
        self.heard_at: float | None = None
        self.answered_at: float | None = None
        self.is_probing = False
        self.is_deaf = False
        self.is_draining = False
        self.told: Telemetry | None = None
        self.told_at = 0.0

    def limit(self, now: float) -> int:
        """How many may run on it."""
        limit = self.concurrency.limit
        told = self.told
        if told is None or not 0.0 <= now - self.told_at <= _TOLD_FOR_S:
            return limit
        if told.places is not None:
            limit = min(limit, told.places)
        if told.waiting > 0:
            # Somebody waits inside of it, where nobody can be put first: no more than it worked on.
            limit = min(limit, told.running)
        return max(1, limit)

    def serves(self, model: str) -> bool:
        return not self.member.models or not model or model in self.member.models

    def stands_in_for(self, other: _Held) -> bool:
        mine, theirs = self.member.models, other.member.models
        return not mine or not theirs or not mine.isdisjoint(theirs)

    @property
    def state(self) -> MemberState:
        if self.is_draining:
            return MemberState.DRAINING
        if self.breaker.state is not BreakerState.CLOSED:
            return MemberState.BROKEN
        return MemberState.UNTRIED if self.heard_at is None else MemberState.UP


class Pool:
    """See the head of this file. Times are monotonic seconds."""

    def __init__(self, plan: PoolPlan, members: Iterable[Member]) -> None:
        """Nothing was tried yet."""
        self.plan = plan
        self._picks = 0
        self._blame = Blame()
        self._held: dict[str, _Held] = {}
        self.replan(members)

    # ------------------------------------------------------------ requests

    def pick(self, model: str, now: float, besides: Collection[str] = ()) -> Member | Nowhere:
        """Choose for one request, of other engines than those `besides` that were tried. An empty `model` is any."""
        serving = [held for held in self._held.values() if not held.is_draining and held.serves(model)]
        if not serving:
            return Nowhere(Missing.MODEL, _SOME_S)
        sound = [held for held in serving if held.member.name not in besides and held.breaker.may_try(now)]
        if not sound:
            waits = [held.breaker.wait_s(now) for held in serving]
            return Nowhere(Missing.BROKEN, max(_SOME_S, min(waits)))
        free = [held for held in sound if held.outstanding < held.limit(now)]
        if not free:
            return Nowhere(Missing.BUSY, _SOME_S)
        best = min(free, key=lambda held: ((held.outstanding + 1) / held.member.weight, held.picked_at))
        return best.member

    def began(self, name: str, now: float) -> None:
        """A request is sent to an engine that was picked just now."""
        held = self._held[name]
        self._picks += 1
        held.picked_at = self._picks
        held.outstanding += 1
        held.breaker.began(now)

    def spoke(self, name: str, gap_s: float, now: float) -> None:
        """A piece of an answer came, so long after the one before it."""
        held = self._held[name]
        held.heard_at = now
        held.is_deaf = False
        held.concurrency.took(gap_s, now, is_full=held.outstanding >= held.concurrency.limit)

    def ended(
        self, name: str, outcome: Outcome, now: float, *, began_at: float | None = None, caller: str | None = None
    ) -> None:
        """A request that began is over.

        With `began_at` a failure is not certain to be the engine's: what one request fails at may be its own
        fault, and nobody shall be able to break an engine for others by asking. Then it counts only where no
        request was answered since shortly before that, and there is another engine to turn to; and of a `caller`
        who fails at others too it counts once (blame.py).
        """
        held = self._held[name]
        held.outstanding -= 1
        if outcome is Outcome.FAILED and began_at is not None and self._is_doubtful(held, began_at, caller, now):
            outcome = Outcome.LEFT
        if outcome is Outcome.GOOD:
            held.answered_at = now
        self._judge(held, outcome, now)
        if held.is_draining and not held.outstanding:
            del self._held[name]

    def _is_doubtful(self, held: _Held, began_at: float, caller: str | None, now: float) -> bool:
        others = [other for other in self._held.values() if other is not held and other.stands_in_for(held)]
        names = {other.member.name for other in others}
        # Asked first: what is doubtful anyway still tells of the caller.
        if caller is not None and not self._blame.counts(caller, held.member.name, names, held.answered_at, now):
            return True
        if held.answered_at is not None and held.answered_at > began_at - self.plan.doubt_s:
            return True
        return not any(other.breaker.state is BreakerState.CLOSED and not other.is_draining for other in others)

    def _judge(self, held: _Held, outcome: Outcome, now: float) -> None:
        match outcome:
            case Outcome.GOOD:
                held.heard_at = now
                held.breaker.succeeded()
            case Outcome.FAILED:
                held.failures += 1
                held.breaker.failed(now)
            case _:
                held.breaker.left()

    # ------------------------------------------------------------ looking after them

    def probe_due(self, now: float) -> tuple[str, ...]:
        """The engines to be probed now: untried, silent for long, or rested. One `probed` must follow for each."""
        due = [held for held in self._held.values() if self._is_due(held, now)]
        for held in due:
            held.is_probing = True
            held.breaker.began(now)
        return tuple(held.member.name for held in due)

    def _is_due(self, held: _Held, now: float) -> bool:
        if held.is_probing or held.is_draining or not held.breaker.may_try(now):
            return False
        if held.heard_at is None or held.breaker.state is not BreakerState.CLOSED:
            return True
        # One that is at work may be too busy to say so for a while, and one that stands still looks just like it.
        is_busy = bool(held.outstanding) and not self.plan.probes_busy
        after_s = self.plan.probe_after_s * (_BUSY_FACTOR if is_busy else 1.0)
        return not 0.0 <= now - held.heard_at < after_s

    def probed(self, name: str, *, is_well: bool, now: float) -> None:
        """A probe is over."""
        held = self._held.get(name)
        if held is not None:
            held.is_probing = False
            held.is_deaf = not is_well
            if is_well:
                held.heard_at = now
                held.breaker.seemed_well()
            else:
                self._judge(held, Outcome.FAILED, now)

    def told(self, name: str, telemetry: Telemetry, now: float) -> None:
        """An engine told of itself; believed for half a minute."""
        held = self._held.get(name)
        if held is not None:
            held.told, held.told_at = telemetry, now

    def replan(self, members: Iterable[Member]) -> None:
        """Have these engines from now on: newcomers untried, those that are gone draining, the others as they are."""
        wanted = {member.name: member for member in members}
        for name, held in list(self._held.items()):
            held.is_draining = name not in wanted
            if held.is_draining and not held.outstanding:
                del self._held[name]
        for name, member in wanted.items():
            held = self._held.setdefault(name, _Held(member, self.plan, len(self._held)))
            if held.member.places != member.places:
                held.concurrency = ConcurrencyLimit(member.places, self.plan.gap_s)
            held.member = member

    # ------------------------------------------------------------ being asked

    @property
    def models(self) -> frozenset[str]:
        """Every name that some engine is known to be asked for."""
        return frozenset(name for held in self._held.values() for name in held.member.models)

    def places(self, model: str, now: float) -> int:
        """How many requests for a model may run at once, on all engines that are not broken."""
        return sum(
            held.limit(now)
            for held in self._held.values()
            if held.serves(model) and held.state in {MemberState.UP, MemberState.UNTRIED}
        )

    def is_dead(self, name: str) -> bool:
        """Whether an engine is broken and answers no probes, either: what waits for it is better asked elsewhere."""
        held = self._held.get(name)
        return held is not None and held.state is MemberState.BROKEN and held.is_deaf

    def report(self, now: float) -> list[MemberReport]:
        """How each of them is, in the order they were named."""
        return [
            MemberReport(
                name=name,
                state=held.state,
                outstanding=held.outstanding,
                limit=held.limit(now),
                failures=held.failures,
                mean_gap_s=held.concurrency.mean_gap_s,
            )
            for name, held in self._held.items()
        ]
