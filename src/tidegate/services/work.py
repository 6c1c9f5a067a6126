"""Work that strangers are asked for: handed out, and taken once.

Nothing is kept of what is handed out. Of what comes back wrong only the first few of
a second are written down: a flood of garbage must not fill the log.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.challenge.challenges import ID_BYTES, Challenges, Failed, Scope, Solved, Why
from tidegate.core.challenge.puzzles import PuzzleName
from tidegate.core.events import ChallengeOutcome, ChallengeTried
from tidegate.ports.journal import Journal
from tidegate.services.sessions import Trace

TOLD_PER_S: Final = 20


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Work that was done, or not: then the challenge is empty. `took_s` is what the browser says, 0 if nothing."""

    challenge: str = ""
    answer: str = ""
    took_s: float = 0.0


class Work(msgspec.Struct, frozen=True):
    """Work to do: the challenge's text."""

    text: str
    effort: int


class WorkRefusedError(Exception):
    """It does not count. Whyever: what helps is another challenge."""

    def __init__(self, why: Why) -> None:
        """Carry why."""
        super().__init__(f"work refused: {why}")
        self.why = why


class Works:
    """Hands work out and takes it. `clock` tells Unix seconds."""

    def __init__(
        self,
        challenges: Challenges,
        journal: Journal,
        clock: Callable[[], float],
        puzzle: PuzzleName = PuzzleName.WAGNER,
    ) -> None:
        """Nothing was handed in yet."""
        self._challenges = challenges
        self._journal = journal
        self._clock = clock
        self._puzzle = puzzle
        self._told_s, self._told = 0, 0

    def issue(self, scope: Scope, seed: bytes, effort: int) -> Work:
        """Work for whoever has this form's seed; `effort` is 1 at least."""
        now, entropy = self._clock(), secrets.token_bytes(ID_BYTES)
        return Work(self._challenges.issue(scope, seed, effort, self._puzzle, now, entropy), effort)

    def is_junk(self, seed: bytes, challenge: str, answer: str) -> bool:
        """Whether `spend` would certainly refuse this, and no honest page sends it. Tells nobody, changes nothing."""
        return self._challenges.is_junk(challenge, answer, seed, self._clock())

    def spend(self, scope: Scope, seed: bytes, answer: Answer, trace: Trace) -> Solved:
        """Have work count, this once. Raises WorkRefusedError."""
        now = self._clock()
        found = self._challenges.verify(answer.challenge, answer.answer, scope, seed, now)
        if isinstance(found, Solved) and not self._challenges.spend(found, now):
            found = Failed(Why.SPENT)
        if isinstance(found, Failed):
            self._tell_failed(trace, now)
            raise WorkRefusedError(found.why)
        solve_s = answer.took_s or None
        self._tell(trace, ChallengeOutcome.SOLVED, now, effort=found.effort, solve_s=solve_s)
        return found

    def _tell_failed(self, trace: Trace, now: float) -> None:
        if int(now) != self._told_s:
            self._told_s, self._told = int(now), 0
        self._told += 1
        if self._told <= TOLD_PER_S:
            self._tell(trace, ChallengeOutcome.FAILED, now)

    def _tell(
        self,
        trace: Trace,
        outcome: ChallengeOutcome,
        now: float,
        *,
        effort: int | None = None,
        solve_s: float | None = None,
    ) -> None:
        self._journal.record(
            ChallengeTried(
                t=now, id=trace.id, outcome=outcome, src=trace.src, net=trace.net, effort=effort, solve_s=solve_s
            )
        )
