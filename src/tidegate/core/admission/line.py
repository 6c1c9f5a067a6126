"""Those of one class who wait, what its people have consumed, and who is let in when it is tight."""

from __future__ import annotations

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.cursor import Cursor
from tidegate.core.admission.fair import Counters, Entry, FairQueue
from tidegate.core.admission.sharding import ShardPlan, deal
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import STRANGERS, Standing


class Line:
    """People with a history have a counter each; strangers share queues, dealt by cohort, which has a counter too."""

    def __init__(self, standing: Standing, most_principals: int, cursor: Cursor) -> None:
        """Nobody waits."""
        self.standing = standing
        self.is_strangers = standing in STRANGERS
        self.queue = FairQueue()
        self.counters = Counters(most_principals)
        self.cursor = cursor
        self.waiting: dict[int, Ticket] = {}
        self._shared: dict[str, int] = {}  # How many wait in each of the strangers' queues.
        self._of_group: dict[str, int] = {}  # How many strangers of each group wait.

    def is_full_for(self, group: str, most: int) -> bool:
        """Whether no more of a group are let wait where `most` may.

        Of strangers a group may have as many waiting as there is still room for (fellows.py), as soon as others wait
        too: so there is room for whoever has nothing waiting, until there are as many groups as room.
        """
        waiting = len(self.waiting)
        if waiting >= most or not self.is_strangers:
            return waiting >= most
        own = self._of_group.get(group, 0)
        return own >= most - waiting and own < waiting

    def flows(self, claim: Claim, plan: ShardPlan) -> tuple[str, ...] | None:
        """Whose counters a request is charged to; None when every queue of its hand is full."""
        if not self.is_strangers:
            return (claim.principal,)
        counters, shared, group = self.counters, self._shared, claim.group
        chosen = None
        least = (0.0, 0)
        for number in deal(group, plan):
            queue = f"queue:{number}"
            waiting = shared.get(queue, 0)
            load = (counters.start(queue), waiting)
            if waiting < plan.queue_limit and (chosen is None or load < least):
                chosen, least = queue, load
        if chosen is None:
            return None
        own = (chosen, claim.principal)
        return own if group == claim.principal else (*own, group)

    def start(self, flows: tuple[str, ...]) -> float:
        """Where a request that is charged to these counters starts."""
        return max(self.counters.start(flow) for flow in flows)

    def earliest_start(self, principal: str, group: str, plan: ShardPlan) -> float:
        """Where any request of a principal starts at the earliest; of whom nothing is told, anywhere."""
        start = self.counters.start(principal)
        if self.is_strangers and group:
            start = max(start, self.counters.start(group))
            start = max(start, min(self.counters.start(f"queue:{number}") for number in deal(group, plan)))
        return start

    def join(self, ticket: Ticket) -> None:
        """Let one wait."""
        self.queue.add(ticket.entry)
        self.waiting[ticket.number] = ticket
        if self.is_strangers:
            queue = ticket.flows[0]
            self._shared[queue] = self._shared.get(queue, 0) + 1
            group = ticket.claim.group
            self._of_group[group] = self._of_group.get(group, 0) + 1

    def move(self, ticket: Ticket, entry: Entry) -> None:
        """Let one wait elsewhere in the line; its promise stays."""
        self.queue.remove(ticket.entry)
        ticket.entry = entry
        self.queue.add(entry)

    def leave(self, ticket: Ticket) -> None:
        """Let one go, or give up."""
        self.queue.remove(ticket.entry)
        del self.waiting[ticket.number]
        if self.is_strangers:
            queue = ticket.flows[0]
            self._shared[queue] -= 1
            if not self._shared[queue]:
                del self._shared[queue]
            group = ticket.claim.group
            self._of_group[group] -= 1
            if not self._of_group[group]:
                del self._of_group[group]

    def charge(self, ticket: Ticket, cost: float) -> None:
        """Count cost for all to whom a ticket is charged; less than nothing gives back."""
        for flow in ticket.flows:
            self.counters.charge(flow, cost)
