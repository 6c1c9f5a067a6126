"""Those who have an account and ask, in two forms that cannot be told apart by what they ask.

`individual`: everybody is an actor that exists all the time and begins sessions at a rate of their own.
`drawn`: one source begins all sessions and draws whose each is; whoever has none is a number.

Sessions come by themselves (a Poisson process), so somebody who comes often may have several at once, as
in several tabs. Where a scenario wants more questions than its people could ask one at a time, that is
what happens: give it more people.

A rehearsal begins in the middle of a day: as many sessions are under way as there would be.
"""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

from tidegate.lab.actors.arrivals import Flow, poisson, source
from tidegate.lab.actors.dice import dice, more
from tidegate.lab.actors.habits import Habits
from tidegate.lab.actors.identities import Population
from tidegate.lab.actors.sessions import session
from tidegate.lab.acts import Life, Spawn, Who

_ALL: Final = 1.0


class Regulars(msgspec.Struct, frozen=True, kw_only=True):
    """A population and how it asks: `flow` is that of its sessions, all together.

    Whoever has `joined` and not asked yet asks in place of whose turn it is, and is taken off.
    """

    population: Population
    habits: Habits
    flow: Flow
    joined: list[Who]

    def drawn(self, seed: int) -> list[Life]:
        """Draw who comes: one actor, however many they are."""
        own = dice(seed, "drawn", self.population.name)
        return [self._coming(own, None)]

    def individual(self, seed: int) -> list[Life]:
        """Let everybody be an actor."""
        name = self.population.name
        return [self._coming(dice(seed, "person", name, number), number) for number in range(self.population.size)]

    def _coming(self, own: Random, number: int | None) -> Life:
        population = self.population
        part = _ALL if number is None else population.part(number)
        same = None if number is None else population.who(number)

        def begin(at_s: float) -> Life:
            del at_s
            if self.joined:
                return session(self.joined.pop(), self.habits, more(own))
            return session(same or population.who(population.next(own)), self.habits, more(own))

        # Programs pause shorter than people, so fewer of theirs are met between two questions.
        of_people, of_programs = self.under_way(is_program=False), self.under_way(is_program=True)
        for _ in range(poisson(part * max(of_people, of_programs), own)):
            who = same or population.who(population.next(own))
            if own.random() * max(of_people, of_programs) < (of_programs if who.is_program else of_people):
                yield Spawn(session(who, self.habits, more(own), is_under_way=True))
        yield from source(self.flow.times(part), own, begin)

    def under_way(self, *, is_program: bool) -> float:
        """How many sessions are between two questions when the rehearsal begins, in the mean, if all were such."""
        begun_per_s = self.flow.per_s * self.flow.factor(0.0)
        return begun_per_s * (self.habits.turns - 1.0) * self.habits.mean_pause_s(is_program=is_program)
