"""One policy with everything that decides by it: a gate, what is known of accounts, and a line for each engine."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidegate.core.admission.cursor import Cursor
from tidegate.core.admission.facts import Facts, Passed, Refused
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.room import room_ahead
from tidegate.core.decisions.lines import Began, Met, Note, Noted, Replanned
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.lab.replay.bench import Bench, Ended
from tidegate.lab.replay.naming import Names, principal
from tidegate.lab.replay.reading import gate_plan
from tidegate.lab.replay.surveying import Pace
from tidegate.services.admission import Patience


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a world decides by. `patience` None leaves each claim its own."""

    gate: GatePlan
    admission: tuple[AdmissionPlan, ...]
    standing: StandingPlan
    patience: Patience | None = None


def recorded_policy(line: Began | Replanned, names: Names) -> Policy:
    """The policy that was in force. Who was on its lists is known by name only."""
    gate = msgspec.structs.replace(gate_plan(line.gate), allow=names.allow, deny=names.deny)
    return Policy(gate=gate, admission=line.admission, standing=line.standing)


class World:
    """Decides as a service would. Times are seconds of the run; `unix_s` is when it began."""

    def __init__(
        self, policy: Policy, unix_s: float, pace: Pace, ended: Ended, cursors: Callable[[], Cursor] = Cursor
    ) -> None:
        """Nobody has come."""
        self.policy = policy
        self.register = Register(policy.standing, policy.gate.most_principals)
        self.benches = tuple(Bench(plan, pace, ended, cursors) for plan in policy.admission)
        self.now = 0.0
        self._unix_s = unix_s
        schedulers = tuple(bench.scheduler for bench in self.benches)
        self.gate = Gate(policy.gate, self.register, room_ahead(self.register, schedulers, self._ticks))

    def _ticks(self) -> float:
        return self.now

    @property
    def unix_s(self) -> float:
        """Now, by the gate's clock."""
        return self._unix_s + self.now

    def advance(self, t: float) -> None:
        """Play on until `t`; what is over stays so."""
        self.now = max(self.now, t)
        for bench in self.benches:
            bench.advance(self.now)

    def judge(self, facts: Facts, *, is_junk: bool) -> Passed | Refused:
        """Have the gate decide."""
        return self.gate.junk(facts) if is_junk else self.gate.decide(facts, self.unix_s)

    def meet(self, line: Met) -> None:
        """Hear what is known of an account."""
        who = principal(line.who)
        self.register.know(
            Record(
                principal=who,
                role=line.role,
                created_at_s=line.created_at_s,
                member_since_s=line.member_since_s,
                cohort=who if line.cohort is None else f"of:{line.cohort}",
                is_verified=line.is_verified,
                is_vouched=line.is_vouched,
                is_born_in_flood=line.is_born_in_flood,
                suspect_until_s=line.suspect_until_s,
                history=line.history,
            )
        )

    def note(self, line: Note, address: bytes | None) -> None:
        """Hear what the gate was told between decisions."""
        digest = None if line.digest is None else bytes.fromhex(line.digest)
        if digest is not None:
            told: dict[Noted, Callable[[bytes], None]] = {
                Noted.DEAD: lambda one: self.gate.note_dead(one, self.unix_s),
                Noted.TURNED_DOWN: lambda one: self.gate.note_turned_down(one, self.unix_s),
                Noted.ALIVE: self.gate.note_alive,
            }
            if line.what in told:
                told[line.what](digest)
        elif address is not None and line.what is Noted.GUESS:
            self.gate.note_guess(address, self.unix_s)

    def replan(self, policy: Policy) -> None:
        """Go on under another policy, as a service does that reads its settings again."""
        self.policy = policy
        self.gate.apply(policy.gate)
        self.register.plan = policy.standing
        for bench, plan in zip(self.benches, policy.admission, strict=False):
            slots = bench.scheduler.plan.slots
            bench.replan(msgspec.structs.replace(plan, slots=slots), self.now)

    def close(self) -> None:
        """Play on until nobody is in."""
        for bench in self.benches:
            bench.close()
