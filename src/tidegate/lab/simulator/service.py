"""One Tidegate in virtual time: the gate, what is known of accounts, budgets and the line are the core's own.

A question goes the way of a request (ARCHITECTURE.md): judged by its head, with a look ahead
whether there will be room; its caller met; its budget reserved; let in, let wait or refused.
What nobody decides here: bodies, sessions and stores, which take no time and never fail.
Pages, signing in and signing up are the door's; without one a page is judged by the gate
alone, and nobody gets an account.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from tidegate.core.admission.claims import Claim, Crowded, Shed
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.capacity.pressure import TELLING, Pressure
from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Payer
from tidegate.core.quotas.ledger import Exhausted, Held, Ledger
from tidegate.core.quotas.windows import Window
from tidegate.core.reasons import Reason
from tidegate.core.registration.probation import Probation
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record
from tidegate.core.standing.register import Register, usual_in_flight
from tidegate.lab.acts import UNREACHED, Asked, Chat, Hold, Outcome, Page, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator.accounts import Accounts
from tidegate.lab.simulator.fitting import fitted, is_own
from tidegate.lab.simulator.fleet import Fleet
from tidegate.lab.simulator.handing import GIVES_UP_S, Handing
from tidegate.lab.simulator.holding import Holding
from tidegate.lab.simulator.line import Line
from tidegate.lab.simulator.questions import Question
from tidegate.lab.simulator.refusing import OK, refused
from tidegate.lab.simulator.sampling import Sampler
from tidegate.lab.simulator.serving import BASE_UNIX_S, Agenda, Clock, Done, Door, Tell

# Python 3.11 takes as long for a member of an enumeration as for a call.
_INFERENCE: Final = Lane.INFERENCE
_GENUINE: Final = Bearing.GENUINE

_MOST: Final = 65_536
_HEAD_S: Final = 10.0
"""The service closes what sends no whole head for so long (`gate.head_s`)."""


class Tidegate:
    """See the head of this file. `door` may be put in before anything is asked."""

    def __init__(
        self, rules: Rules, calibration: Calibration, agenda: Agenda, tell: Tell, *, replicas: int = 1, seed: int = 1
    ) -> None:
        """Nobody is in, every budget is full, everything is well."""
        self.rules = rules
        self.clock = Clock()
        self.pressure = Pressure()
        self.register = Register(rules.standing, _MOST)
        self.accounts = Accounts(self.register, seed)
        self.fleet = Fleet(calibration, replicas, agenda, seed)
        self.replicas = replicas
        self.scheduler = Scheduler(fitted(rules.admission, calibration, replicas, self.fleet.places(0.0)))
        self.gate = Gate(rules.gate, self.register, self._preview)
        self.probation = Probation(self.register, rules.probation)
        self.ledger = Ledger(rules.quotas, _MOST, self.probation)
        self.line = Line(
            self.scheduler,
            self.fleet,
            agenda,
            served=self._was_served,
            settled=self.ledger.settle,
            is_in_order=is_own(calibration, replicas),
        )
        self.handing = Handing(rules.firewall, seed, tell)
        self.door: Door | None = None
        self._held = Holding(agenda)
        self._tell = tell
        self._now = 0.0
        self._sampler = Sampler(self.fleet, self.line)
        self._has_budgets = any(rules.quotas.limit(window) for window in Window)

    # ------------------------------------------------------------ what doors ask

    def headroom(self, now: float) -> float:
        """The part of the engine that known people have left lately."""
        return self.scheduler.headroom(now)

    def is_flooded(self, now: float) -> bool:
        """Whether a flood runs."""
        return self.pressure.is_flooded(now)

    def joined(self, who: Who, now: float, *, is_verified: bool = True) -> None:
        """Somebody has made their account."""
        self.accounts.make(who, self.clock.unix(now), is_flooded=self.is_flooded(now), is_verified=is_verified)

    def facts(self, who: Who, lane: Lane, *, size_bytes: int = 0) -> Facts:
        """What a request's head tells of somebody: an account that is known to be theirs, or nothing."""
        address, is_question = who.address.to_bytes(4, "big"), lane is _INFERENCE
        principal = self.accounts.known(who)
        if principal is None:
            return Facts(address=address, lane=lane, requires_credential=is_question, size_bytes=size_bytes)
        return Facts(
            address=address,
            lane=lane,
            bearing=_GENUINE,
            principal=principal,
            digest=principal.encode(),
            requires_credential=is_question,
            size_bytes=size_bytes,
        )

    def judge(self, facts: Facts, now: float) -> Refused | None:
        """Have the gate decide, and count what tells of a flood. Its clock is steady: nobody fills a bucket by it."""
        self._now = now
        decided = self.gate.decide(facts, BASE_UNIX_S + now)
        if self.handing.is_on and facts.address is not None:
            if facts.bearing is _GENUINE:
                self.handing.seen(facts.address, now)
            elif isinstance(decided, Refused):
                self.handing.refused(facts.address, now)
        if isinstance(decided, Passed):
            return None
        if decided.reason in TELLING:
            self.pressure.refused(now)
        return decided

    # ------------------------------------------------------------ being asked

    def ask(self, who: Who, what: Asked, now: float, done: Done) -> None:
        """Take one ask."""
        if self.handing.is_on and self.handing.keeps_out(who.address.to_bytes(4, "big"), now):
            self._held.hold(now, GIVES_UP_S, partial(_unreached, now), done)
        elif type(what) is Chat:
            self._chat(who, what, now, done)
        elif type(what) is Hold:
            # Nothing of it is a request: the connection is closed when its time is over, and others have theirs.
            held_s = min(what.for_s, _HEAD_S)
            self._held.hold(now, held_s, partial(_closed, what, now), done)
        elif self.door is not None:
            self.door.ask(who, what, now, done)
        elif isinstance(what, Page):
            self._page(who, what, now, done)
        else:
            done(refused(Reason.SIGN_UP_CLOSED, now, now))

    def _page(self, who: Who, page: Page, now: float, done: Done) -> None:
        facts = self.facts(who, Lane.ASSET if page.is_asset else Lane.PAGE)
        decided = self.judge(facts, now)
        if decided is not None:
            done(refused(decided.reason, now, now, decided.retry_after_s))
        else:
            done(Outcome(asked_at_s=now, ended_at_s=now, status=OK, first_s=0.0, is_complete=True))

    def _chat(self, who: Who, chat: Chat, now: float, done: Done) -> None:
        calibration = self.fleet.calibration
        bytes_per_token = chat.bytes_per_token or calibration.bytes_per_token
        size_bytes = int(bytes_per_token * max(1, chat.prompt_tokens - calibration.template_tokens))
        facts = _forged(who, size_bytes) if chat.is_key_forged else self.facts(who, _INFERENCE, size_bytes=size_bytes)
        decided = self.judge(facts, now)
        if decided is not None:
            outcome = refused(decided.reason, now, now, decided.retry_after_s)
            outcome.standing = decided.standing.value
            done(outcome)
            return
        record = self.accounts.meet(who)
        claim = self._claim(record, chat, size_bytes, now)
        bill, exhausted = self._reserve(record, chat, now)
        if exhausted is not None:
            done(exhausted)
            return
        answer = self.line.take(chat, claim, bill, now, done)
        if answer is None:
            return
        if bill is not None:
            self.ledger.settle(bill, 0)
        reason = Reason.SERVER_IS_OVERLOADED if isinstance(answer, Shed) else Reason.CONCURRENCY_LIMIT_EXCEEDED
        outcome = refused(reason, now, now, answer.retry_after_s)
        outcome.standing = claim.standing.value
        done(outcome)

    def _claim(self, record: Record, chat: Chat, size_bytes: int, now: float) -> Claim:
        patience, principal = self.rules.patience, record.principal
        return Claim(
            principal=principal,
            standing=self.register.standing(principal, self.clock.unix(now)),
            cohort=record.cohort,
            usual_in_flight=usual_in_flight(record),
            prompt_bytes=size_bytes,
            output_tokens=chat.max_tokens,
            patience_s=patience.streamed_s if chat.is_stream else patience.whole_s,
        )

    def _reserve(self, record: Record, chat: Chat, now: float) -> tuple[int | None, Outcome | None]:
        """Hold a budget for it where there is any, or say that it is used up."""
        unix_s = self.clock.unix(now)
        if not self._has_budgets and not self.probation.of(record, unix_s):
            return None, None  # Nothing could be used up.
        payer = Payer(record.principal, owner=record.principal)
        answer = self.ledger.reserve((payer,), chat.prompt_tokens + chat.max_tokens, unix_s)
        match answer:
            case Exhausted(state=state):
                retry_after_s = max(0.0, state.resets_at_s - unix_s)
                return None, refused(Reason.INSUFFICIENT_QUOTA, now, now, retry_after_s)
            case Held():
                gone_s = max(1.0, self.scheduler.gone_s(record.principal, now))
                return None, refused(Reason.CONCURRENCY_LIMIT_EXCEEDED, now, now, gone_s)
        return answer.number, None

    def _preview(
        self, principal: UserId | None, standing: Standing, size_bytes: int, patience_s: float, steady_s: float
    ) -> Shed | Crowded | None:
        """Whether there will be room, as the service asks from a request's head."""
        del steady_s
        now = self._now
        who, cohort = (principal, self.register.cohort(principal)) if principal is not None else ("", "")
        found = self.scheduler.preview(who, standing, cohort, size_bytes, patience_s, now)
        return found or self.scheduler.crowded(who, standing, now)

    def _was_served(self, question: Question, cost: float, in_flight: int, now: float) -> None:
        self.register.served(UserId(question.claim.principal), cost, in_flight, self.clock.unix(now))

    # ------------------------------------------------------------ now and then

    def tick(self, now: float) -> None:
        """Tell the scheduler how far everything is, look after the engines, and have the door do its part."""
        self.line.look(now)
        self.fleet.look_after(now)
        places = self.fleet.places(now)
        if places != self.scheduler.plan.slots:
            self.line.carry_out(self.scheduler.resize(places, now), now)
        if self.door is not None:
            self.door.tick(now)

    def samples(self, now: float) -> Iterable[Sampled]:
        """How it is."""
        door = self.door
        return self._sampler.samples(
            now, mode="open" if door is None else door.mode, in_line=door.in_line if door else 0
        )

    def fault(self, broken: Broken, now: float, *, is_on: bool) -> None:
        """Have something break, or be well again."""
        if broken.kind is Fault.CLOCK_STEP:
            self.clock.off_s += broken.step_s if is_on else -broken.step_s
            return
        if self.fleet.fault(broken, now, is_on=is_on):
            self.line.lost(broken.replica, now)

    def apply(self, rules: Rules, now: float) -> None:
        """Go on by other rules, as the service does when its settings are read again."""
        self.rules = rules
        self._has_budgets = any(rules.quotas.limit(window) for window in Window)
        self.gate.apply(rules.gate)
        self.register.plan = rules.standing
        self.probation.plan = rules.probation
        self.ledger.defaults = rules.quotas
        self.handing.apply(rules.firewall)
        plan = fitted(rules.admission, self.fleet.calibration, self.replicas, self.scheduler.plan.slots)
        self.line.carry_out(self.scheduler.replan(plan, now), now)
        if self.door is not None:
            self.door.apply(rules, now)
        self._tell(Happened(at_s=now, what="change", by="operator", detail="config"))

    def close(self, now: float) -> None:
        """Tell everybody who is in that it is over."""
        self._held.close(now)
        self.line.close(now)
        if self.door is not None:
            self.door.close(now)


def _closed(hold: Hold, asked_at_s: float, now: float) -> Outcome:
    if hold.for_s <= _HEAD_S:
        return Outcome(asked_at_s=asked_at_s, ended_at_s=now)
    return refused(Reason.REQUEST_TIMEOUT, asked_at_s, now)


def _unreached(asked_at_s: float, now: float) -> Outcome:
    return Outcome(asked_at_s=asked_at_s, ended_at_s=now, reason=UNREACHED)


def _forged(who: Who, size_bytes: int) -> Facts:
    """What the head of a question tells that comes with a key that nobody was ever given."""
    return Facts(
        address=who.address.to_bytes(4, "big"),
        lane=Lane.INFERENCE,
        bearing=Bearing.FORGED,
        requires_credential=True,
        size_bytes=size_bytes,
    )
