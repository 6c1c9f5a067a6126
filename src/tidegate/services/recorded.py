"""The gate and the scheduler as a service has them that writes its decisions down.

They decide as those they are made of, and tell a recorder what they decided. A service that
records nothing has the plain ones: recording that is off costs nothing, not even a question.
"""

from __future__ import annotations

import msgspec

from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Crowded, Shed, Spent, Waiting
from tidegate.core.admission.facts import Facts, Passed, Refused
from tidegate.core.admission.gate import Gate, GatePlan, Preview
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.decisions.lines import Answered, Claimed, Ended, How, Listed, Noted, Resized
from tidegate.core.standing.register import Register
from tidegate.services.recorder import Recorder

_ANSWERS = {
    Admitted: Answered.ADMITTED,
    Waiting: Answered.WAITING,
    Shed: Answered.SHED,
    Crowded: Answered.CROWDED,
}
_LONGEST_S = 86_400.0


class _Told(Refused, frozen=True, gc=False):
    """A refusal that may be said again, with what it was said of."""

    facts: Facts | None = None
    listed: Listed | None = None


class RecordedGate(Gate):
    """A gate whose decisions are written down."""

    def __init__(self, plan: GatePlan, register: Register, preview: Preview | None, recorder: Recorder) -> None:
        """As `Gate`."""
        super().__init__(plan, register, preview)
        self._recorder = recorder
        recorder.register = register
        recorder.gate_plan(plan)

    def decide(self, facts: Facts, now: float) -> Passed | Refused:
        """Pass or refuse one request, count it and write it down."""
        decision = super().decide(facts, now)
        listed = self._listed(facts)
        self._recorder.judged(facts, decision, now, listed)
        if isinstance(decision, Refused) and decision.lifts_at:
            return _Told(
                reason=decision.reason,
                retry_after_s=decision.retry_after_s,
                standing=decision.standing,
                lifts_at=decision.lifts_at,
                key=decision.key,
                facts=facts,
                listed=listed,
            )
        return decision

    def again(self, refused: Refused, now: float) -> Refused:
        """Say it once more, and write that down."""
        said = super().again(refused, now)
        if isinstance(refused, _Told) and refused.facts is not None:
            self._recorder.judged(refused.facts, said, now, refused.listed)
        return said

    def junk(self, facts: Facts) -> Refused:
        """Refuse what is certainly none, and write that down."""
        refused = super().junk(facts)
        recorder = self._recorder
        recorder.judged(facts, refused, recorder.gate_now(), self._listed(facts), is_junk=True)
        return refused

    def note_dead(self, digest: bytes, now: float) -> None:
        """As `Gate`."""
        super().note_dead(digest, now)
        self._recorder.noted(Noted.DEAD, now, digest)

    def note_turned_down(self, digest: bytes, now: float) -> None:
        """As `Gate`."""
        super().note_turned_down(digest, now)
        self._recorder.noted(Noted.TURNED_DOWN, now, digest)

    def note_guess(self, address: bytes, now: float) -> None:
        """As `Gate`."""
        super().note_guess(address, now)
        self._recorder.noted(Noted.GUESS, now, address=address)

    def note_alive(self, digest: bytes) -> None:
        """As `Gate`."""
        super().note_alive(digest)
        self._recorder.noted(Noted.ALIVE, self._recorder.gate_now(), digest)

    def apply(self, plan: GatePlan) -> None:
        """As `Gate`. The schedulers are told their plans next; `Recorder.replanned` writes all of them down."""
        super().apply(plan)
        self._recorder.gate_plan(plan)

    def _listed(self, facts: Facts) -> Listed | None:
        address = facts.address
        if address is None or not self._has_lists:
            return None
        if address in self._plan.allow:
            return Listed.ALLOW
        return Listed.DENY if address in self._plan.deny else None


class _Out(msgspec.Struct, gc=False):
    """One ticket that is out."""

    entered_at: float
    placed_at: float | None = None
    began_at: float | None = None
    is_cut: bool = False
    returns: int = 0


