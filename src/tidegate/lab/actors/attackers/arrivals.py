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

import msgspec

from tidegate.lab.actors.attackers.campaign import MOST_ACTIVE, Campaign, between
from tidegate.lab.actors.attackers.seats import Seat
from tidegate.lab.actors.dice import dice
from tidegate.lab.actors.town import MOST_ACTORS
from tidegate.lab.acts import Life, Spawn, Wait
from tidegate.lab.scenario import ScenarioError

_VISITS_EACH: Final = 4.0  # In the mean, so that every seat takes part and none stands out.
_PAUSES_IN_SPAN: Final = 4.0
_LEAST_VISITS: Final = 30  # In a campaign, so that chance does not make it half as strong, or twice.

Visit = Callable[[Seat, float], Life]
"""What a seat does from that second on."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How many acts a program's visit has, and a person's; and what a program waits between two of them.

    However few visits that leaves, they have `least_acts` if these can be done in a campaign.
    """

    machine_acts: float
    human_acts: float
    machine_s: float
    least_acts: float = 1.0


def visiting(campaign: Campaign, acts_per_s: float, pace: Pace, visit: Callable[[int], Visit]) -> list[Life]:
    """Lives whose visits come to `acts_per_s` in the mean over the campaign. `visit` is given the acts of one visit.

    There are as many acts in a visit as mimicry says, fewer where that would be less than a few visits for each seat,
    where visits would be very few, or would not end before the campaign does. What of visits would lie behind the end
    is made up for by beginning more of them. Acts that wait for slow answers are late, and those that are late for the
    end are not done: nothing makes up for that.
    """
    span_s, pause_s = campaign.span_s, campaign.usual_pause_s(pace.machine_s)
    wanted = between(pace.machine_acts, pace.human_acts, campaign.mimicry)
    in_all = acts_per_s * span_s
    few = min(in_all / (_VISITS_EACH * campaign.seats.count), in_all / _LEAST_VISITS)
    most = min(wanted, max(pace.least_acts, few), span_s / (_PAUSES_IN_SPAN * pause_s))
    acts = max(1, round(campaign.manner.visit_part * most))
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
        return [_source(campaign, visits_per_s, visit, dice(seed, fleet, "come"), None)]
    if count > MOST_ACTORS:
        fields = "bots" if count == campaign.attack.bots else "accounts"
        msg = f"attack[{campaign.number}].{fields}: more than {MOST_ACTORS} need scale.is_drawn = true"
        raise ScenarioError(msg)
    each = visits_per_s / count
    return [_source(campaign, each, visit, dice(seed, fleet, "come", seat), seat) for seat in range(count)]


def _source(campaign: Campaign, per_s: float, visit: Visit, rolls: Random, only: int | None) -> Life:
    attack, manner, seats = campaign.attack, campaign.manner, campaign.seats
    now, due = 0.0, attack.from_s
    while True:
        due += rolls.expovariate(per_s)
        if due >= attack.until_s:
            return
        if rolls.random() >= manner.strength(due - attack.from_s, campaign.span_s):
            continue
        number = rolls.randrange(seats.count) if only is None else only
        yield Wait(due - now)
        now = due
        if campaign.active < MOST_ACTIVE:
            yield Spawn(_counted(campaign, visit(seats.seat(number), now)))


def _counted(campaign: Campaign, life: Life) -> Life:
    """A visit that counts as on from its first act until it ends, however it ends."""
    campaign.active += 1
    try:
        yield from life
    finally:
        campaign.active -= 1
