"""Work as attackers do it, with solver.c, and as people's devices would: the same answer, later."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from pathlib import Path

import msgspec

from tidegate.core.challenge.puzzles import seed_of

_LEAST_NICE = 10
_PIECES_A_RUN = 2.0
_CHALLENGE_FIELD = re.compile(r'name="challenge" value="([^"]+)"')


class Work(msgspec.Struct, frozen=True):
    """A challenge that was solved: the form's fields for it, and the processor time that it took."""

    fields: dict[str, str]
    cpu_s: float


class Solver:
    """Runs the native solver, so many at once and out of everybody else's way, and keeps account of what it used."""

    def __init__(self, program: Path, at_once: int = 1) -> None:
        """Nothing was solved yet."""
        self._program = program
        self._turn = asyncio.Semaphore(at_once)
        self.cpu_s = 0.0
        self.solved = 0

    async def solve(self, page: str) -> Work | None:
        """Do the work that a page asks for; None where it asks for none."""
        found = _CHALLENGE_FIELD.search(page)
        if found is None:
            return None
        began_at, text = time.perf_counter(), found[1]
        pieces: list[str] = []
        effort, first, cpu_s = int(text.split(".")[2]), 0, 0.0
        async with self._turn:
            while len(pieces) < effort:
                runs = 1 + int((effort - len(pieces)) / _PIECES_A_RUN)
                lines = await self._run(seed_of(text).hex(), first, runs)
                first += runs
                pieces += lines[:-1]
                cpu_s += float(lines[-1].split()[3])
        self.cpu_s += cpu_s
        self.solved += 1
        took_ms = str(int((time.perf_counter() - began_at) * 1000))
        return Work({"challenge": text, "answer": "".join(sorted(pieces)[:effort]), "solve_ms": took_ms}, cpu_s)

    async def _run(self, seed: str, first: int, runs: int) -> list[str]:
        program = await asyncio.create_subprocess_exec(
            *("nice", "-n", str(_LEAST_NICE), str(self._program), seed, str(first), str(runs), "1"),
            stdout=subprocess.PIPE,
        )
        said, _ = await program.communicate()
        return said.decode().split("\n")[:-1]
