"""The engine's process is started, heard while it loads, and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.process import EngineProcess
from tidegate.testing.clock import until

PLAN = EnginePlan(model_path="/models/tide.gguf", socket_path="/run/engine.sock", slots=3)
UNTIL_CLOSED = "import sys; sys.stdin.buffer.read()"


@asynccontextmanager
async def running(program: str) -> AsyncIterator[EngineProcess]:
    process = EngineProcess(PLAN, os.environ, [sys.executable, "-c", program])
    await process.spawn()
    try:
        yield process
    finally:
        await process.kill()


async def test_a_child_is_handed_its_plan(tmp_path: Path) -> None:
    kept = tmp_path / "plan"
    program = f"import sys; open({str(kept)!r}, 'wb').write(sys.stdin.buffer.readline()); sys.stdin.buffer.read()"
    async with running(program):
        await until(lambda: kept.exists() and kept.stat().st_size > 0, 0.005)

    assert msgspec.json.decode(kept.read_bytes(), type=EnginePlan) == msgspec.structs.replace(
        PLAN, parent_pid=os.getpid()
    )


async def test_nothing_runs_before_it_is_spawned_and_nothing_is_waited_for() -> None:
    process = EngineProcess(PLAN, os.environ, ["/nonexistent"])

    assert (process.pid, process.last_words) == (None, [])
    assert await process.wait() == 0
    await process.kill()


async def test_a_child_that_is_killed_is_gone_and_collected() -> None:
    async with running(UNTIL_CLOSED) as process:
        pid = process.pid
        assert pid is not None

        await process.kill()

        assert process.pid is None
        assert await process.wait() == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_stopped_child_is_killed_too() -> None:
    async with running(UNTIL_CLOSED) as process:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)

        await asyncio.wait_for(process.kill(), 20)

        assert process.pid is None


async def test_killing_twice_does_no_harm() -> None:
    async with running(UNTIL_CLOSED) as process:
        await process.kill()
        await process.kill()


@pytest.mark.parametrize("status", [0, 7])
async def test_a_child_that_ends_by_itself_tells_its_status_and_its_last_words(status: int) -> None:
    async with running(f"import sys; print('no such model', file=sys.stderr); sys.exit({status})") as process:
        assert await process.wait() == status
        assert process.last_words == ["no such model"]


async def test_a_child_that_never_reads_its_plan_is_no_error() -> None:
    async with running("import os; os.close(0)") as process:
        assert await process.wait() == 0


async def test_only_the_newest_words_are_kept_and_none_too_long() -> None:
    program = (
        "import sys\n"
        "for number in range(50): print('line', number, file=sys.stderr)\n"
        "print('x' * 100_000, file=sys.stderr)\n"
        "sys.stderr.buffer.write(b'caf\\xe9\\n')\n"
    )
    async with running(program) as process:
        await process.wait()

        words = process.last_words
        assert words[-1] == "caf\ufffd"
        assert "line 49" in words
        assert len(words) <= 20
        assert all(len(word) <= 2000 for word in words)


async def test_once_it_serves_its_words_are_forgotten_and_new_ones_are_not_kept() -> None:
    """They may quote prompts."""
    program = (
        "import sys, signal\n"
        "print('loading', file=sys.stderr, flush=True)\n"
        "signal.sigwait({signal.SIGUSR1})\n"
        "print('a prompt', file=sys.stderr, flush=True)\n"
    )
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        async with running(program) as process:
            await until(lambda: process.last_words == ["loading"], 0.005)

            process.stop_listening()

            assert process.last_words == []
            assert process.pid is not None
            os.kill(process.pid, signal.SIGUSR1)
            assert await process.wait() == 0
            assert process.last_words == []
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


async def test_a_talkative_child_is_not_held_up() -> None:
    """A full pipe would stop it in the middle of a token."""
    async with running("import sys\nfor _ in range(20_000): print('y' * 100, file=sys.stderr)") as process:
        process.stop_listening()
        assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_second_child_is_heard_anew(tmp_path: Path) -> None:
    mark = tmp_path / "second"
    program = (
        "import sys, pathlib\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "print('second' if mark.exists() else 'first', file=sys.stderr)\n"
        "mark.touch()\n"
    )
    async with running(program) as process:
        await process.wait()
        process.stop_listening()

        await process.spawn()
        await process.wait()

        assert process.last_words == ["second"]
