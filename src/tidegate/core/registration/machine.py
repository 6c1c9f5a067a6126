"""Moves the registration mode, both ways, by what is measured.

    open <-> throttled <-> waiting_room <-> invite <-> closed

Up: a condition that was so for its time, counted from its onset, leads to a mode; the
machine goes there one step at a time, `step_s` apart. Its timer runs back twice as
fast as forth while the condition does not hold, so that an attacker who pauses every
half minute is still found. Down: one step after each dwell in which all that is known
is calm, and something is known; see `edges` for what keeps it from flapping.

What is not known (None) moves nothing: it neither runs a timer on nor back. Time that
nobody looked at, as during a restart, counts for three samples at most.

An operator's override masks the automatic mode until it expires. The automatic one
goes on beneath it, so that what comes after is what the load calls for then, neither
what stood before nor a climb from where the operator was.

What can never happen: two steps at once by itself; a mode above `max_automatic_mode`
by itself; more than one flap of an edge in an hour; a move for lack of knowledge; an
override that ends early.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.registration.conditions import FALLS, RISES, Rise
from tidegate.core.registration.edges import Edge
from tidegate.core.registration.modes import Cause, MovedBy, Pending, RegistrationMode, Transition
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Signals
from tidegate.core.registration.steady import Steady

_BACK: Final = 2.0
_EDGES: Final = len(RegistrationMode) - 1
_OPERATOR: Final = (Cause.OPERATOR, Cause.OVERRIDE_ENDED, Cause.SETTINGS)


class Override(msgspec.Struct, frozen=True):
    """What the operator said, and until when (Unix time)."""

    mode: RegistrationMode
    until: float


class MachineState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a machine knows, to be kept over a restart. `mode` is the automatic one, `told` the one last said."""

    mode: RegistrationMode = RegistrationMode.OPEN
    told: RegistrationMode = RegistrationMode.OPEN
    since: float | None = None
    override: Override | None = None
    latest: float | None = None
    time: float = 0.0
    sampled_at: float | None = None
    risen_at: float | None = None
    calm_s: float = 0.0
    held_s: dict[str, float] = {}
    edges: tuple[Edge, ...] = (Edge(),) * _EDGES
    evidence: Signals | None = None


