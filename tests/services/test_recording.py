"""What was gathered is written now and then, in files that are bounded; a disk that refuses ends only that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.services.recorded import ADDRESS, House, Kept, fingerprint
from tidegate.adapters.disk.decisions import DecisionFiles
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed
from tidegate.core.decisions.lines import (
    Began,
    Judged,
)
from tidegate.core.events import RecordStopped
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import StandingPlan
from tidegate.services.recorder import Recorder
from tidegate.services.recording import Recording
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal


async def test_lines_go_to_the_file_in_which_those_whom_they_are_about_were_met() -> None:
    house = House()
    who = house.knows(1)
    facts = Facts(address=ADDRESS, lane=Lane.PAGE, bearing=Bearing.GENUINE, principal=who, digest=b"1" * 32)
    house.gate.decide(facts, house.unix_s)
    await house.recording.write()
    house.gate.decide(facts, house.unix_s)
    house.kept.is_full = True
    await house.recording.write()
    house.gate.decide(facts, house.unix_s)
    await house.recording.write()
    await house.recording.close()

    kinds = [[msgspec.json.decode(line)["kind"] for line in part.splitlines()] for part in house.kept.parts]
    assert kinds == [["begin", "met", "gate", "gate"], ["begin", "met", "gate"]]
    assert [line.part for line in house.kept.lines() if isinstance(line, Began)] == [1, 2]


async def test_nothing_is_written_before_a_gate_stands() -> None:
    recorder = Recorder(fingerprint, unix_s=1.0, ticks=HandClock())
    kept = Kept()
    recording = Recording(recorder, kept, RecordingJournal(), HandClock())
    recorder.meet(UserId.of(b"somebody"))
    assert recorder.begin(1).standing == StandingPlan()

    await recording.write()

    assert kept.parts == []


async def test_a_disk_that_refuses_stops_the_record_with_one_event_and_decisions_go_on() -> None:
    house = House()
    house.page()
    house.kept.error = OSError(28, "No space left on device")
    await house.recording.write()
    await house.recording.write_now_and_then()  # Ends by itself: there is nothing more to do.
    house.page()
    house.recorder.stop()
    await house.recording.write()
    await house.recording.close()

    [told] = house.journal.of(RecordStopped)
    assert told.errno == 28
    assert isinstance(house.page(), Passed)
    assert house.lines() == []


async def test_it_writes_for_as_long_as_the_service_runs() -> None:
    house = House()
    slept: list[float] = []
    may_go_on = asyncio.Event()

    async def sleep(for_s: float) -> None:
        slept.append(for_s)
        if len(slept) == 2:
            may_go_on.set()
            await asyncio.Event().wait()

    recording = Recording(house.recorder, house.kept, house.journal, house.clock, sleep)
    house.page()
    task = asyncio.create_task(recording.write_now_and_then())
    await may_go_on.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert [line for line in house.kept.lines() if isinstance(line, Judged)]
    assert slept == [0.25, 0.25]


async def test_what_is_being_written_when_the_service_ends_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.page()
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slowly(work: object, *given: object) -> None:
        began.set()
        await may_end.wait()
        assert callable(work)
        work(*given)

    monkeypatch.setattr(asyncio, "to_thread", slowly)
    task = asyncio.create_task(house.recording.write())
    await began.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert [line for line in house.kept.lines() if isinstance(line, Judged)]


def test_files_are_private_bounded_and_forgotten_in_time(tmp_path: Path) -> None:
    clock = HandClock(1_000_000.0)
    files = DecisionFiles(tmp_path, most_bytes=8000, keep_days=2.0, clock=clock)
    assert files.is_full
    part = 0
    for _ in range(30):
        if files.is_full:
            part += 1
            files.begin("ab" * 8, part, b"head\n")
        files.append(b"x" * 499 + b"\n")
        clock.advance(1.0)
    kept = sorted(tmp_path.glob("decisions-*.jsonl"))

    assert part == 15
    assert kept[-1].name == "decisions-1000028-abababababababab-000015.jsonl"
    assert sum(path.stat().st_size for path in kept) <= 8000
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert all(path.read_bytes().startswith(b"head\n") for path in kept)
    newest = max(path.stat().st_mtime for path in kept)
    clock.now = newest + 3 * 86_400
    assert files.is_full, "a day is over"
    files.begin("cd" * 8, 1, b"head\n")
    files.close()
    files.close()
    assert [path.name.split("-")[2] for path in tmp_path.glob("decisions-*.jsonl")] == ["cd" * 8]