class RecordedScheduler(Scheduler):
    """A scheduler whose decisions are written down, and what became of each claim: one line at its end.

    `line` is which of the service's engines it stands before.
    """

    def __init__(self, plan: AdmissionPlan, recorder: Recorder, line: int) -> None:
        """As `Scheduler`."""
        super().__init__(plan)
        self._recorder = recorder
        self._line = line
        self._out: dict[int, _Out] = {}
        recorder.admission_plan(line, plan)

    def enter(self, ticket: int, claim: Claim, now: float) -> tuple[Admitted | Waiting | Shed | Crowded, list[Act]]:
        """Admit, queue or refuse a new ticket, and write that down."""
        entered, acts = super().enter(ticket, claim, now)
        t = self._t(now)
        wait_s = 0.0
        if isinstance(entered, Admitted | Waiting):
            out = self._out[ticket] = _Out(now)
            if isinstance(entered, Admitted):
                out.placed_at = now
            else:
                wait_s = entered.wait_s
        else:
            wait_s = entered.retry_after_s
        if isinstance(entered, Admitted | Waiting) or self._recorder.lists(claim, t):
            self._recorder.add(self._claimed(ticket, claim, t, _ANSWERS[type(entered)], wait_s))
        self._saw(acts, now)
        return entered, acts

    def _claimed(self, ticket: int, claim: Claim, t: float, answered: Answered, wait_s: float) -> Claimed:
        who = self._recorder.who
        return Claimed(
            t=t,
            line=self._line,
            ticket=ticket,
            who=who(claim.principal),
            standing=claim.standing,
            cohort=None if claim.cohort == claim.principal else who(claim.cohort),
            usual=claim.usual_in_flight,
            prompt_bytes=claim.prompt_bytes,
            output_tokens=claim.output_tokens,
            patience_s=min(_LONGEST_S, claim.patience_s),
            end_user=who(claim.end_user) if claim.end_user else None,
            answered=answered,
            wait_s=round(min(_LONGEST_S, max(0.0, wait_s)), 3),
        )

    def began(self, ticket: int, now: float) -> list[Act]:
        """As `Scheduler`."""
        out = self._out.get(ticket)
        if out is not None and out.began_at is None:
            out.began_at = now
        return self._saw(super().began(ticket, now), now)

    def stir(self, now: float) -> list[Act]:
        """As `Scheduler`."""
        return self._saw(super().stir(now), now)

    def release(self, ticket: int, now: float) -> list[Act]:
        """As `Scheduler`."""
        return self._saw(super().release(ticket, now), now)

    def settle(self, ticket: int, spent: Spent, now: float) -> list[Act]:
        """As `Scheduler`, and write down what it came to."""
        self._ended(ticket, now, spent, How.SETTLED)
        return self._saw(super().settle(ticket, spent, now), now)

    def abandon(self, ticket: int, now: float) -> list[Act]:
        """As `Scheduler`, and write down how far it came."""
        held = self._tickets.get(ticket)
        if held is not None:
            read, written = min(held.read_tokens, held.prompt_tokens), held.used_tokens
            how = How.CUT if held.is_cut else How.LEFT
            self._ended(ticket, now, Spent(prompt_tokens=max(0, read), output_tokens=written), how)
        return self._saw(super().abandon(ticket, now), now)

    def replan(self, plan: AdmissionPlan, now: float) -> list[Act]:
        """As `Scheduler`. The last of the service's lines writes all plans down."""
        acts = super().replan(plan, now)
        self._recorder.admission_plan(self._line, plan)
        return self._saw(acts, now)

    def resize(self, slots: int, now: float) -> list[Act]:
        """As `Scheduler`, and write it down."""
        self._recorder.add(Resized(t=self._t(now), line=self._line, slots=slots))
        acts = super().resize(slots, now)
        self._recorder.admission_plan(self._line, self.plan)
        return self._saw(acts, now)

    def _t(self, now: float) -> float:
        return round(max(0.0, now - self._recorder.monotonic_s), 6)

    def _saw(self, acts: list[Act], now: float) -> list[Act]:
        for act in acts:
            out = self._out.get(act.ticket)
            if out is None:
                continue
            if isinstance(act, Called):
                out.placed_at = now
            elif act.is_returning:
                out.returns += 1
                out.placed_at = None
            else:
                out.is_cut = True
        return acts

    def _ended(self, ticket: int, now: float, spent: Spent, how: How) -> None:
        out = self._out.pop(ticket, None)
        if out is None:
            return
        placed_at, began_at = out.placed_at, out.began_at
        self._recorder.add(
            Ended(
                t=self._t(now),
                line=self._line,
                ticket=ticket,
                how=How.CUT if out.is_cut and how is How.LEFT else how,
                queue_s=_seconds(out.entered_at, placed_at),
                first_s=None if placed_at is None else _seconds(placed_at, began_at),
                prompt_tokens=spent.prompt_tokens,
                cached_tokens=spent.cached_tokens,
                output_tokens=spent.output_tokens,
                prefill_tok_s=round(spent.prefill_tok_s, 1),
                decode_tok_s=round(spent.decode_tok_s, 1),
                returns=out.returns,
            )
        )


def _seconds(since: float, until: float | None) -> float | None:
    return None if until is None else round(min(_LONGEST_S, max(0.0, until - since)), 6)
