"""The engine's process never outlives whoever started it, however early they end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.process import CHILD_COMMAND

pytestmark = pytest.mark.integration

GONE_WITHIN_S = 20.0
"""Nothing that is promised but the end itself: a busy machine takes seconds to start what is to end at once."""

_STARTER = """
import os, subprocess, sys, time
child = subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
child.stdin.write(sys.argv[1].replace('"parent_pid":0', f'"parent_pid":{os.getpid()}').encode() + b"\\n")
child.stdin.flush()
print(child.pid, flush=True)
time.sleep(float(sys.argv[2]))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def plan(models: Path, tmp_path: Path) -> bytes:
    model = next(models.glob("*.gguf"))
    return msgspec.json.encode(EnginePlan(model_path=str(model), socket_path=str(tmp_path / "engine.sock"), slots=1))


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2, 0.5, 1.0, 2.0])
def test_an_engine_whose_parent_is_killed_is_gone(plan: bytes, after_s: float) -> None:
    starter = subprocess.run(
        [sys.executable, "-c", _STARTER, plan.decode(), str(after_s), *CHILD_COMMAND],
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )

    assert starter.returncode == -9
    _gone(int(starter.stdout))


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 1.0, 2.0])
def test_an_engine_whose_standard_input_closes_ends(plan: bytes, after_s: float) -> None:
    child = subprocess.Popen(CHILD_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert child.stdin is not None
    mine = plan.replace(b'"parent_pid":0', f'"parent_pid":{os.getpid()}'.encode())
    child.stdin.write(mine + b"\n")
    child.stdin.flush()
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(after_s or 0.001)
        child.stdin.close()
        child.wait(GONE_WITHIN_S)
    finally:
        child.kill()
        child.wait()


def _gone(pid: int) -> None:
    """Wait until the process has ended; end it and fail when it does not."""
    give_up_at = time.monotonic() + GONE_WITHIN_S
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        if time.monotonic() > give_up_at:
            os.kill(pid, 9)
            pytest.fail("the engine outlived the process that started it")
        time.sleep(0.02)
