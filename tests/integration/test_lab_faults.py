"""The real engine breaks in a rehearsal, and is whole again afterwards: what people get of it, and where it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uvloop

from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Outcome, Wait, Who
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.live import processes, world
from tidegate.lab.live.world import LiveRun, play
from tidegate.lab.scenario import parse

pytestmark = [pytest.mark.integration, pytest.mark.timed]

SLOW, DOWN = (6.0, 12.0), (14.0, 16.0)
SCENARIO = parse(
    f"""
    version = 1
    name = "two-faults"
    title = "The engine is slow, then down"
    about = "One person asks all the time."
    duration_s = 26
    worlds = ["live"]
    [settings.engine]
    threads = 1
    [[fault]]
    kind = "engine_slow"
    from_s = {SLOW[0]}
    until_s = {SLOW[1]}
    factor = 0.15
    [[fault]]
    kind = "engine_down"
    from_s = {DOWN[0]}
    until_s = {DOWN[1]}
    """
)
ADA = Who(name="ada", group=Group.ESTABLISHED, address=0x0A000001, has_account=True)
ANSWER_TOKENS = 10


class Heard:
    """Keeps answers, what happened, and which process was the engine on which cores."""

    def __init__(self) -> None:
        self.answers: list[Outcome] = []
        self.happened_: list[Happened] = []
        self.engines: dict[int, set[int]] = {}
        self.is_healthy: list[tuple[float, bool]] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        del ask
        self.answers.append(outcome)

    def ended(self, ended: Ended) -> None:
        del ended

    def happened(self, happened: Happened) -> None:
        self.happened_.append(happened)

    def sampled(self, sample: Sampled) -> None:
        self.is_healthy.append((sample.at_s, sample.is_healthy))
        for child in psutil.Process().children():
            engine = processes.engine_of(child.pid)
            if engine is not None:
                with contextlib.suppress(ProcessLookupError):
                    self.engines[engine] = os.sched_getaffinity(engine)

    def within(self, from_s: float, until_s: float) -> list[Outcome]:
        return [one for one in self.answers if from_s <= one.asked_at_s and one.ended_at_s <= until_s]


def asking() -> Life:
    while True:
        yield Ask(ADA, Chat(prompt_tokens=40, answer_tokens=ANSWER_TOKENS, patience_s=8.0))
        yield Wait(0.1)


def _median_s(answers: list[Outcome]) -> float:
    """How long they took; one that was given up would have taken longer still."""
    return statistics.median(one.ended_at_s - one.asked_at_s for one in answers)


@pytest.mark.skipif(len(processes.cores()) < 2, reason="with one core there is no place of its own for an engine")
def test_an_engine_that_is_slow_and_then_down_is_felt_and_is_back_where_it_was(
    models: Path, monkeypatch: pytest.MonkeyPatch, measured: Callable[[str], None]
) -> None:
    monkeypatch.setenv("TIDEGATE_MODELS", str(models))
    monkeypatch.setattr(world, "GRACE_S", 10.0)
    cores, heard = processes.cores(), Heard()

    async def rehearse() -> LiveRun:
        return await play(SCENARIO, [asking()], [heard], people=[ADA])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(rehearse())

    assert run.is_complete, run
    assert processes.cores() == cores
    asked_while_slow = [one for one in heard.answers if SLOW[0] <= one.asked_at_s < SLOW[1] - 0.5]
    before_s, slow_s = _median_s(heard.within(0.0, SLOW[0])), _median_s(asked_while_slow)
    assert slow_s > 1.5 * before_s, (before_s, slow_s)
    failed = {one.reason for one in heard.answers if one.ended_at_s > DOWN[0] and not one.is_complete}
    assert failed & {"engine_failed", "engine_unavailable"}, failed
    assert not all(is_healthy for at_s, is_healthy in heard.is_healthy if DOWN[0] < at_s < DOWN[1] + 1.0)
    states = [one.to for one in heard.happened_ if one.what == "engine" and one.at_s > DOWN[0]]
    assert "failed" in states
    assert states[-1] == "ready"
    ready_s = max(one.at_s for one in heard.happened_ if one.to == "ready") - DOWN[1]
    assert any(one.is_complete for one in heard.within(DOWN[1] + ready_s, 99.0)), "it answers again"
    assert len(heard.engines) > 1, "another process is the engine now"
    assert list(heard.engines.values())[-1] == set(cores[1:]), heard.engines
    measured(f"lab: engine slow to 15 %: {slow_s:.1f} s an answer instead of {before_s:.1f}")
    measured(f"lab: engine down for {DOWN[1] - DOWN[0]:.0f} s: ready {ready_s:.1f} s after that")
