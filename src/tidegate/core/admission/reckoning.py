"""What requests cost, what is reserved for them, and what the engine has still to do.

A request is reserved before it runs, by what is usual for its principal, and
settled by what it came to. Whoever goes beyond what is usual, be it in requests
at once or in cost tokens, is a newcomer with the part beyond. Whoever keeps
coming back before they were told to is a suspect with everything, as long as it
goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from tidegate.core.admission.bucket import Buckets
from tidegate.core.admission.claims import Claim, Spent
from tidegate.core.admission.cost import CostModel
from tidegate.core.admission.habits import Habits
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.shares import ClassShares
from tidegate.core.admission.tickets import Ticket
from tidegate.core.capacity.drain import Drain
from tidegate.core.standing.classes import RANK, STRANGERS, Standing

_EARLY: Final = 32.0
_FORGOTTEN_S: Final = 2.0
"""So often a principal may come back too early before it counts against it. One each so many seconds is
forgotten; of a flood of them as many again are remembered, and no more."""

_MUCH: Final = 2
"""Who has so many times the usual inside, in whatever class, is a newcomer with any more."""

_KNOWN: Final = frozenset(Standing) - STRANGERS

_LEAST_PART: Final = 0.25
"""Of its share: a class that was starved for a moment is not believed to be so for ever."""


class Reserved(msgspec.Struct, frozen=True):
    """What a request will take, and in which class it is judged."""

    standing: Standing
    prompt_tokens: int
    output_tokens: int
    cost: float


class Reckoning:
    """Costs, rates and budgets. Times are monotonic seconds."""

    def __init__(self, plan: AdmissionPlan) -> None:
        """Believe the plan until something was measured."""
        self.cost = CostModel(plan.cost)
        self.drain = Drain(plan.cost.decode_tok_s)
        self.shares = ClassShares(plan.shares)
        self._drains = {standing: Drain(plan.cost.decode_tok_s) for standing in Standing}
        self.habits = Habits(plan.most_principals, usual_tokens=plan.slice_tokens)
        self.slice_tokens = plan.slice_tokens
        self.usual_burst_s = plan.usual_burst_s
        self._budgets = Buckets(plan.usual_part, plan.usual_burst_s, plan.most_principals)
        self._early = Buckets(1.0 / _FORGOTTEN_S, 2 * _EARLY, plan.most_principals)

    def replan(self, plan: AdmissionPlan) -> None:
        """Go on under another plan; what was consumed and learned stays."""
        self.shares.reshare(plan.shares)
        self.habits.most = plan.most_principals
        self.slice_tokens = plan.slice_tokens
        self.usual_burst_s = plan.usual_burst_s
        self._budgets.reshape(plan.usual_part, plan.usual_burst_s, plan.most_principals)
        self._early.reshape(1.0 / _FORGOTTEN_S, 2 * _EARLY, plan.most_principals)

    def reserve(self, claim: Claim, inside: int, in_class: int, now: float) -> Reserved:
        """Judge a request of somebody who has so many `inside` already, and `in_class` of them in their own class.

        Keeps nothing.
        """
        prompt_tokens = self.cost.prompt_tokens(claim.prompt_bytes)
        output_tokens = self.habits.expected_tokens(claim.principal, claim.output_tokens)
        standing = self.judged(claim.principal, claim.standing, now)
        if standing not in STRANGERS:
            cost = self.cost.cost(prompt_tokens, output_tokens)
            is_usual = in_class < claim.usual_in_flight and inside < _MUCH * claim.usual_in_flight
            if is_usual and not self._budgets.wait_s(claim.principal, self._engine_s(cost), now):
                return Reserved(standing, prompt_tokens, output_tokens, cost)
            standing = Standing.NEWCOMER
        output_tokens = min(output_tokens, self.slice_tokens)
        return Reserved(standing, prompt_tokens, output_tokens, self.cost.cost(prompt_tokens, output_tokens))

    def came_early(self, principal: str, now: float) -> None:
        """Hear that somebody came back long before they were told to."""
        self._early.take(principal, 1.0, now)

    def judged(self, principal: str, standing: Standing, now: float) -> Standing:
        """The class that somebody is judged in: a suspect's while they heed nothing that they are told."""
        return Standing.SUSPECT if principal and self._early.wait_s(principal, _EARLY, now) else standing

    def _engine_s(self, cost: float) -> float:
        """How much of the engine's time a cost is, but no more than a budget can ever hold."""
        return min(cost / self.drain.rate, self.usual_burst_s)

    def spent(self, ticket: Ticket, cost: float, now: float) -> None:
        """Take what a request came to from its principal's budget, unless it was beyond that budget anyway."""
        if ticket.is_within_usual:
            self._budgets.wait_s(ticket.claim.principal, 0.0, now)
            self._budgets.charge(ticket.claim.principal, cost / self.drain.rate)

    def learn(self, ticket: Ticket, spent: Spent, running: int) -> None:
        """Take from an answer what answers are like."""
        self.cost.learn(spent, ticket.claim.prompt_bytes, running)
        self.habits.learn(ticket.claim.principal, spent.output_tokens)

    def did(self, ticket: Ticket, cost: float, now: float, *, is_full: bool, has_waiting: bool) -> None:
        """Count work that was done; `has_waiting` tells that its class would have had more to do."""
        self.drain.did(cost, now, is_full=is_full)
        self._drains[ticket.standing].did(cost, now, is_full=has_waiting)

    def rate(self, standing: Standing, now: float) -> float:
        """Cost tokens a second that a class can count on: what others leave of what it was seen to get.

        Beside known people strangers get less than what those leave: they are
        read last, and write in few places.
        """
        whole, shares = self.drain.rate, self.shares
        left = min(shares.rate(standing, whole, now), self._drains[standing].rate)
        return max(_LEAST_PART * shares.shares[standing] * whole, left)

    def headroom(self, now: float) -> float:
        """The part of the engine (0-1) that known people have left for others lately."""
        return max(0.0, 1.0 - self.shares.taken(_KNOWN, now) / self.drain.rate)

    def left(self, ticket: Ticket, *, is_yielding: bool = False) -> float:
        """What one that runs will still take of what it reserved; its prompt left out when it is set aside."""
        is_reading = ticket.place is not None and not ticket.is_begun
        unread = max(0, ticket.prompt_tokens - ticket.read_tokens) if is_reading and not is_yielding else 0
        return unread * self.cost.prompt_weight + max(0, ticket.reserved_tokens - ticket.used_tokens)

    def busy_s(self, running: Iterable[Ticket], standing: Standing) -> float:
        """How long those who run hold the engine, for one of this class: prompts that it sets aside left out."""
        rank = RANK[standing] if standing not in STRANGERS else len(RANK)  # For the sake of strangers nobody yields.
        work = sum([self.left(one, is_yielding=RANK[one.standing] > rank) for one in running])
        return work / self.drain.rate

    def gone_s(self, tickets: Iterable[Ticket], running: int, now: float) -> float:
        """When the first of these will be over, of `running` that share the engine."""
        share = self.drain.rate / max(1, running)
        return min(
            (
                max(0.0, one.entry.due_at - now) + one.entry.cost / share if one.is_waiting else self.left(one) / share
                for one in tickets
            ),
            default=0.0,
        )
