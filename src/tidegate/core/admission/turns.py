"""Whose turn is it, and who must give back a place for that?

Of the places a class may insist on as many as its share comes to, rounded down.
A class that has less goes first, the best first, and takes places back from
worse classes that have more than their part. What rounding leaves goes by cost
tokens: to the class whose counter will stand lowest, and only from one that
stands higher. So the rounded shares sum to no more than there is, no class is
starved, and nobody is cut for one who would not go next.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.core.admission.beside import Beside
from tidegate.core.admission.floor import Floor
from tidegate.core.admission.line import Line
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.reckoning import Reckoning
from tidegate.core.admission.reclaim import is_much_shorter, is_worth_setting_aside, may_read
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import RANK, Standing

_ROUNDING = 1e-9


class Turns:
    """Decides; keeps nothing. Holds what it decides by."""

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

    def next(self, now: float) -> Ticket | None:
        """Who shall run now; None when nobody more may."""
        if self._floor.is_full:
            return None
        heirs = [heir for line in self._lines.values() if line.waiting and (heir := self._heir(line, now)) is not None]
        if len(heirs) <= 1:
            return heirs[0] if heirs else None
        held = self._floor.held()
        parts = self._parts(self._asking(held))
        return min(heirs, key=lambda heir: self._turn(heir, held, parts))

    def set_aside(self, now: float) -> Ticket | None:
        """The stranger's prompt that must wait: for another stranger's, or because it stalls somebody known."""
        reading = self._floor.reading()
        if len(reading) != 1 or not reading[0].is_stranger:
            return None
        if not is_worth_setting_aside(reading[0], self._reckoning.cost, self.plan):
            return None
        if not reading[0].is_by_right and not self._beside.may_start(
            reading[0].standing, reading[0].claim.principal, without=reading[0]
        ):
            return reading[0]
        firsts = (
            self._first(standing, now)
            for standing, line in self._lines.items()
            if line.is_strangers and self._beside.may_start(standing, without=reading[0])
        )
        better = any(first is not None and self._precedes(first, reading[0]) for first in firsts)
        return reading[0] if better else None

    def victims(self, now: float) -> list[Ticket]:
        """Whose places to take back, for those who wait and have less than their part."""
        chosen: list[Ticket] = []
        if not self._floor.is_full:
            return chosen
        held = self._floor.held()
        parts = self._parts(self._asking(held))
        coming = len(self._floor.tickets) - sum(held.values())
        for standing, part in parts.items():
            if held[standing] >= part or not self._lines[standing].waiting:
                continue
            if not coming and not any(held[one] > parts[one] for one in parts if RANK[one] > RANK[standing]):
                continue  # Nobody has anything that could be taken back for one of these.
            for claimant in self._claimants(standing, int(part) - held[standing], now):
                if coming > 0:
                    coming -= 1  # A place that was taken back before will be free for it.
                    held[standing] += 1
                    continue
                victim = self._victim(claimant, held, parts, chosen)
                if victim is None:
                    break
                held[victim.standing] -= 1
                held[standing] += 1
                chosen.append(victim)
        return chosen

    def _heir(self, line: Line, now: float) -> Ticket | None:
        """Who of a line may take a place that is free."""
        if not line.is_strangers or self._beside.may_start(line.standing):
            return self._first(line.standing, now)
        if not self._beside.is_one_known_in():
            return None
        first = self._first(line.standing, now)
        may_start = first is not None and self._beside.may_start(line.standing, first.claim.principal)
        return first if may_start else None

    def _first(self, standing: Standing, now: float) -> Ticket | None:
        """Who would go next of a class, strangers without regard to what is being read."""
        line = self._lines[standing]
        if not line.waiting:
            return None
        if len(line.waiting) == 1:
            ticket = next(iter(line.waiting.values()))
            return ticket if self._may_run(ticket, line) else None
        rate = self._reckoning.rate(standing, now)
        free_at = now + self._reckoning.busy_s(self._floor.tickets.values(), standing)
        for entry in line.queue.order(rate, free_at):
            ticket = line.waiting[entry.ticket]
            if self._may_run(ticket, line):
                return ticket
        return None

    def _may_run(self, ticket: Ticket, line: Line) -> bool:
        if line.is_strangers:
            return True
        return may_read(ticket, self._floor, line.counters, self._reckoning.cost, self.plan)

    def _turn(
        self, heir: Ticket, held: Mapping[Standing, int], parts: Mapping[Standing, float]
    ) -> tuple[bool, float, int]:
        insists = held[heir.standing] < int(parts[heir.standing])
        tag = 0.0 if insists else self._reckoning.shares.tag(heir.standing, heir.entry.cost)
        return not insists, tag, RANK[heir.standing]

    def _precedes(self, first: Ticket, reading: Ticket) -> bool:
        """Whether one that waits would go before one that is being read, if that one waited too."""
        if first.standing is reading.standing:
            return first.entry < reading.entry and is_much_shorter(first, reading, self._reckoning.cost, self.plan)
        if RANK[first.standing] > RANK[reading.standing]:
            return False
        held = self._floor.held()
        parts = self._parts(self._asking(held))
        held[reading.standing] -= 1
        if held[first.standing] < int(parts[first.standing]):
            return True
        if held[reading.standing] < int(parts[reading.standing]):
            return False
        shares = self._reckoning.shares
        return shares.tag(first.standing, first.entry.cost) < shares.finish(reading.standing)

    def _claimants(self, standing: Standing, most: int, now: float) -> list[Ticket]:
        """Who of a class may ask for places now: as many as it insists on, else one; strangers one by one."""
        line = self._lines[standing]
        if line.is_strangers or most <= 1:
            first = self._first(standing, now)
            return [] if first is None else [first]
        able = (line.waiting[entry.ticket] for entry in line.queue)
        return [ticket for ticket in able if self._may_run(ticket, line)][:most]

    def _victim(
        self, claimant: Ticket, held: Mapping[Standing, int], parts: Mapping[Standing, float], chosen: list[Ticket]
    ) -> Ticket | None:
        """The one whose loss is least: one that has not begun, of the class that borrows most, else the latest."""
        insists = held[claimant.standing] < int(parts[claimant.standing])
        shares = self._reckoning.shares
        tag = shares.tag(claimant.standing, claimant.entry.cost)
        borrowed = {
            standing: surplus
            for standing, part in parts.items()
            if RANK[standing] > RANK[claimant.standing]
            and (surplus := held[standing] - part) > 0
            and (insists or tag < shares.finish(standing))
        }
        candidates = [
            ticket
            for ticket in self._floor.tickets.values()
            if ticket.standing in borrowed
            and not ticket.is_cut
            and ticket not in chosen
            # Nobody is cut for a stranger who may not be read even then.
            and (not claimant.is_stranger or self._beside.may_start(claimant.standing, without=ticket))
        ]
        return max(
            candidates,
            key=lambda ticket: (not ticket.is_begun, borrowed[ticket.standing], -ticket.used_tokens, ticket.number),
            default=None,
        )

    def _asking(self, held: Mapping[Standing, int]) -> list[Standing]:
        return [standing for standing, line in self._lines.items() if held[standing] or line.waiting]

    def _parts(self, asking: list[Standing]) -> dict[Standing, float]:
        parts = self._reckoning.shares.parts(asking, self._floor.limit)
        return {standing: part + _ROUNDING for standing, part in parts.items()}