class Machine:
    """The mode of registration. Times are Unix seconds and may step back."""

    def __init__(self, plan: ModePlan, state: MachineState | None = None) -> None:
        """Open, or where `state` was. `plan` may be exchanged at any time."""
        state = state or MachineState()
        self.plan = plan
        self.since = state.since
        self._automatic = state.mode
        self._told = state.told
        self._override = state.override
        self._steady = Steady(state.latest, state.time)
        self._sampled_at = state.sampled_at
        self._risen_at = state.risen_at
        self._calm_s = state.calm_s
        # Timers of conditions that no longer exist are left behind.
        self._held_s = {rise.name: state.held_s.get(rise.name, 0.0) for rise in RISES}
        self._edges = list(state.edges)
        self._evidence = state.evidence

    def state(self) -> MachineState:
        """All that it knows, as a value."""
        return MachineState(
            mode=self._automatic,
            told=self._told,
            since=self.since,
            override=self._override,
            latest=self._steady.latest,
            time=self._steady.time,
            sampled_at=self._sampled_at,
            risen_at=self._risen_at,
            calm_s=self._calm_s,
            held_s=dict(self._held_s),
            edges=tuple(self._edges),
            evidence=self._evidence,
        )

    def mode(self, now: float) -> RegistrationMode:
        """The mode in force."""
        override = self.overridden(now)
        if override is not None:
            return override.mode
        return RegistrationMode.OPEN if self.plan.is_dry_run else self.automatic

    @property
    def automatic(self) -> RegistrationMode:
        """The mode that the machine would choose, whatever the operator says and also while it is dry."""
        return self._automatic.at_most(self.plan.max_automatic_mode)

    def overridden(self, now: float) -> Override | None:
        """What the operator said, while it is in force."""
        return self._override if self._override is not None and now < self._override.until else None

    def sample(self, signals: Signals) -> Transition | None:
        """Take note of what was measured, and move if it is time."""
        now = self._steady.at(signals.at)
        gap_s = 0.0 if self._sampled_at is None else min(now - self._sampled_at, self.plan.longest_gap_s)
        self._sampled_at, self._evidence = now, signals
        readings = [(rise, rise.reads(signals, self.plan)) for rise in RISES]
        self._run_timers(readings, gap_s)
        self._run_calm(signals, readings, gap_s)
        was = self._automatic
        causes = self._moved(readings, now)
        if (
            causes
            and self.plan.is_dry_run
            and self.overridden(signals.at) is None
            and self._told is self.mode(signals.at)
        ):
            return self._transition(was, self._automatic, MovedBy.AUTO, signals.at, causes, is_dry=True)
        return self._tell(signals.at, causes)

    def override(self, mode: RegistrationMode, until: float, now: float) -> Transition | None:
        """Put `mode` in force until then, whatever the load. Raises ValueError when that is over already."""
        if until <= now:
            msg = "an override must end in the future"
            raise ValueError(msg)
        self._override = Override(mode, until)
        return self._tell(now, (Cause.OPERATOR,))

    def release(self, now: float) -> Transition | None:
        """End the override: the automatic mode is in force again."""
        self._override = None
        return self._tell(now, (Cause.OVERRIDE_ENDED,))

    def next_conditions(self, now: float) -> tuple[Pending, ...]:
        """What is running, the soonest first, for whoever wants to know what happens if nothing changes."""
        steady = self._steady.peek(now)
        pending = [*self._pending_rises(steady), *self._pending_fall(steady)]
        override = self.overridden(now)
        if override is not None:
            after = RegistrationMode.OPEN if self.plan.is_dry_run else self.automatic
            ending = Pending(to=after, causes=(Cause.OVERRIDE_ENDED,), in_s=override.until - now)
            pending.append(ending)
        return tuple(sorted(pending, key=lambda one: (one.in_s is None, one.in_s or 0.0)))

    def _run_timers(self, readings: list[tuple[Rise, bool | None]], gap_s: float) -> None:
        for rise, reading in readings:
            held_s = self._held_s[rise.name]
            if reading:
                # The onset is held to lie right after the last sample that did not see it.
                # No longer than it takes: else a long flood would take twice as long to be forgotten.
                held_s = min(held_s + gap_s, rise.after_s(self.plan))
            elif reading is False:
                held_s = max(0.0, held_s - _BACK * gap_s)
            self._held_s[rise.name] = held_s

    def _run_calm(self, signals: Signals, readings: list[tuple[Rise, bool | None]], gap_s: float) -> None:
        verdicts = [fall.reads(signals, self.plan) for fall in FALLS[self._automatic]]
        if self._holding(signals, readings):
            self._calm_s = 0.0
        elif True in verdicts:
            self._calm_s += gap_s

    def _holding(self, signals: Signals, readings: list[tuple[Rise, bool | None]]) -> tuple[Cause, ...]:
        """What keeps the mode from falling: what is not over, or would lead here again."""
        falls = FALLS[self._automatic]
        held = [fall.cause for fall in falls if not fall.is_witness and fall.reads(signals, self.plan) is False]
        held += [rise.cause for rise, reading in readings if reading and rise.to.rank >= self._automatic.rank]
        return tuple(dict.fromkeys(held))

    def _moved(self, readings: list[tuple[Rise, bool | None]], now: float) -> tuple[Cause, ...]:
        """Move the automatic mode by a step if it is time, and answer why; nothing where it stays."""
        mode, plan = self._automatic, self.plan
        if mode is not self.automatic:
            self._automatic, self._calm_s = self.automatic, 0.0
            return (Cause.SETTINGS,)
        called = tuple(
            rise.cause
            for rise, reading in readings
            if reading and rise.leads_on(mode) and self._held_s[rise.name] >= rise.after_s(plan)
        )
        if called and mode.rank < plan.max_automatic_mode.rank:
            if self._step_wait_s(now) > 0.0:
                return ()
            self._edges[mode.rank] = self._edges[mode.rank].risen(now, plan.memory_s)
            self._automatic, self._risen_at, self._calm_s = mode.raised, now, 0.0
            return tuple(dict.fromkeys(called))
        if mode is not RegistrationMode.OPEN and self._calm_s > 0.0 and self._fall_wait_s(now) <= 0.0:
            self._edges[mode.rank - 1] = self._edges[mode.rank - 1].fallen(now)
            self._automatic, self._calm_s = mode.lowered, 0.0
            return (Cause.CALM,)
        return ()

    def _step_wait_s(self, now: float) -> float:
        return 0.0 if self._risen_at is None else max(0.0, self._risen_at + self.plan.step_s - now)

    def _fall_wait_s(self, now: float) -> float:
        edge, plan = self._edges[self._automatic.rank - 1], self.plan
        return edge.wait_s(self._calm_s, plan.dwell_s(self._automatic), plan.dwell_limit_s, plan.memory_s, now)

    def _pending_rises(self, now: float) -> list[Pending]:
        mode, plan = self._automatic, self.plan
        if self._evidence is None or mode.rank >= plan.max_automatic_mode.rank:
            return []
        return [
            Pending(
                to=mode.raised,
                causes=(rise.cause,),
                in_s=max(rise.after_s(plan) - self._held_s[rise.name], self._step_wait_s(now)),
            )
            for rise in RISES
            if rise.leads_on(mode) and rise.reads(self._evidence, plan)
        ]

    def _pending_fall(self, now: float) -> list[Pending]:
        mode = self._automatic
        if mode is RegistrationMode.OPEN or self._evidence is None:
            return []
        signals = self._evidence
        holding = self._holding(signals, [(rise, rise.reads(signals, self.plan)) for rise in RISES])
        if holding or not any(fall.reads(signals, self.plan) for fall in FALLS[mode]):
            return [Pending(to=mode.lowered, causes=holding, in_s=None)]
        return [Pending(to=mode.lowered, causes=(Cause.CALM,), in_s=self._fall_wait_s(now))]

    def _tell(self, at: float, causes: tuple[Cause, ...]) -> Transition | None:
        """Say what is in force now, if that is not what was said last."""
        if self._override is not None and at >= self._override.until:
            self._override, causes = None, (Cause.OVERRIDE_ENDED, *causes)
        was, to = self._told, self.mode(at)
        if was is to:
            return None
        causes = causes or (Cause.SETTINGS,)
        return self._transition(was, to, MovedBy.OPERATOR if causes[0] in _OPERATOR else MovedBy.AUTO, at, causes)

    def _transition(
        self,
        was: RegistrationMode,
        to: RegistrationMode,
        by: MovedBy,
        at: float,
        causes: tuple[Cause, ...],
        *,
        is_dry: bool = False,
    ) -> Transition:
        if not is_dry:
            self._told, self.since = to, at
        return Transition(
            was=was,
            to=to,
            by=by,
            at=at,
            causes=causes,
            unjudged=self._unjudged(),
            evidence=self._evidence,
            is_dry=is_dry,
        )

    def _unjudged(self) -> tuple[Cause, ...]:
        if self._evidence is None:
            return ()
        read = {rise.cause for rise in RISES if rise.reads(self._evidence, self.plan) is not None}
        return tuple(dict.fromkeys(rise.cause for rise in RISES if rise.cause not in read))
