"""Coroutines in virtual time wait for promises and for times, and for nothing else."""

from __future__ import annotations

import pytest

from tests.lab.simulator.agendas import HandAgenda
from tidegate.lab.simulator.errands import Errands, Promise, begin
from tidegate.lab.simulator.serving import BASE_UNIX_S, Clock


def test_an_errand_goes_on_when_its_time_has_come_and_knows_when_that_is() -> None:
    agenda, clock = HandAgenda(), Clock()
    errands = Errands(agenda, clock)
    seen: list[tuple[float, float, float]] = []

    async def errand() -> None:
        for _ in range(2):
            await errands.pause(10.0)
            seen.append((errands.now, errands.unix(), errands.steady()))

    ended: list[None] = []
    begin(errand(), ended.append)
    agenda.run(10.0)
    clock.off_s = 3600.0
    assert ended == []
    agenda.run(30.0)
    assert ended == [None]

    assert seen == [
        (10.0, BASE_UNIX_S + 10.0, BASE_UNIX_S + 10.0),
        (20.0, BASE_UNIX_S + 3620.0, BASE_UNIX_S + 20.0),
    ]


def test_a_promise_that_is_kept_before_anybody_awaits_it_is_there_at_once() -> None:
    kept, failed = Promise[int](), Promise[int]()
    kept.keep(3)
    failed.fail(ValueError("it broke"))
    seen: list[int] = []

    ended: list[str] = []

    async def errand() -> str:
        seen.append(await kept)
        with pytest.raises(ValueError, match="it broke"):
            await failed
        seen.append(4)
        return "done"

    begin(errand(), ended.append)

    assert seen == [3, 4]
    assert ended == ["done"]
