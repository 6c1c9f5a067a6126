"""When attackers come, in two forms that give the same statistics.

A visit is what one seat does in one go: some acts with pauses. Visits begin as a Poisson process, thinned to how
strong the campaign is then (Lewis and Shedler 1979). `individual`: each seat is an actor that exists all the time and
begins visits of its own at its part of the rate. `drawn`: one source begins all of them and draws whose each is.
Many independent Poisson processes are one (and the other way round), so the two cannot be told apart; the drawn form
knows only of visits that are on.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from tidegate.lab.actors.attackers.campaign import MOST_ACTIVE, Campaign
from tidegate.lab.actors.attackers.chance import dice_for
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.acts import Life, Spawn, Wait
from tidegate.lab.scenario import ScenarioError

MOST_INDIVIDUAL: Final = 50_000
"""Seats that may exist as actors of their own; more need `scale.is_drawn`."""
_PAUSES_IN_SPAN: Final = 4.0

Visit = Callable[[Seat, float], Life]
"""What a seat does from that second on."""


def visiting(
    campaign: Campaign, acts_per_s: float, most_acts: int, pause_s: float, visit: Callable[[int], Visit]
) -> list[Life]:
    """Lives whose visits come to `acts_per_s` in the mean over the campaign. `visit` is given the acts of one visit.

    There are `most_acts` in a visit, fewer where all seats together have fewer to do than that, or where visits would
    not end before the campaign does, with `pause_s` between acts. What of visits would lie behind the end is made up
    for by beginning more of them. Acts that wait for slow answers are late, and those that are late for the end are not
    done: nothing makes up for that.
    """
    span_s, most = campaign.span_s, max(1, round(most_acts * campaign.manner.visit_part))
    acts = max(1, min(most, round(acts_per_s * span_s / campaign.seats.count)))
    acts = max(1, min(acts, int(span_s / (_PAUSES_IN_SPAN * pause_s)))) if pause_s else acts
    lost_part = (acts - 1) * pause_s / 2.0 / span_s
    return arriving(campaign, acts_per_s / acts / (1.0 - lost_part), visit(acts))


def arriving(campaign: Campaign, visits_per_s: float, visit: Visit) -> list[Life]:
    """Lives that begin so many visits a second while the campaign is on, in the form that the scenario asks for.

    Raises ScenarioError where there are too many seats to be actors.
    """
    if not visits_per_s:
        return []
    seed, fleet, count = campaign.seed, campaign.fleet, campaign.seats.count
    if campaign.scenario.scale.is_drawn:
        return [_source(campaign, visits_per_s, visit, dice_for(seed, f"{fleet}/come"), None)]
    if count > MOST_INDIVIDUAL:
        fields = "bots" if count == campaign.attack.bots else "accounts"
        msg = f"attack[{campaign.number}].{fields}: more than {MOST_INDIVIDUAL} need scale.is_drawn = true"
        raise ScenarioError(msg)
    each = visits_per_s / count
    return [_source(campaign, each, visit, dice_for(seed, f"{fleet}/come/{seat}"), seat) for seat in range(count)]


def _source(campaign: Campaign, per_s: float, visit: Visit, dice: Random, only: int | None) -> Life:
    attack, manner, seats = campaign.attack, campaign.manner, campaign.seats
    now, due = 0.0, attack.from_s
    while True:
        due += dice.expovariate(per_s)
        if due >= attack.until_s:
            return
        if dice.random() >= manner.strength(due - attack.from_s, campaign.span_s):
            continue
        number = dice.randrange(seats.count) if only is None else only
        yield Wait(due - now)
        now = due
        if campaign.active < MOST_ACTIVE:
            yield Spawn(visit(seats.seat(number), now))
