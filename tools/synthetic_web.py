"""Made-up logs of web sites: one site, one crowd, and a few programs that come many times each."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from tidegate.core.score.observed import Observed
from tools.synthetic_people import PEOPLE, new_crowd
from tools.synthetic_programs import ADVANCED, MODERATE
from tools.synthetic_sessions import visit
from tools.synthetic_sites import KINDS, new_site, new_writing


class Made(NamedTuple):
    """One made-up session; `truth` is human, moderate or advanced (in chats: program)."""

    log: str
    site: str
    family: str
    truth: str
    events: list[Observed]


def web_logs(dice: random.Random, logs: int, programs: int = 3) -> Iterator[Made]:
    """Give the sessions of so many logs, with so many programs of each grade in each."""
    moderate = _deck(dice, list(MODERATE))
    advanced = _deck(dice, list(ADVANCED))
    for number in range(logs):
        site = new_site(dice, KINDS[number % len(KINDS)])
        writing, crowd = new_writing(dice), new_crowd(dice)
        sessions: list[tuple[str, str, list[Observed]]] = []
        for _ in range(dice.randint(20, 50)):
            family = dice.choice(list(PEOPLE))
            habits = PEOPLE[family](dice, crowd, site)
            sessions.append((family, "human", visit(site, writing, _name(dice), habits, dice)))
        for truth, families, deck in (("moderate", MODERATE, moderate), ("advanced", ADVANCED, advanced)):
            for family in itertools.islice(deck, programs):
                script = families[family](dice, crowd, site)
                sessions.extend(
                    (family, truth, visit(site, writing, _name(dice), script(dice), dice))
                    for _ in range(dice.randint(3, 14))
                )
        for family, truth, events in _spoilt(dice, sessions):
            if events:
                yield Made(str(number), site.kind, "web: " + family, truth, events)


def _deck(dice: random.Random, names: list[str]) -> Iterator[str]:
    """All of them in some order, again and again: each family comes in as many logs as any other."""
    while True:
        dice.shuffle(names)
        yield from list(names)


def _name(dice: random.Random) -> str:
    return f"{dice.getrandbits(48):012x}"


def _spoilt(
    dice: random.Random, sessions: list[tuple[str, str, list[Observed]]]
) -> Iterator[tuple[str, str, list[Observed]]]:
    """As logs are: some sessions begin before the log or end after it; now and then two people are taken for one."""
    before: list[Observed] | None = None
    for family, truth, events in sessions:
        given = events
        if dice.random() < 0.08:
            start = dice.randrange(len(given))
            given = given[start:] if dice.random() < 0.5 else given[: start + 1]
        if truth == "human" and before and dice.random() < 0.03:
            shift = given[0].t - before[0].t
            joined = [msgspec.structs.replace(event, t=event.t + shift, sess=given[0].sess) for event in before]
            given = sorted([*given, *joined], key=lambda event: event.t)
        before = events if truth == "human" else None
        yield family, truth, given
