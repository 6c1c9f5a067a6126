"""Work that strangers are asked for, in virtual time: as much as the service asks, and the time that it takes.

Nobody solves anything here. Whoever waited for as long as their device needs hands the
challenge in, and it counts unless the challenge has grown too old meanwhile. Forged answers and answers
handed in twice are none of the lab's families: what the service makes of those is tested
where it does so (core/challenge, http/challenge).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tidegate.core.challenge.challenges import Challenges, Scope, Solved, Why
from tidegate.core.challenge.plan import ChallengePlan
from tidegate.core.challenge.puzzles import PuzzleName
from tidegate.ports.journal import Journal
from tidegate.services.sessions import Trace
from tidegate.services.work import Answer, Work, WorkRefusedError, Works

_PLAN: Final = ChallengePlan()
_NO_SECRET: Final = bytes(32)


class VirtualWorks(Works):
    """Hands work out and takes it by the clock `steady` (Unix s)."""

    def __init__(self, journal: Journal, steady: Callable[[], float]) -> None:
        """Nothing was handed out yet."""
        super().__init__(Challenges(_NO_SECRET, _PLAN), journal, steady)
        self._steady = steady

    def issue(self, scope: Scope, seed: bytes, effort: int) -> Work:
        """Work of so much effort, at most what a challenge holds."""
        del scope, seed
        effort = min(effort, _PLAN.effort_most)
        return Work(f"{self._steady()!r} {effort}", effort)

    def spend(self, scope: Scope, seed: bytes, answer: Answer, trace: Trace) -> Solved:
        """Have work count. Raises WorkRefusedError."""
        del scope, seed, trace
        issued_at, effort = answer.challenge.split()
        age_s = self._steady() - float(issued_at)
        if age_s >= _PLAN.lifetime_s:
            raise WorkRefusedError(Why.EXPIRED)
        return Solved(id=b"", effort=int(effort), puzzle=PuzzleName.WAGNER, issued_at=float(issued_at), age_s=age_s)
