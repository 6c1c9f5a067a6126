"""The end users of one account: fair among themselves, and none can take all that the account has.

A program that serves many people with one key may name them, each in a word of
its own (`user`). To everybody else the account stays one: it has its counter,
its share, its bound of requests at once. Who of its people goes next, and how
many of them are in, is decided here.

Order. What of an account waits in a line lies in an interval of virtual time,
one request behind the other. Its own requests are put in another order there,
the sum staying the same: nobody else is passed for it. First goes whose end user
has least in hand, counting what runs and what waits before (fair queueing by
cost, as between accounts, within one busy period). Promises are not touched:
fair.py lets one with a small tag go first only as far as every promise is kept.

Bound. Of what an account may have in at once, an end user may have as much as
is still free (Choudhury and Hahne 1998, "Dynamic Queue Length Thresholds for
Shared-Memory Packet Switches", with alpha = 1): alone in a flood it gets half,
two of them a third each, and there is room for one more always, until there are
as many of them as places. It holds for accounts that were seen with more than
one end user within `_SEVERAL_S`: a program that gives everything one name, or
none, has all of its places.

So whoever asks for one thing at a time waits for as many answers as there are
fellows in a flood, and one more. But for once, when the account has used its
usual engine time and becomes a newcomer with the rest: then it waits for what
they have in the better class, which is no more than the account may have in.

Not divided: that engine time, and what the account as a whole was told of when
to come back. Who floods can still make it a newcomer, or by pressing a suspect.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Container, Sequence
from typing import Final

import msgspec

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.fair import Entry
from tidegate.core.admission.tickets import Ticket

_SEVERAL_S: Final = 600.0


class _Seen(msgspec.Struct):
    last: str
    several_until: float = 0.0


class EndUsers:
    """Which accounts were seen with more than one end user lately: of at most `most`, the longest unseen forgotten."""

    def __init__(self, most: int) -> None:
        """Nobody was seen."""
        self.most = most
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def __len__(self) -> int:
        """How many accounts are remembered."""
        return len(self._seen)

    def saw(self, claim: Claim, now: float) -> None:
        """Remember a request that names its end user; one that names none tells nothing."""
        if not claim.end_user:
            return
        seen = self._seen.setdefault(claim.principal, _Seen(claim.end_user))
        if seen.last != claim.end_user:
            seen.last, seen.several_until = claim.end_user, now + _SEVERAL_S
        self._seen.move_to_end(claim.principal)
        while len(self._seen) > self.most:
            self._seen.popitem(last=False)

    def has_all(self, claim: Claim, tickets: Sequence[Ticket], most: int, now: float) -> bool:
        """Whether a claim's end user has as many of its account's tickets as it may, of `most` there may be."""
        seen = self._seen.get(claim.principal) if claim.end_user else None
        if seen is None or now >= seen.several_until:
            return False
        own = sum(ticket.claim.end_user == claim.end_user for ticket in tickets)
        return own >= most - len(tickets)


def in_turn(asked: Ticket, waiting: Container[int], inside: Sequence[Ticket]) -> list[tuple[Ticket, Entry]]:
    """Where those of an account stand in a line that one more asks to join, itself among them.

    `waiting` are the numbers of all that wait in that line, `inside` is all that
    the account has in. Nothing is moved yet. Empty where there is nothing to put
    in order.
    """
    fellows = sorted((ticket for ticket in inside if ticket.number in waiting), key=_tag)
    if all(fellow.claim.end_user == asked.claim.end_user for fellow in fellows):
        return []
    fellows.append(asked)
    in_hand: defaultdict[str, float] = defaultdict(float)
    for ticket in inside:
        if ticket.number not in waiting:
            in_hand[ticket.claim.end_user] += ticket.charged
    keyed = []
    for fellow in sorted(fellows, key=_sequence):
        in_hand[fellow.claim.end_user] += fellow.entry.cost
        keyed.append((in_hand[fellow.claim.end_user], fellow.entry.sequence, fellow))
    keyed.sort(key=lambda one: one[:2])
    return _chained([fellow for _, _, fellow in keyed], [fellow.entry for fellow in fellows])


def _chained(turns: Sequence[Ticket], slots: Sequence[Entry]) -> list[tuple[Ticket, Entry]]:
    """One behind the other in the interval that the slots take up, idle gaps between them kept where they are."""
    placed: list[tuple[Ticket, Entry]] = []
    at = last_tag = slots[0].start
    for ticket, slot in zip(turns, slots, strict=True):
        at += max(0.0, slot.start - last_tag)
        last_tag = slot.tag
        placed.append((ticket, msgspec.structs.replace(ticket.entry, start=at, tag=at + ticket.entry.cost)))
        at += ticket.entry.cost
    return placed


def _tag(ticket: Ticket) -> Entry:
    return ticket.entry


def _sequence(ticket: Ticket) -> int:
    return ticket.entry.sequence
