"""Slow clients: connections that are opened, held, and opened again.

In the field: slowloris, slow bodies and slow reading (ATT&CK T1499.002; CVE-2007-6750): a head that never ends, or an
answer that nobody reads. Intensity 1 holds 500 connections at once, all opened within the first ten seconds; one
that is cut is opened again after a quarter of a second.

Every connection is an actor of its own, in both forms: what is bounded is connections, not bots. Mimicry 0: each
stays with its bot, in a data centre, and is held for ten minutes at a time. Mimicry 1: residential proxies, another bot
for each connection, held for 20 s (as long as a phone without reception) and opened again after two seconds,
by some more actors, so that 500 are held. In between, by the logarithm. Truth: `who.family`, `who.fleet`.
"""

from __future__ import annotations

from typing import Final

from tidegate.lab.actors.attackers.campaign import MOST_ACTIVE, Campaign, between
from tidegate.lab.actors.retrying import ask
from tidegate.lab.acts import Hold, Life, Wait
from tidegate.lab.scenario import ScenarioError

CONNECTIONS: Final = 500
OPENING_S: Final = 10.0
REOPEN_S: Final = (0.25, 2.0)
"""How long until a connection is opened again, at mimicry 0 and 1."""
_LONG_S: Final = 600.0
_SHORT_S: Final = 20.0


def lives(campaign: Campaign) -> list[Life]:
    """One actor for each connection. Raises ScenarioError beyond MOST_ACTIVE of them."""
    mimicry = campaign.mimicry
    held_part = _held_s(mimicry) / (_held_s(mimicry) + between(*REOPEN_S, mimicry))
    wanted = campaign.rate(CONNECTIONS) / held_part
    count = max(1, round(wanted)) if wanted else 0
    if count > MOST_ACTIVE:
        msg = f"attack[{campaign.number}].intensity: {count} connections, expected at most {MOST_ACTIVE}"
        raise ScenarioError(msg)
    return [_connection(campaign, number, count) for number in range(count)]


def _connection(campaign: Campaign, number: int, count: int) -> Life:
    attack, dice, seats = campaign.attack, campaign.dice, campaign.seats
    # In a ramp each comes when as much of all is to be there.
    late_s = campaign.manner.ramp_part * campaign.span_s * number / count
    now = attack.from_s + late_s + min(OPENING_S, campaign.span_s / 10.0) * number / count
    yield Wait(now)
    while now < attack.until_s:
        pause_s = campaign.manner.off_left_s(now - attack.from_s)
        if not pause_s:
            seat = seats.seat(number % seats.count)
            if dice.random() < seat.mimicry:
                seat = seats.seat(dice.randrange(seats.count))
            for_s = min(_held_s(seat.mimicry), attack.until_s - now)
            reads_nothing = not campaign.manner.is_same and number % 2 == 1
            outcome = yield from ask(campaign.moved(seat.who), Hold(for_s=for_s, reads_nothing=reads_nothing))
            now = outcome.ended_at_s
            pause_s = between(*REOPEN_S, seat.mimicry)
        yield Wait(pause_s)
        now += pause_s


def _held_s(mimicry: float) -> float:
    return between(_LONG_S, _SHORT_S, mimicry)
