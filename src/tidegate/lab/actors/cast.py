"""Everybody in a scenario whom the service is for, or who does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Final

from tidegate.lab.actors.arrivals import source
from tidegate.lab.actors.crowd import crowd_cast
from tidegate.lab.actors.dice import more
from tidegate.lab.actors.habits import habits
from tidegate.lab.actors.identities import Population
from tidegate.lab.actors.odd import odd_cast
from tidegate.lab.actors.people import Regulars
from tidegate.lab.actors.town import MOST_ACTORS, Town
from tidegate.lab.actors.visitors import join_and_ask, join_and_wait, look, sign_in
from tidegate.lab.acts import Group, Life, Who
from tidegate.lab.scenario import Oddity, Scenario, ScenarioError
from tidegate.lab.traces.shapes import shape

_AMPLE: Final = 1.2
_SPARE: Final = 100
"""More people than are expected to join, so that those who do are others."""


def people_cast(scenario: Scenario, asks_per_s: float, seed: int) -> list[Life]:
    """Everybody of `people`, `crowd` and `odd`, each to be started at second 0.

    `asks_per_s` is what a load of 1 means: questions of the scenario's lengths, with nothing cached, that all replicas
    together can answer in a second. Equal arguments make equal casts, and one entry more in the scenario leaves
    everybody else as they were. Where the rehearsal is shorter than what `people.shape` tells of, that is
    played faster, so that `people.load` is the mean. Raises TraceError for lengths or a shape that there are not,
    ScenarioError for more people than can be actors each.
    """
    for mistake in _too_many(scenario):
        raise ScenarioError(mistake)
    town = town_of(scenario, asks_per_s, seed)
    joined: list[Who] = []
    lives = [*_regulars(scenario, town, joined), *_visitors(scenario, town, joined), *_signing_in(scenario, town)]
    for number, crowd in enumerate(scenario.crowd):
        lives += crowd_cast(crowd, number, town)
    for number, odd in enumerate(scenario.odd):
        lives += odd_cast(odd, number, town)
    return lives


def town_of(scenario: Scenario, asks_per_s: float, seed: int) -> Town:
    """What all of them share."""
    people = scenario.people
    moving = shape(people.shape)
    if moving.period_s > scenario.duration_s:
        moving = shape(people.shape, scenario.duration_s)

    def population(size: int, group: Group) -> Population | None:
        return Population(size, group, seed, programs=people.programs) if size else None

    return Town(
        seed=seed,
        asks_per_s=asks_per_s,
        duration_s=scenario.duration_s,
        habits=habits(people),
        factor=moving.at,
        peak=moving.peak,
        established=population(people.established, Group.ESTABLISHED),
        new=population(people.new, Group.NEW),
    )


def _too_many(scenario: Scenario) -> Iterator[str]:
    people = scenario.people
    if not scenario.scale.is_drawn and people.established + people.new > MOST_ACTORS:
        yield f"people.established: at most {MOST_ACTORS} together with people.new, unless scale.is_drawn is true"
    for number, odd in enumerate(scenario.odd):
        if odd.kind in {Oddity.CLASSROOM, Oddity.SDK_RETRY_BUG} and odd.people > MOST_ACTORS:
            yield f"odd[{number}].people: at most {MOST_ACTORS} for {odd.kind}"


def _regulars(scenario: Scenario, town: Town, joined: list[Who]) -> list[Life]:
    """Whoever has an account. Newcomers' part is also asked by those who have `joined`."""
    people = scenario.people
    new_part = 0.0 if town.new is None else 1.0 if town.established is None else people.new_part
    lives: list[Life] = []
    for population, part, joining in ((town.established, 1.0 - new_part, []), (town.new, new_part, joined)):
        if population is not None:
            flow = town.flow(town.sessions_per_s(people.load * part))
            regulars = Regulars(population=population, habits=town.habits, flow=flow, joined=joining)
            if regulars.under_way(is_program=False) > MOST_ACTORS:
                msg = f"people.load: expected less, or a shorter people.think_s: more than {MOST_ACTORS} visits at once"
                raise ScenarioError(msg)
            lives += regulars.drawn(town.seed) if scenario.scale.is_drawn else regulars.individual(town.seed)
    return lives


def _visitors(scenario: Scenario, town: Town, joined: list[Who]) -> list[Life]:
    """Whoever has no account: they look, and they join. Nobody joins twice.

    Who joins where there are no other newcomers asks at once, in addition to the scenario's load.
    """
    people = scenario.people
    if not people.anonymous:
        return []
    lookers = Population(people.anonymous, Group.ANONYMOUS, town.seed)
    looking, joining = town.flow(people.page_views_per_min / 60.0), town.flow(people.sign_ups_per_min / 60.0)
    expected = joining.per_s * joining.peak * town.duration_s
    joiners = Population(_SPARE + int(expected * _AMPLE), Group.ANONYMOUS, town.seed, name="joiner")
    numbers = count()
    at_pages, at_forms = town.dice("pages"), town.dice("sign-ups")

    def begin_to_join(at_s: float) -> Life:
        del at_s
        who = joiners.who(next(numbers) % joiners.size)
        if town.new is None:
            return join_and_ask(who, town.habits, more(at_forms))
        return join_and_wait(who, joined, more(at_forms))

    return [
        source(
            looking,
            at_pages,
            lambda _: look(lookers.who(int(at_pages.random() * lookers.size)), more(at_pages)),
        ),
        source(joining, at_forms, begin_to_join),
    ]


def _signing_in(scenario: Scenario, town: Town) -> list[Life]:
    """Whoever has an account and has to show it again: everybody as often."""
    regulars = [population for population in (town.established, town.new) if population is not None]
    sizes = [population.size for population in regulars]
    if not regulars:
        return []
    own = town.dice("sign-ins")

    def begin(at_s: float) -> Life:
        del at_s
        population = own.choices(regulars, sizes)[0]
        return sign_in(population.who(int(own.random() * population.size)), more(own))

    return [source(town.flow(scenario.people.sign_ins_per_min / 60.0), own, begin)]
