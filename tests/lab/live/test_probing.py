"""Single measurements, of an engine with a clock of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tidegate.lab.live import probing, processes
from tidegate.lab.live.heard import Heard, Usage
from tidegate.lab.live.lines import Request
from tidegate.lab.live.probing import Prober
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.tongue import Tongue

SPEED = 2e7


class Engine:
    """In place of lines: `writing` answers that have begun, and gaps of `gap_s` while a prompt is read beside them."""

    def __init__(self, writing: int, *, gaps: int = 5, gap_s: float = 0.25, is_answered: bool = True) -> None:
        self.now = 100.0
        self.left: list[Request] = []
        self._writing = writing
        self._writers: list[Heard] = []
        self._gaps, self._gap_s, self._is_answered = gaps, gap_s, is_answered
        self.sources: list[str] = []

    def ask(self, request: Request) -> Heard:
        heard = Heard(self.now)
        self.sources.append(request.source)
        if len(self._writers) < self._writing:
            self._writers.append(heard)
            heard.arrived = [self.now - 7.0, self.now - 0.1]
            return heard
        # Half a gap has gone by of the batch that runs; then come those in which the prompt is read.
        times = [self.now + self._gap_s * (number + 0.5) for number in range(self._gaps + 1)]
        for writer in self._writers:
            writer.arrived += [*times, times[-1] + 9.0]
        heard.arrived = [times[-1]] if self._is_answered else []
        asyncio.get_running_loop().call_soon(request.told, heard)
        return heard

    def cut(self, request: Request) -> None:
        self.left.append(request)


def prober(engine: Engine, monkeypatch: pytest.MonkeyPatch, speeds: tuple[float, ...] = (SPEED,)) -> Prober:
    told = list(speeds)
    monkeypatch.setattr(probing, "monotonic", lambda: engine.now)
    monkeypatch.setattr(processes, "speed_of_core", lambda _: told.pop(0) if len(told) > 1 else told[0])
    lines: Any = engine
    return Prober(lines, "m", "sk-1", Prompts(7, Tongue()), None, None)


async def test_a_gap_beside_a_prompt_is_one_from_when_it_was_asked_until_its_first_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(3)
    probe = await prober(engine, monkeypatch).beside(3, 120, 150)

    assert probe.gap_s == pytest.approx(0.25)
    assert (probe.is_steady, probe.speed) == (True, SPEED)
    assert len(engine.left) == 3, "who writes is not heard to the end"
    assert len(set(engine.sources)) == 4, "each has an address of their own"


@pytest.mark.parametrize("engine", [Engine(3, gaps=2), Engine(3, is_answered=False)], ids=["few", "unanswered"])
async def test_of_too_few_gaps_beside_a_prompt_nothing_is_known(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = await prober(engine, monkeypatch).beside(3, 120, 150)

    assert (probe.gap_s, probe.is_steady) == (0.0, False)
    assert len(engine.left) == 3


async def test_where_the_core_changed_meanwhile_a_probe_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = await prober(Engine(3), monkeypatch, (SPEED, 1.2 * SPEED)).beside(3, 120, 150)

    assert not probe.is_steady
    assert probe.speed == pytest.approx(1.1 * SPEED)
    assert probe.gap_s == pytest.approx(0.25)


@pytest.mark.parametrize(("used_s", "is_steady"), [(1.9, True), (1.0, False)])
async def test_an_engine_that_shared_its_core_was_disturbed(
    monkeypatch: pytest.MonkeyPatch, used_s: float, is_steady: bool
) -> None:
    engine = Engine(3)
    one = prober(engine, monkeypatch)
    one._engine = 7
    used = iter([0.0, 0.0, used_s, used_s])

    def looked(pid: int) -> float:
        assert pid == 7
        found = next(used)
        engine.now += 2.0 if found else 0.0  # So long the probe took.
        return found

    monkeypatch.setattr(processes, "cpu_s", looked)
    probe = await one.beside(3, 120, 150)

    assert probe.share == pytest.approx(used_s / 2.0)
    assert probe.is_steady is is_steady


async def test_an_answer_that_is_none_ends_the_measuring_in_the_services_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Engine):
        def ask(self, request: Request) -> Heard:
            heard = Heard(self.now)
            heard.status, heard.reason = 503, "engine_down"
            asyncio.get_running_loop().call_soon(request.told, heard)
            return heard

    with pytest.raises(LiveError, match="a question was answered with 503 engine_down"):
        await prober(Refusing(0), monkeypatch).read(60)


async def test_of_answers_too_short_to_have_gaps_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terse(Engine):
        def ask(self, request: Request) -> Heard:
            heard = Heard(self.now)
            heard.arrived, heard.usage = [self.now, self.now + 0.1], Usage(prompt_tokens=9, completion_tokens=2)
            asyncio.get_running_loop().call_soon(request.told, heard)
            return heard

    probe = await prober(Terse(0), monkeypatch).write(4, 2, 60)

    assert (probe.gap_s, probe.is_steady) == (0.0, False)
