"""A challenge and its answer as JSON, for programs that have no page."""

from __future__ import annotations

from typing import Self

import msgspec

from tidegate.core.challenge.challenges import TEXT_MOST
from tidegate.core.challenge.solving import parts_of

ANSWER_MOST = 8192
"""Letters of an answer that are read at all; 64 pieces of sha256 are 8,192, of wagner 4,608."""

SOLVE_MS_MOST = 3_600_000


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A challenge, and what it says in words of its own. `effort` 0 with an empty challenge: none is needed now."""

    challenge: str = ""
    puzzle: str | None = None
    effort: int = 0
    expires_at: float | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """Tell what a challenge that was just issued asks for."""
        parts = parts_of(text)
        return cls(challenge=text, puzzle=parts.puzzle, effort=parts.effort, expires_at=parts.expires_at)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back with a call or a form: at most what is read. `solve_ms` is a claim, 0 if none."""

    challenge: str = ""
    answer: str = ""
    solve_ms: int = 0

    @classmethod
    def of_fields(cls, challenge: str, answer: str, solve_ms: str) -> Self:
        """Take a form's fields as they came. What is too long is none, and garbage in the claim is no claim."""
        is_number = solve_ms.isascii() and solve_ms.isdigit() and len(solve_ms) <= len(str(SOLVE_MS_MOST))
        return cls(
            challenge=challenge if len(challenge) <= TEXT_MOST else "",
            answer=answer if len(answer) <= ANSWER_MOST else "",
            solve_ms=min(int(solve_ms), SOLVE_MS_MOST) if is_number else 0,
        )
