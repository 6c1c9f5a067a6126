"""An hour of a million people and ten million bots in the virtual world: how long does it take one core?

Cells of one engine each (32 places, as one GPU has them) stand side by side; people ask so much that the engines are
loaded to 0.7, bots ask three times as often, a quarter of them with accounts that they have made. Every request is
decided by the real gate and, where it gets so far, by the real scheduler. People are drawn here in the simplest way:
one source a cell draws when somebody asks and who that is.

    .venv/bin/python bench/internet_scale.py [--cells 80] [--minutes 60] [--only 2] [--all] [--profile]

Plays two of the cells and says what all of them would take; `--only` plays so many, `--all` all.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

import msgspec

from tidegate.core.registration.probation import ProbationPlan
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Outcome, Spawn, Wait, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Attack, Family, People, Scale, Scenario, Slo
from tidegate.lab.simulator.world import part_of, play
from tidegate.services.permits import JoiningPlan

GPU: Final = Calibration(
    name="one-gpu",
    about="Assumed: a small model on one GPU, 32 places.",
    slots=32,
    most_tokens=512,
    batch_s=0.012,
    write_s=0.0002,
    read_s=0.00004,
    begin_s=0.005,
)
PROMPT_TOKENS: Final = 250
ANSWER_TOKENS: Final = 150
LOAD: Final = 0.7
BOTS_PER_PERSON: Final = 3.1
WITH_ACCOUNTS: Final = 0.25
RULES: Final = Rules(joining=JoiningPlan(), probation=ProbationPlan())


def scenario(cells: int, minutes: float) -> Scenario:
    """A million people, ten million bots."""
    duration_s = minutes * 60.0
    return Scenario(
        version=1,
        name="internet-scale",
        title="A million people and ten million bots",
        about="Measured, not judged.",
        duration_s=duration_s,
        people=People(established=850_000, new=150_000, anonymous=0, load=LOAD),
        attack=(Attack(family=Family.REQUEST_FLOOD, from_s=0.0, until_s=duration_s, bots=10_000_000),),
        scale=Scale(cells=cells, is_drawn=True, tick_s=2.0),
    )


def rate_of_people() -> float:
    """Questions a second in one cell."""
    return LOAD * GPU.calls_per_s(PROMPT_TOKENS, ANSWER_TOKENS, GPU.slots)


def cast(part: Scenario) -> Iterable[Life]:
    """The two sources of one cell."""
    rate = rate_of_people()
    return [_people(part, rate), _bots(part, BOTS_PER_PERSON * rate)]


def _people(part: Scenario, rate: float) -> Life:
    dice = Random(f"{part.seed}:people")
    established, everybody = part.people.established, part.people.established + part.people.new
    while True:
        yield Wait(dice.expovariate(rate))
        number = dice.randrange(everybody)
        group = Group.ESTABLISHED if number < established else Group.NEW
        who = Who(name=f"p{number}", group=group, address=0x0B000000 + number, has_account=True)
        chat = Chat(
            prompt_tokens=1 + int(dice.expovariate(1.0 / PROMPT_TOKENS)),
            answer_tokens=1 + int(dice.expovariate(1.0 / ANSWER_TOKENS)),
            max_tokens=1024,
        )
        yield Spawn(_question(who, chat))


def _question(who: Who, chat: Chat) -> Life:
    since_s, tries = None, 0
    while True:
        tries += 1
        outcome = yield Ask(who, chat)
        assert outcome is not None, "a world answers"
        since_s = outcome.asked_at_s if since_s is None else since_s
        if outcome.is_complete or outcome.retry_after_s is None or tries > 2:
            yield Ended(who, Need.CHAT, since_s, tries, outcome)
            return
        yield Wait(outcome.retry_after_s)


def _bots(part: Scenario, rate: float) -> Life:
    dice = Random(f"{part.seed}:bots")
    bots, chat = part.attack[0].bots, Chat(prompt_tokens=400, answer_tokens=400, patience_s=30.0)
    while True:
        yield Wait(dice.expovariate(rate))
        number = dice.randrange(bots)
        has_account = dice.random() < WITH_ACCOUNTS
        who = Who(name=f"b{number}", group=Group.ATTACKER, address=0x60000000 + number * 13, has_account=has_account)
        yield Spawn(_try(who, chat))


def _try(who: Who, chat: Chat) -> Life:
    yield Ask(who, chat)


class Counts:
    """What came of it."""

    def __init__(self, slo: Slo) -> None:
        """Nothing yet."""
        self.slo = slo
        self.asks = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.needs: Counter[str] = Counter()
        self.good: Counter[str] = Counter()
        self.waiting = 0

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Count a try."""
        self.asks += 1
        self.reasons[ask.who.group.value, outcome.reason] += 1

    def ended(self, ended: Ended) -> None:
        """Count a need."""
        outcome, slo = ended.outcome, self.slo
        self.needs[ended.who.group.value] += 1
        if outcome.is_complete and outcome.first_s is not None:
            first_s = outcome.asked_at_s + outcome.first_s - ended.since_s
            is_good = first_s <= slo.first_s and outcome.gap_s <= slo.gap_s and outcome.stall_s <= slo.stall_s
            self.good[ended.who.group.value] += is_good

    def sampled(self, sample: Sampled) -> None:
        """Take the most that waited."""
        self.waiting = max(self.waiting, sample.waiting)

    def happened(self, happened: Happened) -> None:
        """Take no notice."""


def agreement(individual: Callable[[Scenario], Iterable[Life]], drawn: Callable[[Scenario], Iterable[Life]]) -> float:
    """By how many points the goodput of established people differs between two ways to cast one and the same scenario.

    Played at a hundredth of the scale: one cell, a quarter of an hour.
    """
    whole = scenario(80, 15.0)
    part = msgspec.structs.replace(part_of(whole, 0), name="a-hundredth")
    goodput = []
    for one in (individual, drawn):
        counts = Counts(part.slo)
        play(part, RULES, GPU, one, [counts])
        goodput.append(100.0 * counts.good["established"] / max(1, counts.needs["established"]))
    return abs(goodput[0] - goodput[1])


def main() -> None:
    """Play it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=80)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", type=int, default=2)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    whole = scenario(given.cells, given.minutes)
    counts, only = Counts(whole.slo), given.cells if given.all else given.only
    profile = cProfile.Profile()
    began_s = time.process_time()
    if given.profile:
        profile.enable()
    for number in range(only):
        play(part_of(whole, number), RULES, GPU, cast, [counts])
    profile.disable()
    took_s = time.process_time() - began_s
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{only} of {given.cells} cells, {given.minutes:g} min: {took_s:.1f} s of one core, {counts.asks} asks")
    print(
        f"{1e6 * took_s / counts.asks:.1f} us an ask; all cells: {took_s * given.cells / only:.0f} s, "
        f"{counts.asks * given.cells // only} asks; at most {memory_mib:.0f} MiB, {counts.waiting} waiting"
    )
    for group, needs in sorted(counts.needs.items()):
        print(f"{group}: {needs} needs, {100 * counts.good[group] / needs:.2f} % good")
    for (group, reason), count in counts.reasons.most_common(12):
        print(f"  {group:12} {reason or 'served':32} {count}")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
