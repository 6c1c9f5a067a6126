"""What breaks in the live world, and is whole again afterwards."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

import psutil
import pytest

from tidegate.lab.hearing import Happened
from tidegate.lab.live import faults
from tidegate.lab.live.faults import merged, play
from tidegate.lab.live.service import LiveError
from tidegate.lab.scenario import Broken, Fault, parse
from tidegate.testing.clock import until

SCENARIO = parse(
    'version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nduration_s = 9\n[settings.gate]\naddress_rate = 5\nburst = 7\n'
)


class Patient:
    def __init__(self, pid: int | None, mistake: str = "") -> None:
        self.pids = [pid]
        self.mistake = mistake
        self.settings: list[Mapping[str, Any]] = []

    @property
    def engine_pid(self) -> int | None:
        return self.pids.pop(0) if len(self.pids) > 1 else self.pids[0]

    async def reconfigure(self, settings: Mapping[str, Any]) -> None:
        if self.mistake:
            raise LiveError(self.mistake)
        self.settings.append(settings)


@pytest.fixture
def engine() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(60)")) as process:
        yield process
        process.kill()


def broken(kind: Fault, until_s: float = 0.2, **more: Any) -> Broken:
    return Broken(kind=kind, from_s=0.02, until_s=until_s, **more)


async def happening(fault: Broken, patient: Patient) -> list[Happened]:
    told: list[Happened] = []
    await play(fault, SCENARIO, patient, monotonic(), told.append)
    return told


async def test_a_slow_engine_stands_still_by_turns_and_runs_afterwards(
    engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_LOOK_EVERY_S", 0.01)
    patient = Patient(None)
    patient.pids = [None, engine.pid]
    seen: list[bool] = []
    task = asyncio.create_task(happening(broken(Fault.ENGINE_SLOW, 2.0, factor=0.5), patient))
    while not task.done():
        is_still = psutil.Process(engine.pid).status() == psutil.STATUS_STOPPED
        if seen[-1:] != [is_still]:
            seen.append(is_still)
        await asyncio.sleep(0.002)

    assert seen[:4] == [False, True, False, True]
    assert psutil.Process(engine.pid).status() != psutil.STATUS_STOPPED


async def test_an_engine_is_not_left_standing_when_the_rehearsal_is_cut_short(engine: subprocess.Popen[bytes]) -> None:
    task = asyncio.create_task(happening(broken(Fault.ENGINE_SLOW, 9.0, factor=0.01), Patient(engine.pid)))
    while psutil.Process(engine.pid).status() != psutil.STATUS_STOPPED:  # noqa: ASYNC110 - a process tells nobody
        await asyncio.sleep(0.002)
    task.cancel()
    await asyncio.wait([task])

    assert psutil.Process(engine.pid).status() != psutil.STATUS_STOPPED


async def test_an_engine_that_is_down_is_killed_as_often_as_it_comes_back(engine: subprocess.Popen[bytes]) -> None:
    patient = Patient(None)
    patient.pids = [engine.pid, engine.pid, None]
    task = asyncio.create_task(happening(broken(Fault.ENGINE_DOWN, 60.0), patient))
    await until(lambda: patient.pids == [None], 0.01)
    task.cancel()
    await asyncio.wait([task])

    assert engine.wait(5) == -9


async def test_a_mistake_of_the_operators_counts_for_its_time_and_is_taken_back() -> None:
    patient = Patient(None)
    told = await happening(broken(Fault.CONFIGURATION, settings={"gate": {"address_rate": 1}}), patient)

    assert patient.settings == [{"gate": {"address_rate": 1, "burst": 7}}, {"gate": {"address_rate": 5, "burst": 7}}]
    assert [(one.what, one.by, one.detail) for one in told] == [("change", "operator", "config")] * 2


async def test_a_mistake_that_the_service_refuses_is_told_as_refused() -> None:
    told = await happening(broken(Fault.CONFIGURATION), Patient(None, "gate.x: unknown"))

    assert [one.detail for one in told] == ["refused: gate.x: unknown"]


def test_tables_are_merged_and_everything_else_is_replaced() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 9}, "d": {"e": 1}}) == {
        "a": {"b": 9, "c": 2},
        "d": {"e": 1},
    }
