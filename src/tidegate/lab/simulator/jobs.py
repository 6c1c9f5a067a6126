"""One prompt and its answer at an engine."""

from __future__ import annotations

from math import inf


class Job:
    """Make one for each call, and give it to `EngineModel.begin` once. Its owner overrides what it wants to hear of.

    `order` says whose prompt is read first: the lower. `since_batch` is the engine's batch that gave the first token,
    at `first_at_s`; `read_from_s` is when reading began. `is_out`: nothing is told it any more.
    """

    __slots__ = (
        "answer_tokens",
        "first_at_s",
        "gaps_mark",
        "is_out",
        "is_reading",
        "left_tokens",
        "mark",
        "order",
        "prompt_tokens",
        "read_from_s",
        "since_batch",
    )

    def __init__(self, order: int, prompt_tokens: int, answer_tokens: int) -> None:
        """`prompt_tokens` are to be read (cached ones left out), at least one; the answer has at least one, too."""
        self.order = order
        self.prompt_tokens = max(1, prompt_tokens)
        self.left_tokens = self.prompt_tokens
        self.answer_tokens = max(1, answer_tokens)
        self.mark = self.answer_tokens
        self.since_batch = 0
        self.read_from_s = inf
        self.first_at_s = inf
        self.gaps_mark: dict[int, int] = {}
        self.is_reading = False
        self.is_out = False

    def began(self, now: float) -> int:
        """Hear that the first token is there; answers at how many tokens to be told again, before the end."""
        del now
        return self.answer_tokens

    def marked(self, now: float) -> int:
        """Hear that as many tokens are there as were marked; answers the next mark."""
        del now
        return self.answer_tokens

    def ended(self, now: float) -> None:
        """Hear that the answer is whole."""

    def __lt__(self, other: Job) -> bool:
        """Whether its prompt is read before the other's."""
        return self.order < other.order
