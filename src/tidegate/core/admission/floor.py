"""Who runs: the engine's places and the tickets that hold them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from tidegate.core.admission.claims import Place
from tidegate.core.admission.places import Places
from tidegate.core.admission.tickets import Ticket
from tidegate.core.capacity.concurrency import ConcurrencyLimit
from tidegate.core.standing.classes import RANK, Standing

_NONE_HELD: Final = dict.fromkeys(Standing, 0)
_ESTABLISHED_RANK: Final = RANK[Standing.ESTABLISHED]


class Floor:
    """At most as many run as there are places, and as the engine's own rhythm allows."""

    def __init__(self, slots: int, gap_s: float) -> None:
        """Nobody runs."""
        self.concurrency = ConcurrencyLimit(slots, gap_s)
        self.tickets: dict[int, Ticket] = {}
        self.strangers: dict[int, Ticket] = {}
        self._unbegun: dict[int, Ticket] = {}
        self._places = Places(slots)

    def resize(self, slots: int) -> None:
        """Have another number of places. Nobody who runs is touched; while more run than that, nobody starts."""
        self.concurrency.resize(slots)
        self._places.resize(slots)

    @property
    def limit(self) -> int:
        """How many may run."""
        return self.concurrency.limit

    @property
    def is_full(self) -> bool:
        """Whether nobody more may run. A place that was taken back counts until the engine has freed it."""
        return len(self.tickets) >= self.concurrency.limit

    def held(self) -> dict[Standing, int]:
        """How many places each class holds that were not taken back."""
        held = _NONE_HELD.copy()
        for ticket in self.tickets.values():
            if not ticket.is_cut:
                held[ticket.standing] += 1
        return held

    def reading(self) -> list[Ticket]:
        """Those whose prompts are being read."""
        return [ticket for ticket in self._unbegun.values() if not ticket.is_cut] if self._unbegun else []

    def unbegun(self) -> Collection[Ticket]:
        """Those of whose answers nothing is there, those too from whom their place is being taken."""
        return self._unbegun.values()

    def began(self, ticket: Ticket) -> None:
        """The answer of one that runs has begun: its prompt is read."""
        ticket.is_begun = True
        del self._unbegun[ticket.number]

    def demoted(self, ticket: Ticket) -> None:
        """One that runs is a stranger's from now on."""
        self.strangers[ticket.number] = ticket

    def overtaken_by(self, ticket: Ticket) -> list[Ticket]:
        """Whose prompts, of as good a class or a better one, the engine would read later if this one ran now.

        Which place it will get is not known while there is none: it may be the lowest.
        """
        reading = self.reading()
        if not reading:
            return reading
        place = -1 if self.is_full else self._place_for(ticket)
        rank = RANK[ticket.standing]
        return [one for one in reading if RANK[one.standing] <= rank and (one.place or 0) > place]

    def seat(self, ticket: Ticket) -> Place:
        """Let one run that waited; there is room."""
        place = self._places.take(self._place_for(ticket), ticket.claim.principal)
        ticket.place = place.number
        self.tickets[ticket.number] = self._unbegun[ticket.number] = ticket
        if ticket.is_stranger:
            self.strangers[ticket.number] = ticket
        return place

    def _place_for(self, ticket: Ticket) -> int:
        above = None
        if RANK[ticket.standing] <= _ESTABLISHED_RANK:
            above = -1
            for one in self._unbegun.values():
                place = one.place
                if place is not None and place > above and not one.is_cut and not one.is_stranger:
                    above = place
        return self._places.choose(ticket.claim.principal, above=above)

    def vacate(self, ticket: Ticket) -> None:
        """Free the place of one that runs."""
        assert ticket.place is not None, "it runs"
        del self.tickets[ticket.number]
        self._unbegun.pop(ticket.number, None)
        self.strangers.pop(ticket.number, None)
        self._places.give_back(ticket.place)
        ticket.place = None
