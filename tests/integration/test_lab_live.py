"""A rehearsal against the real service with the real engine: people are served, a flood is refused, everything ends."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from tidegate.app.reputation import standings_beside
from tidegate.core.standing.record import Record
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Outcome, Page, SignUp, Wait, Who
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.live.world import LiveRun, play
from tidegate.lab.scenario import parse
from tidegate.ports.standing import StandingStore

pytestmark = [pytest.mark.integration, pytest.mark.timed]

SCENARIO = parse(
    """
    version = 1
    name = "short-flood"
    title = "A flood of a few seconds"
    about = "Five people ask while forty programs without an account do."
    duration_s = 15
    worlds = ["live"]
    [[attack]]
    family = "request_flood"
    from_s = 4
    until_s = 14
    [[attack]]
    family = "expensive_queries"
    from_s = 4
    until_s = 14
    """
)
BOMB = Chat(prompt_tokens=120, answer_tokens=2, bytes_per_token=1.0, patience_s=30.0)
PEOPLE = [
    Who(name=f"person-{number}", group=Group.ESTABLISHED, address=0x0A000001 + (number << 8), has_account=True)
    for number in range(5)
]


class Heard:
    """Counts."""

    def __init__(self) -> None:
        self.statuses: Counter[tuple[Group, int]] = Counter()
        self.chats: list[Outcome] = []
        self.joined: list[Outcome] = []
        self.bombs: list[Outcome] = []
        self.forged: Counter[str] = Counter()
        self.needs = 0
        self.samples: list[Sampled] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        self.statuses[ask.who.group, outcome.status] += 1
        if isinstance(ask.what, SignUp):
            self.joined.append(outcome)
        elif ask.what is BOMB:
            self.bombs.append(outcome)
        elif isinstance(ask.what, Chat) and ask.what.is_key_forged:
            self.forged[outcome.reason] += 1
        elif ask.who.group is Group.ESTABLISHED:
            self.chats.append(outcome)

    def ended(self, ended: Ended) -> None:
        self.needs += 1

    def sampled(self, sample: Sampled) -> None:
        self.samples.append(sample)

    def happened(self, happened: Happened) -> None:
        del happened


def person(who: Who, after_s: float) -> Life:
    yield Wait(after_s)
    known = 0
    for _ in range(2):
        outcome = yield Ask(who, Chat(prompt_tokens=60 + known, answer_tokens=12, cached_tokens=known, patience_s=30.0))
        assert outcome is not None
        yield Ended(who, Need.CHAT, outcome.asked_at_s, 1, outcome)
        known = outcome.prompt_tokens + outcome.output_tokens if outcome.is_complete else 0
        yield Wait(3.0)


def bot(number: int) -> Life:
    who = Who(name=f"bot-{number}", group=Group.ATTACKER, address=0x0B000001 + number, family="request_flood")
    yield Wait(4.0 + number / 100)
    for _ in range(60):
        chat = Chat(prompt_tokens=60, answer_tokens=12, is_key_forged=number % 4 == 1)
        yield Ask(who, chat if number % 2 else Page(path="/sign-in"))
        yield Wait(0.1)


def bomber(who: Who) -> Life:
    yield Wait(9.0)
    yield Ask(who, BOMB)


def newcomer() -> Life:
    yield Wait(2.0)
    yield Ask(Who(name="newcomer", group=Group.ANONYMOUS, address=0x0C000001), SignUp())


def _running() -> list[psutil.Process]:
    """Services and engines that this process has started: other tests keep some."""
    return [child for child in psutil.Process().children(recursive=True) if "tidegate" in " ".join(child.cmdline())]


def test_people_are_served_a_flood_is_refused_and_everything_stops(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_MODELS", str(models))
    before = set(_running())
    heard = Heard()
    lives = [
        *(person(who, 0.5 * number) for number, who in enumerate(PEOPLE)),
        newcomer(),
        bomber(PEOPLE[0]),
        *map(bot, range(40)),
    ]

    known: list[Record] = []

    @asynccontextmanager
    async def standings(data: Path) -> AsyncIterator[StandingStore]:
        async with standings_beside(data) as store:
            yield store
            known.extend(await store.best_known(100))

    async def rehearse() -> LiveRun:
        return await play(SCENARIO, lives, [heard], people=PEOPLE, keep=tmp_path, is_pinned=False, standings=standings)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(rehearse())

    assert run.is_complete, run
    assert set(_running()) <= before
    days = [one.history.days for one in known if not one.is_vouched]
    assert sum(count >= 12.0 for count in days) >= len(PEOPLE), f"known as in the virtual world: {days}"
    served = [outcome for outcome in heard.chats if outcome.is_complete]
    assert len(served) >= len(PEOPLE), heard.chats
    assert all(outcome.output_tokens == 12 for outcome in served), served
    assert all(abs(outcome.prompt_tokens - 60) <= 3 for outcome in served if outcome.prompt_tokens < 70)
    assert heard.needs == len(heard.chats)
    assert [outcome.is_complete for outcome in heard.joined] == [True]
    assert heard.statuses[Group.ATTACKER, 401] > 500
    assert heard.forged["invalid_api_key"] > 100, heard.forged
    (bomb,) = heard.bombs
    assert abs(bomb.prompt_tokens - 120) <= 12, "a byte a token, whatever the tokenizer is"
    assert heard.samples
    assert any(sample.running for sample in heard.samples)
    assert run.log_path is not None
    assert run.truth_path is not None
    assert run.log_path.stat().st_size > 0
    assert run.truth_path.read_text().count('"truth":"human"') >= len(heard.chats)
