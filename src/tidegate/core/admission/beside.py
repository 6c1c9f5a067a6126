"""Strangers beside known people: where they start, and what they give back when somebody known comes.

An answer more makes every batch of the engine longer, those too in which a known
person's prompt is read. So beside known people strangers start in few places
only, and in none where many of theirs wait: such a throng would fill every moment
that known people leave with answers that last into the next. In none either while
the engine is so slow that whoever writes would be stalled by the reading of a prompt.

Somebody known who comes takes back what suspects have running, and what a throng
has whose prompt is still being read, or whose answer has had half a slice: theirs
was spare time. Other answers go on, unless their places are needed (turns.py): to
cut them all would halve what a crowd of honest newcomers gets done, and gain known
people a hundredth.

A class is not starved by that. Of what known people consume while it waits, it is
given credit for its share; when that is enough for an answer, one of it starts
beside them by right, and keeps its place. Spare time is not charged to it.

Among strangers a cohort that holds more places than another would have gives one
up at the end of a slice. Alone it may hold all.

What a known person asks for beyond the usual is a stranger's, and not held back or
taken back for that same person's sake: alone, anybody may use all that there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from tidegate.core.admission.floor import Floor
from tidegate.core.admission.line import Line
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.reckoning import Reckoning
from tidegate.core.admission.reclaim import is_stalling
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import RANK, STRANGERS, Standing

# Python 3.11 takes as long for a member of an enumeration as for a call.
_SUSPECT: Final = Standing.SUSPECT


class Beside:
    """Decides by what it looks at, and keeps the credit of each class of strangers, in cost tokens."""

    def __init__(self, lines: Mapping[Standing, Line], floor: Floor, reckoning: Reckoning, plan: AdmissionPlan) -> None:
        """Look at these from now on."""
        self.plan = plan
        self._lines = lines
        self._floor = floor
        self._reckoning = reckoning
        self._known_waiting = [line.waiting for line in lines.values() if not line.is_strangers]
        self._credit = dict.fromkeys(STRANGERS, 0.0)

    def did(self, ticket: Ticket, cost: float) -> bool:
        """Hear what one that runs has consumed; answer whether a class may start by right now that could not before."""
        if ticket.is_by_right:
            self._credit[ticket.standing] = max(-self._most_credit, self._credit[ticket.standing] - cost)
            return False
        if ticket.standing in STRANGERS:
            return False
        is_news = False
        for standing in self._credit:
            # Told with each token of each answer; and most of the time no stranger waits.
            if self._lines[standing].waiting:
                is_news = self._credited(standing, cost) or is_news
        return is_news

    def _credited(self, standing: Standing, cost: float) -> bool:
        most, shares = self._most_credit, self._reckoning.shares
        before = self._credit[standing]
        self._credit[standing] = min(most, before + cost * shares.shares[standing] / shares.known)
        return before < most <= self._credit[standing]

    def may_start(self, standing: Standing, who: str = "", *, without: Ticket | None = None) -> bool:
        """Whether one of a strangers' class, and of this principal, may start beside all that run, or all but one."""
        reading = self._floor.reading()
        if len(reading) - (without in reading) >= self.plan.readers:
            return False
        if not self._are_known_in(who) or self._is_due(standing):
            return True
        if is_stalling(self._reckoning.cost, self.plan):
            return False
        strangers = self._floor.strangers
        return len(strangers) - (without is not None and without.number in strangers) < self._most(standing)

    def is_one_known_in(self) -> bool:
        """Whether all requests of known people are one person's, for whose sake that one's others are not held back."""
        known = self._known()
        first = next(known, None)
        return first is not None and all(principal == first for principal in known)

    def is_by_right(self, standing: Standing) -> bool:
        """Whether one that starts now keeps its place beside the known people that are in."""
        return self._is_due(standing) and self._are_known_in()

    def is_others_due(self, held: Ticket) -> bool:
        """Whether a stranger waits in one's line whose cohort has fewer places than this one's would without it."""
        places = Counter(other.claim.group for other in self._floor.strangers.values() if not other.is_cut)
        kept = places[held.claim.group] - 1
        return any(places[one.claim.group] < kept for one in self._lines[held.standing].waiting.values())

    def taken_back(self) -> list[Ticket]:
        """Whose places were only spare time, now that somebody known is in. Nearly done ones go last."""
        # Asked at every event of every request: so many may stay, and mostly there are no more.
        room = self._room
        if len(self._floor.strangers) <= room or not self._are_known_in():
            return []
        strangers = [ticket for ticket in self._floor.strangers.values() if not ticket.is_cut]
        thronged = [standing for standing in {one.standing: None for one in strangers} if self._is_thronged(standing)]
        if not thronged:
            return []
        spare = [
            one
            for one in strangers
            if one.standing in thronged and self._is_spare(one) and self._are_known_in(one.claim.principal)
        ]
        kept = max(0, room - (len(strangers) - len(spare)))
        spare.sort(key=lambda ticket: (RANK[ticket.standing], not ticket.is_begun, -ticket.used_tokens, ticket.number))
        return spare[kept:]

    def _are_known_in(self, but: str = "") -> bool:
        """Whether anybody known has a request in, `but` one of them left out."""
        # Asked at every event of every request: mostly it is enough to count.
        floor = self._floor
        if len(floor.tickets) == len(floor.strangers) and not any(self._known_waiting):
            return False
        return not but or any(principal != but for principal in self._known())

    def _known(self) -> Iterator[str]:
        """Whose requests are in as those of somebody known."""
        strangers = self._floor.strangers
        for number, ticket in self._floor.tickets.items():
            if number not in strangers:
                yield ticket.claim.principal
        for waiting in self._known_waiting:
            for ticket in waiting.values():
                yield ticket.claim.principal

    def _is_due(self, standing: Standing) -> bool:
        running = self._floor.tickets.values()
        return self._credit[standing] >= self._most_credit and not any(
            other.is_by_right and other.standing is standing for other in running
        )

    @property
    def _most_credit(self) -> float:
        """What an answer of one slice to a prompt of as many tokens costs."""
        return self._reckoning.cost.cost(self.plan.slice_tokens, self.plan.slice_tokens)

    def _is_spare(self, ticket: Ticket) -> bool:
        """Whether one of a throng is."""
        if ticket.is_by_right:
            return False
        is_short = ticket.used_tokens < self.plan.slice_tokens // 2
        return ticket.standing is _SUSPECT or not (ticket.is_begun and is_short)

    @property
    def _room(self) -> int:
        return int(self.plan.strangers_beside * self._floor.limit)

    def _most(self, standing: Standing) -> int:
        return self._room if self._is_thronged(standing) else max(1, self._room)

    def _is_thronged(self, standing: Standing) -> bool:
        """Whether more of a class wait than half of the places could take; suspects are their own throng."""
        return standing is _SUSPECT or len(self._lines[standing].waiting) > self._floor.limit // 2
