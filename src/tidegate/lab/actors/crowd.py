"""A crowd: very many come at once, because somebody told them to.

They look at pages first; many sign up; whoever has got in asks, and so do regulars who heard of it, too.
A newcomer asks only when there is an account, the latest to get in first, and some again later. So what
a crowd offers depends on how many the service lets in, and reaches its `load` once enough have got in.
One who has got in has as many tabs as make that possible when all of them are in, and mostly one.

`people` is how many newcomers there are: once all have tried, nobody more signs up.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import Final

import msgspec

from tidegate.lab.actors.arrivals import Flow, ramp, source
from tidegate.lab.actors.dice import more
from tidegate.lab.actors.identities import Population
from tidegate.lab.actors.sessions import session
from tidegate.lab.actors.town import Town
from tidegate.lab.actors.visitors import VIRAL_REFERRERS, join_and_wait, look
from tidegate.lab.acts import Group, Life, Who
from tidegate.lab.scenario import Crowd

FAMILY: Final = "crowd"
_TRIES: Final = 4
_ANSWERED_S: Final = 5.0


def crowd_cast(crowd: Crowd, number: int, town: Town) -> list[Life]:
    """Everybody of one crowd, the scenario's `number`th."""
    name = f"crowd{number}"
    new_part = crowd.new_part if town.established is not None else 1.0
    flow = Flow(
        per_s=town.sessions_per_s(crowd.load),
        factor=ramp(crowd.from_s, crowd.ramp_s),
        from_s=crowd.from_s,
        until_s=crowd.until_s,
    )
    lives = []
    if crowd.people:
        newcomers = _Newcomers(crowd, name, flow.per_s * new_part, town)
        lives += newcomers.lives(flow, new_part)
    if town.established is not None:
        regulars, own = town.established, town.dice(name, "returning")
        lives.append(
            source(
                flow.times(1.0 - new_part),
                own,
                lambda _: session(regulars.who(regulars.next(own)), town.habits, more(own), referrer="social"),
            )
        )
    return lives


class _Newcomers:
    """Those who come for the first time. Those who have an account are `inside` once they have asked."""

    def __init__(self, crowd: Crowd, name: str, sessions_per_s: float, town: Town) -> None:
        self._crowd = crowd
        self._name = name
        self._town = town
        self._population = Population(crowd.people, Group.NEW, town.seed, name=name, family=FAMILY)
        at_once = sessions_per_s * town.habits.turns * (town.habits.mean_pause_s() + _ANSWERED_S)
        self._tabs = max(1, math.ceil(at_once / crowd.people))
        self._tried = 0
        self._open: Counter[str] = Counter()
        self._fresh: list[Who] = []
        self._inside: list[Who] = []

    def lives(self, flow: Flow, new_part: float) -> list[Life]:
        """Those who look, those who join, those who come back."""
        crowd, own = self._crowd, self._town.dice(self._name, "pages")
        looking = msgspec.structs.replace(flow, per_s=crowd.page_views_per_min / 60.0)
        joining = msgspec.structs.replace(flow, per_s=crowd.sign_ups_per_min / 60.0)
        joiners, comers = self._town.dice(self._name, "sign-ups"), self._town.dice(self._name, "sessions")
        return [
            source(
                looking,
                own,
                lambda _: look(self._visitor(int(own.random() * crowd.people)), more(own), VIRAL_REFERRERS),
            ),
            source(joining, joiners, lambda _: self._join(joiners)),
            source(flow.times(new_part), comers, lambda _: self._come(comers)),
        ]

    def _visitor(self, number: int) -> Who:
        who = self._population.who(number)
        return msgspec.structs.replace(who, group=Group.ANONYMOUS, has_account=False)

    def _join(self, dice: Random) -> Life | None:
        if self._tried == self._crowd.people:
            return None
        self._tried += 1
        return join_and_wait(self._visitor(self._tried - 1), self._fresh, more(dice), VIRAL_REFERRERS)

    def _come(self, dice: Random) -> Life | None:
        if self._fresh:
            self._inside.append(self._fresh.pop())
            return self._in_a_tab(self._inside[-1], dice)
        for _ in range(_TRIES if self._inside else 0):
            who = self._inside[int(dice.random() * len(self._inside))]
            if self._open[who.name] < self._tabs:
                return self._in_a_tab(who, dice)
        return None

    def _in_a_tab(self, who: Who, dice: Random) -> Life:
        return self._counted(who, session(who, self._town.habits, more(dice), referrer="social"))

    def _counted(self, who: Who, life: Life) -> Life:
        self._open[who.name] += 1
        yield from life
        self._open[who.name] -= 1
        if not self._open[who.name]:
            del self._open[who.name]
