"""A small town in the virtual world: rules, an engine, people who ask and bots who do nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random

from tidegate.core.registration.probation import ProbationPlan
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Outcome, Wait, Who
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Happened, Listener, Sampled
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Engine, Scenario
from tidegate.lab.simulator.world import play
from tidegate.services.permits import JoiningPlan

CPU = Calibration(
    name="cpu",
    about="for tests: a small model on one core",
    slots=4,
    most_tokens=10,
    batch_s=0.004,
    write_s=0.012,
    read_s=0.009,
    begin_s=0.01,
    end_s=0.002,
    free_s=0.05,
)
GPU = Calibration(
    name="gpu",
    about="for tests: thirty-two places, large batches",
    slots=32,
    most_tokens=512,
    batch_s=0.012,
    write_s=0.0002,
    read_s=0.0001,
    begin_s=0.005,
)
RULES = Rules(joining=JoiningPlan(), probation=ProbationPlan())


def a_scenario(duration_s: float = 60.0, **given: object) -> Scenario:
    usual: dict[str, object] = {"version": 1, "name": "test", "title": "Test", "about": "For tests."}
    return Scenario(**{**usual, "duration_s": duration_s, **given})  # type: ignore[arg-type] # test values


def somebody(name: str, group: Group = Group.ESTABLISHED, **given: object) -> Who:
    number = sum(name.encode())
    usual: dict[str, object] = {"address": 0x0A000000 + number * 257, "has_account": True}
    return Who(name=name, group=group, **{**usual, **given})  # type: ignore[arg-type] # test values


class Heard:
    """A listener that keeps everything."""

    def __init__(self) -> None:
        self.asks: list[tuple[Ask, Outcome]] = []
        self.ends: list[Ended] = []
        self.samples: list[Sampled] = []
        self.moves: list[Happened] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        self.asks.append((ask, outcome))

    def ended(self, ended: Ended) -> None:
        self.ends.append(ended)

    def sampled(self, sample: Sampled) -> None:
        self.samples.append(sample)

    def happened(self, happened: Happened) -> None:
        self.moves.append(happened)

    def of(self, who: Who) -> list[Outcome]:
        return [outcome for ask, outcome in self.asks if ask.who == who]

    def reasons(self) -> Counter[str]:
        return Counter(outcome.reason for _, outcome in self.asks)


def person(who: Who, *, every_s: float, seed: int, first_s: float = 0.0, **given: object) -> Life:
    """Asks, reads, asks again; comes back once when told to."""
    dice = Random(f"{seed}{who.name}")
    yield Wait(first_s + dice.expovariate(1.0 / every_s))
    while True:
        usual: dict[str, object] = {
            "prompt_tokens": dice.randint(20, 80),
            "answer_tokens": dice.randint(20, 120),
            "body": dice.randint(1, 1 << 30),
        }
        chat = Chat(**{**usual, **given})  # type: ignore[arg-type] # test values
        since_s: float | None = None
        for tries in (1, 2):
            outcome = yield Ask(who, chat)
            assert outcome is not None
            since_s = outcome.asked_at_s if since_s is None else since_s
            if outcome.is_complete or outcome.retry_after_s is None or tries > 1:
                yield Ended(who, Need.CHAT, since_s, tries, outcome)
                break
            yield Wait(outcome.retry_after_s)
        yield Wait(dice.expovariate(1.0 / every_s))


def bot(who: Who, *, every_s: float, seed: int, first_s: float = 0.0, **given: object) -> Life:
    """Asks on and on, whatever it is told."""
    dice = Random(f"{seed}{who.name}")
    usual: dict[str, object] = {"prompt_tokens": 60, "answer_tokens": 200, "patience_s": 30.0}
    chat = Chat(**{**usual, **given})  # type: ignore[arg-type] # test values
    yield Wait(first_s)
    while True:
        outcome = yield Ask(who, chat)
        assert outcome is not None
        yield Wait(dice.expovariate(1.0 / every_s))


def played(
    lives: Iterable[Life] | Callable[[Scenario], Iterable[Life]],
    scenario: Scenario | None = None,
    calibration: Calibration = CPU,
    rules: Rules = RULES,
    listeners: Sequence[Listener] = (),
    **given: object,
) -> Heard:
    heard = Heard()
    cast = lives if callable(lives) else lambda _part: lives
    play(scenario or a_scenario(), rules, calibration, cast, [heard, *listeners], **given)  # type: ignore[arg-type] # test values
    return heard


def with_replicas(count: int, duration_s: float = 60.0, **given: object) -> Scenario:
    return a_scenario(duration_s, engine=Engine(replicas=count), **given)
