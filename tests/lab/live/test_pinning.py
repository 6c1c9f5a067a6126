"""An engine that the service starts anew gets the place of the first."""

from __future__ import annotations

import asyncio
import os

import pytest

from tidegate.lab.live import pinning, processes
from tidegate.lab.live.pinning import pinned

SERVICE, FIRST, SECOND = 101, 102, 103


class Served:
    """A service whose engine is another now and then."""

    def __init__(self, *engines: int | None) -> None:
        self.pid = SERVICE
        self.engines = list(engines)
        self.all_seen = asyncio.Event()

    @property
    def engine_pid(self) -> int | None:
        if len(self.engines) == 1:
            self.all_seen.set()
            return self.engines[0]
        return self.engines.pop(0)


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    done: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(processes, "pin", lambda pid, cores: done.append((pid, list(cores))))
    monkeypatch.setattr(pinning, "EVERY_S", 0.001)
    return done


async def test_each_engine_has_all_but_the_first_core_and_everybody_else_that_one(
    pins: list[tuple[int, list[int]]],
) -> None:
    service = Served(FIRST, FIRST, None, SECOND)
    async with pinned(service, [3, 4, 5]):
        await service.all_seen.wait()
        await asyncio.sleep(0.005)
    after = len(pins)
    await asyncio.sleep(0.005)

    assert pins[:3] == [(SERVICE, [3]), (os.getpid(), [3]), (FIRST, [4, 5])]
    assert (SECOND, [4, 5]) in pins
    assert len(pins) == after, "nothing is pinned afterwards"


@pytest.mark.parametrize(("cores", "engine"), [([0], FIRST), ([], FIRST), ([0, 1], None)])
async def test_on_one_core_or_without_an_engine_of_its_own_nothing_is_pinned(
    cores: list[int], engine: int | None, pins: list[tuple[int, list[int]]]
) -> None:
    async with pinned(Served(engine), cores):
        await asyncio.sleep(0.005)

    assert pins == []
