"""What can be promised to a request that has to wait, or why it is not let wait.

Whoever is refused here has cost the engine nothing, and is refused by the
cheapest look that tells: most of a flood never gets as far as a forecast.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidegate.core.admission.beside import Beside
from tidegate.core.admission.claims import Claim, Crowded, Shed, group_of
from tidegate.core.admission.fair import MARGIN, Entry
from tidegate.core.admission.fellows import in_turn
from tidegate.core.admission.floor import Floor
from tidegate.core.admission.jitter import jittered_s
from tidegate.core.admission.line import Line
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.reckoning import Reckoning, Reserved
from tidegate.core.admission.reclaim import may_read
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import STRANGERS, Standing

_LEAST_RETRY_S: Final = 1.0
_HEEDED_S: Final = 15.0
"""For so long at most a stranger who was refused need not be judged again: it was told when to come back."""

_MOST_TOLD: Final = 16
"""So many times are remembered of one principal: of programs that share it each may heed its own."""

_TOO_EARLY_S: Final = 0.5
"""Who comes back by so much before it was told to has not heeded it."""

_TIGHT: Final = 0.5
"""A class is overloaded, for its cursor, when the wait is more than this part of the patience, or strangers fill
so much of their line."""


class Promises:
    """Keeps nothing but how many it was asked, and whom it refused lately. Times are monotonic seconds."""

    def __init__(
        self,
        lines: Mapping[Standing, Line],
        floor: Floor,
        reckoning: Reckoning,
        beside: Beside,
        plan: AdmissionPlan,
    ) -> None:
        """Look at these from now on."""
        self.plan = plan
        self._lines = lines
        self._floor = floor
        self._reckoning = reckoning
        self._beside = beside
        self._sequence = 0
        self._told_at: OrderedDict[str, list[float]] = OrderedDict()

    def replan(self, plan: AdmissionPlan) -> None:
        """Go on under another plan. Who was told to stay away was told so under the last one."""
        self.plan = plan
        self._told_at.clear()

    def preview(
        self, principal: str, standing: Standing, cohort: str, patience_s: float, now: float, *, has_in: bool
    ) -> Shed | None:
        """Refuse what would be refused whatever it costs, its class being the one given.

        Of somebody known who `has_in` others that is not certain: one more may be judged among newcomers.
        """
        early_s = self._early_s(principal, now)
        group = group_of(principal, standing, cohort)
        standing = self._reckoning.judged(principal, standing, now)
        line = self._lines[standing]
        if early_s and standing in STRANGERS and (line.waiting or self._floor.is_full):
            self._told(principal, early_s, now)
            return Shed(max(_LEAST_RETRY_S, early_s))
        if not line.waiting or (has_in and not line.is_strangers):
            return None
        rate = self._reckoning.rate(standing, now)
        if line.is_full_for(group, self.plan.max_waiting):
            self._saw_full(line, now)
            return self._refuse(principal, line.queue.cost / rate, now)
        start = line.earliest_start(principal, group, self.plan.shards)
        wait_s = MARGIN * line.queue.wait_s(start, rate)
        return self._refuse(principal, wait_s - patience_s / 2, now) if wait_s > patience_s else None

    def again_s(self, ticket: Ticket, now: float) -> float:
        """Tell one that runs when to ask again if it were over now."""
        line, claim, wait_s = self._lines[ticket.standing], ticket.claim, 0.0
        if line.waiting:
            start = line.earliest_start(claim.principal, claim.group, self.plan.shards)
            wait_s = MARGIN * line.queue.wait_s(start, self._reckoning.rate(ticket.standing, now))
        return self._refuse(claim.principal, wait_s, now).retry_after_s

    def ended(self, principal: str, now: float) -> None:
        """Let one whose answer is over ask the next thing: what another program of theirs was told is not for it."""
        told = self._told_at.get(principal)
        if told is not None:
            del told[_MOST_TOLD - 1 :]
            insort(told, now)

    def crowded(self, principal: str, gone_s: float, now: float) -> Crowded:
        """Refuse one more of somebody who has too many in, the first of which should be over in `gone_s`."""
        refused = Crowded(retry_s(principal, gone_s, now))
        self._told(principal, refused.retry_after_s, now)
        return refused

    def ask(self, number: int, claim: Claim, inside: Sequence[Ticket], in_class: int, now: float) -> Ticket | Shed:
        """What a claim comes to as a ticket, with its promise.

        Its principal has those `inside` already, and `in_class` of them in its own class. Those of them that wait may
        be put in another order, if it is let in.
        """
        reserved = self._reckoning.reserve(claim, len(inside), in_class, now)
        line, cost = self._lines[reserved.standing], reserved.cost
        flows = line.flows(claim, self.plan.shards)
        if flows is None:
            return self._refuse(claim.principal, line.queue.cost / self._reckoning.rate(reserved.standing, now), now)
        start = line.start(flows)
        first, turns = start, []
        if claim.end_user and inside and line.waiting:
            turns = in_turn(self._made(number, claim, reserved, flows, start, now), line.waiting, inside)
            first = next((entry.start for one, entry in turns if one.number == number), start)
        if line.waiting:
            # As short as it can be, to refuse what has no chance before anything is made for it.
            wait_s = MARGIN * line.queue.wait_s(first + cost, self._reckoning.rate(reserved.standing, now))
            if wait_s > claim.patience_s or line.is_full_for(claim.group, self.plan.max_waiting):
                self._saw_full(line, now)
                self._saw(line, first, now, is_overloaded=True)
                return self._refuse(claim.principal, wait_s - claim.patience_s / 2, now)
        asked = self._made(number, claim, reserved, flows, first, now)
        if self.is_free_for(asked):
            return asked
        promised = self._promised(asked, line, now)
        if isinstance(promised, Ticket):
            for fellow, entry in turns:
                if fellow.number != number:
                    line.move(fellow, entry)
        return promised

    def _made(
        self, number: int, claim: Claim, reserved: Reserved, flows: tuple[str, ...], start: float, now: float
    ) -> Ticket:
        self._sequence += 1
        return Ticket(
            number=number,
            claim=claim,
            standing=reserved.standing,
            flows=flows,
            prompt_tokens=reserved.prompt_tokens,
            reserved_tokens=reserved.output_tokens,
            entry=Entry(start + reserved.cost, self._sequence, start, number, reserved.cost, now),
            charged=reserved.cost,
        )

    def is_free_for(self, asked: Ticket) -> bool:
        """Whether it would start at once, nobody of its class being before it."""
        if self._floor.is_full or self._lines[asked.standing].waiting:
            return False
        if asked.is_stranger:
            return self._beside.may_start(asked.standing, asked.claim.principal)
        counters = self._lines[asked.standing].counters
        return may_read(asked, self._floor, counters, self._reckoning.cost, self.plan)

    def again(self, ticket: Ticket, now: float) -> Entry:
        """Promise anew, to one that was started in time and lets others go before it now."""
        return msgspec.structs.replace(ticket.entry, due_at=now + self._wait_s(ticket, now))

    def _promised(self, asked: Ticket, line: Line, now: float) -> Ticket | Shed:
        patience_s, principal = asked.claim.patience_s, asked.claim.principal
        wait_s = self._wait_s(asked, now)
        # A long prompt that is being read is no overload of the class: nobody else would be let in instead.
        is_overloaded = wait_s > patience_s and bool(line.waiting)
        is_light = self._saw(line, asked.entry.start, now, is_overloaded=is_overloaded)
        is_tight = is_light and bool(line.waiting) and wait_s > patience_s * _TIGHT
        who = principal
        if line.is_strangers:
            is_tight = is_tight or len(line.waiting) > self.plan.max_waiting * _TIGHT
            who = asked.claim.group
        if wait_s > patience_s or (is_tight and not line.cursor.lets_in(who, now)):
            return self._refuse(principal, wait_s - patience_s / 2, now)
        asked.entry = msgspec.structs.replace(asked.entry, due_at=now + wait_s)
        return asked

    def _refuse(self, principal: str, wait_s: float, now: float) -> Shed:
        refused = shed(principal, wait_s, now)
        self._told(principal, refused.retry_after_s, now)
        return refused

    def _told(self, principal: str, retry_after_s: float, now: float) -> None:
        """Remember when somebody was told to come back; several of theirs may be told different times."""
        if not principal:
            return
        told = self._told_at.setdefault(principal, [])
        if len(told) < _MOST_TOLD:
            insort(told, now + min(_HEEDED_S, retry_after_s))
        self._told_at.move_to_end(principal)
        if len(self._told_at) > self.plan.most_principals:
            self._told_at.popitem(last=False)

    def _early_s(self, principal: str, now: float) -> float:
        """How much too early somebody comes who was told a time; 0.0 of whom one time that was told is up."""
        told = self._told_at.get(principal)
        if not told:
            return 0.0
        early_s = told[0] - now
        if early_s <= _TOO_EARLY_S:
            del told[0]
            if not told:
                del self._told_at[principal]
            return 0.0
        self._reckoning.came_early(principal, now)
        return early_s

    def _saw_full(self, line: Line, now: float) -> None:
        """Tell the cursor of a line that has no room for anybody."""
        if len(line.waiting) >= self.plan.max_waiting:
            line.cursor.saw(now, is_overloaded=True)

    def _saw(self, line: Line, start: float, now: float, *, is_overloaded: bool) -> bool:
        """Tell the cursor, but of those who consumed no more than others: the rest are refused for what they did."""
        is_light = start <= line.counters.virtual_time
        if is_light:
            line.cursor.saw(now, is_overloaded=is_overloaded)
        return is_light

    def _wait_s(self, ticket: Ticket, now: float) -> float:
        rate = self._reckoning.rate(ticket.standing, now)
        busy_s = self._reckoning.busy_s(self._floor.tickets.values(), ticket.standing)
        return self._lines[ticket.standing].queue.promise_s(ticket.entry.tag, ticket.entry.cost, rate, now, busy_s)


def shed(principal: str, wait_s: float, now: float) -> Shed:
    """Refuse for want of room."""
    return Shed(retry_s(principal, wait_s, now))


def retry_s(principal: str, wait_s: float, now: float) -> float:
    """When to come back: an honest time, and not the same for all who are refused together."""
    return jittered_s(max(_LEAST_RETRY_S, wait_s), principal.encode(), now)
