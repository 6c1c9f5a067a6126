"""How a service is, as its operator sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.lab.live.test_world import Ear
from tidegate.lab.live import watching
from tidegate.lab.live.watching import Served, Watch


class Service:
    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self.said: dict[str, Any] | None = {"running": 3, "waiting": 4, "engine": {"state": "ready"}}

    async def vitals(self) -> dict[str, Any] | None:
        return self.said

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        raise NotImplementedError


async def unguessed() -> bool:
    return False


def write(path: Path, *lines: dict[str, Any]) -> None:
    with path.open("a") as log:
        log.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


async def test_what_the_log_tells_is_told_once_and_nothing_of_before_or_of_dry_runs(tmp_path: Path) -> None:
    path, ear = tmp_path / "log", Ear()
    watch = Watch(Service(path), Served(), ear, monotonic(), 1000.0, unguessed)
    watch.read_log()  # There is none yet.
    moved = {"kind": "mode", "from": "open", "to": "throttled", "by": "auto"}
    write(
        path,
        {**moved, "t": 999.0},
        {**moved, "t": 1001.0, "is_dry": True},
        {**moved, "t": 1001.0},
        {**moved, "t": 1002.0, "by": "operator", "from": "throttled", "to": "open"},
        {"t": 1003.0, "kind": "firewall", "event": "firewall:added", "mode": "on"},
        {"t": 1003.0, "kind": "firewall", "event": "firewall:added", "mode": "dry_run"},
        {"t": 1004.0, "kind": "engine", "state": "failed"},
        {"t": 1005.0, "kind": "change", "what": "config"},
        {"t": 1006.0, "kind": "request"},
        {"t": "never", "kind": "mode"},
    )
    watch.read_log()
    watch.read_log()

    assert [(one.at_s, one.what, one.was, one.to, one.by) for one in ear.happenings] == [
        (1.0, "mode", "open", "throttled", "auto"),
        (2.0, "mode", "throttled", "open", "operator"),
        (3.0, "handover", "", "firewall", "auto"),
        (4.0, "engine", "", "failed", "auto"),
    ]


async def test_each_look_is_a_sample_and_guessing_is_told_when_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY_S", 0.005)
    service, served, ear = Service(tmp_path / "log"), Served(), Ear()
    answers = iter([False, True, True, False, True])

    async def guessed() -> bool:
        served.cost += 10.0
        served.asked += 2
        served.failed += 1
        if len(ear.samples) == 3:
            service.said = None
        return next(answers, False)

    watch = Watch(service, served, ear, monotonic(), 0.0, guessed)
    task = asyncio.create_task(watch.run())
    while len(ear.samples) < 6:  # noqa: ASYNC110 - polled, within the time of a test
        await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert [one.to for one in ear.happenings] == ["guessing", "guessing"]
    assert (ear.samples[0].running, ear.samples[0].waiting, ear.samples[0].is_healthy) == (3, 4, True)
    assert ear.samples[0].tok_s > 0.0
    assert ear.samples[0].err_rate == 0.5
    assert (ear.samples[-1].running, ear.samples[-1].is_healthy) == (0, False)
    assert ear.samples[-1].capacity_tok_s >= ear.samples[0].tok_s
