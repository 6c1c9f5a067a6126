"""Gathers the lines of a record of decisions, until somebody writes them.

On the way of a request it appends to a list: fingerprints are made, and lines with them, when the list is taken. What
is kept meanwhile is bounded. Refusals of strangers beyond a few a second are counted, so that no flood fills a disk.
Synchronous, and for one thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.admission.addresses import keys_of
from tidegate.core.admission.claims import Claim
from tidegate.core.admission.facts import Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.decisions.lines import (
    LISTED_PER_S,
    VERSION,
    AnyLine,
    Began,
    Counted,
    Listed,
    Lost,
    Met,
    Note,
    Noted,
    Replanned,
)
from tidegate.core.decisions.lines import Judged as JudgedLine
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import STRANGERS
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register

MOST_PENDING: Final = 20_000
"""So many lines wait to be written; more are lost, and counted."""
_MOST_MET: Final = 65_536
_DIGEST_BYTES: Final = range(8, 17)
_LONGEST_S: Final = 86_400.0


class _Seen(msgspec.Struct, frozen=True, gc=False):
    """One decision of the gate, before its fingerprints are made."""

    t: float
    facts: Facts
    decision: Passed | Refused
    listed: Listed | None
    is_junk: bool


Pending = AnyLine | _Seen | Record


class Recorder:
    """See the head of this file. The run begins now: at `unix_s`, and by `ticks`, which tells monotonic seconds.

    The gate sets `register`, which says what is known of accounts; until then there is nothing to write.
    """

    def __init__(
        self,
        fingerprint: Callable[[str], Fingerprint],
        *,
        unix_s: float,
        ticks: Callable[[], float],
    ) -> None:
        """Nothing was decided yet."""
        self.unix_s = unix_s
        self.monotonic_s = monotonic_s = ticks()
        self._ticks = ticks
        self.is_on = True
        self.register: Register | None = None
        self._fingerprint = fingerprint
        self._run = self.who(f"run {unix_s!r} {monotonic_s!r}")
        self._pending: list[Pending] = []
        self._lost = 0
        self._met: OrderedDict[UserId, Record] = OrderedDict()
        self._second = 0
        self._listed = 0
        self._counted: dict[tuple[Lane, Reason], int] = {}
        self._gate: dict[str, float] = {}
        self._admission: list[AdmissionPlan] = []

    # ------------------------------------------------------------ the policy

    def gate_plan(self, plan: GatePlan) -> None:
        """Take the numbers of the gate's plan. Its lists stay here: they are addresses."""
        kept = {name: getattr(plan, name) for name in plan.__struct_fields__}
        self._gate = {name: float(value) for name, value in kept.items() if isinstance(value, bool | int | float)}

    def admission_plan(self, line: int, plan: AdmissionPlan) -> None:
        """Take the plan of one engine's line, without the key that deals its queues."""
        shards = msgspec.structs.replace(plan.shards, key=b"")
        plan = msgspec.structs.replace(plan, shards=shards)
        self._admission[line : line + 1] = [plan]

    def replanned(self) -> None:
        """Write down that the policy is another one from now on."""
        standing = self._standing()
        self.add(
            Replanned(
                t=round(max(0.0, self._ticks() - self.monotonic_s), 6),
                gate=dict(self._gate),
                admission=tuple(self._admission),
                standing=standing,
                policy=self._policy(standing),
            )
        )

    def begin(self, part: int) -> Began:
        """Make the first line of a new file, in which nobody was met yet."""
        if part > 1:
            self._met.clear()
        standing = self._standing()
        return Began(
            t=0.0,
            version=VERSION,
            run=self._run,
            part=part,
            unix_s=self.unix_s,
            monotonic_s=self.monotonic_s,
            policy=self._policy(standing),
            gate=dict(self._gate),
            admission=tuple(self._admission),
            standing=standing,
        )

    def _standing(self) -> StandingPlan:
        return StandingPlan() if self.register is None else self.register.plan

    def _policy(self, standing: StandingPlan) -> str:
        plans = msgspec.json.encode((self._gate, self._admission, standing), order="sorted")
        return blake2s(plans, digest_size=8).hexdigest()

    def gate_now(self) -> float:
        """Now, by the gate's clock."""
        return self.unix_s + self._ticks() - self.monotonic_s

    # ------------------------------------------------------------ what happens

    def judged(
        self, facts: Facts, decision: Passed | Refused, now: float, listed: Listed | None, *, is_junk: bool = False
    ) -> None:
        """Take one decision of the gate; `now` is the gate's."""
        if not self.is_on or facts.lane is Lane.HEALTH:
            return
        t = max(0.0, now - self.unix_s)
        if (
            isinstance(decision, Refused)
            and decision.standing in STRANGERS
            and not self._lists(t, facts.lane, decision.reason)
        ):
            return
        if facts.principal is not None:
            self.meet(facts.principal)
        self.add(_Seen(t, facts, decision, listed, is_junk))

    def meet(self, principal: UserId) -> None:
        """Write down what is known of an account, where that is not in the file yet."""
        record = None if self.register is None else self.register.record(principal)
        if record is None:
            return
        before = self._met.get(principal)
        if before is not None and (before is record or _is_like(before, record)):
            return
        self._met[principal] = record
        if len(self._met) > _MOST_MET:
            self._met.popitem(last=False)
        self.add(record)

    def lists(self, claim: Claim, now_s: float) -> bool:
        """Whether one more refusal of somebody's at the scheduler is listed; counted where it is not."""
        return claim.standing not in STRANGERS or self._lists(now_s, Lane.INFERENCE, Reason.SERVER_IS_OVERLOADED)

    def noted(self, what: Noted, now: float, digest: bytes | None = None, address: bytes | None = None) -> None:
        """Take what the gate was told; `now` is the gate's."""
        self.add(
            Note(
                t=max(0.0, round(now - self.unix_s, 6)),
                what=what,
                digest=None if digest is None else self.digest(digest),
                source=self._source(address),
            )
        )

    def add(self, line: Pending) -> None:
        """Keep a line until it is written; lost where too many wait."""
        if len(self._pending) >= MOST_PENDING:
            self._lost += 1
        elif self.is_on:
            self._pending.append(line)

    def stop(self) -> None:
        """Gather nothing any more."""
        self.is_on = False
        self._pending.clear()
        self._met.clear()

    def take(self) -> list[AnyLine]:
        """All lines that wait, in the order of what happened; none of them waits any more."""
        pending, self._pending = self._pending, []
        lines = [self._line(one) for one in pending]
        if self._lost:
            lines.append(Lost(t=lines[-1].t if lines else 0.0, number=self._lost))
            self._lost = 0
        return lines

    # ------------------------------------------------------------ lines and fingerprints

    def who(self, name: str) -> str:
        """What stands for an account, a cohort or an end user: for accounts the same as in the log."""
        # Plain text: the encoder knows no fingerprints, and would ask for each of them.
        return str(self._fingerprint(name))

    def digest(self, digest: bytes) -> str:
        """What stands for a credential; where an account is known by its digest, what stands for that."""
        return self.who(UserId.of(digest) if len(digest) in _DIGEST_BYTES else digest.hex())

    def _source(self, address: bytes | None) -> tuple[str, ...]:
        return () if address is None else tuple(self.who(f"net {key.hex()}") for key in keys_of(address))

    def _line(self, one: Pending) -> AnyLine:
        if isinstance(one, Record):
            return self._met_line(one)
        if isinstance(one, _Seen):
            return self._judged_line(one)
        return one

    def _met_line(self, record: Record) -> Met:
        return Met(
            t=0.0,
            who=self.who(record.principal),
            cohort=None if record.cohort == record.principal else self.who(record.cohort),
            role=record.role,
            created_at_s=record.created_at_s,
            member_since_s=record.member_since_s,
            is_verified=record.is_verified,
            is_vouched=record.is_vouched,
            is_born_in_flood=record.is_born_in_flood,
            suspect_until_s=record.suspect_until_s,
            history=record.history,
        )

    def _judged_line(self, seen: _Seen) -> JudgedLine:
        facts, decision = seen.facts, seen.decision
        refused = decision if isinstance(decision, Refused) else None
        wait_s = None if refused is None else refused.retry_after_s
        return JudgedLine(
            t=round(seen.t, 6),
            lane=facts.lane,
            bearing=facts.bearing,
            source=self._source(facts.address),
            who=None if facts.principal is None else self.who(facts.principal),
            digest=None if facts.digest is None else self.digest(facts.digest),
            needs_credential=facts.requires_credential,
            size_bytes=facts.size_bytes,
            standing=decision.standing,
            reason=None if refused is None else refused.reason,
            would=decision.would if isinstance(decision, Passed) else None,
            wait_s=None if wait_s is None else round(min(_LONGEST_S, max(0.0, wait_s)), 3),
            listed=seen.listed,
            is_junk=seen.is_junk,
        )

    def _lists(self, t: float, lane: Lane, reason: Reason) -> bool:
        """Whether one more refusal of a stranger is listed."""
        if int(t) != self._second:
            self._tell_counted()
            self._second, self._listed = int(t), 0
        if self._listed < LISTED_PER_S:
            self._listed += 1
            return True
        self._counted[lane, reason] = self._counted.get((lane, reason), 0) + 1
        return False

    def _tell_counted(self) -> None:
        counted, self._counted = self._counted, {}
        for (lane, reason), number in counted.items():
            self.add(Counted(t=float(self._second + 1), lane=lane, reason=reason, number=number))


def _is_like(before: Record, record: Record) -> bool:
    """Whether nothing has changed that a standing comes of; what was served today will count tomorrow."""
    was, history = before.history, record.history
    return (
        was.days == history.days
        and was.counted_at_s == history.counted_at_s
        and was.peak == history.peak
        and before.suspect_until_s == record.suspect_until_s
        and before.is_vouched == record.is_vouched
        and before.is_verified == record.is_verified
        and before.is_born_in_flood == record.is_born_in_flood
        and before.role == record.role
        and before.cohort == record.cohort
    )
