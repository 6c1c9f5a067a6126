"""How an answer went, for the log and the metrics."""

from __future__ import annotations

from typing import Any

import msgspec

from tidegate.core.events import RequestFinished
from tidegate.core.generation.call import FinishReason, Usage
from tidegate.core.identifiers import Replica
from tidegate.core.standing.classes import Standing


class Timing(msgspec.Struct, kw_only=True):
    """Seconds and tokens of one answer, as far as it is. `standing` is the class in which it was judged.

    Who was refused at once has not waited: there is no `queue_s`, and no `service_s` where the engine was not asked.
    Of several engines `replica` is the one that answered, and so many `attempts` may have been worked on.
    """

    standing: Standing | None = None
    cost: float | None = None
    queue_s: float | None = None
    ttft_s: float | None = None
    service_s: float | None = None
    deltas: int = 0
    reasoning_deltas: int = 0
    replica: Replica | None = None
    attempts: int = 0
    finish: FinishReason | None = None
    usage: Usage | None = None

    @property
    def gap_s(self) -> float | None:
        """Mean seconds between pieces of the answer."""
        if self.ttft_s is None or self.service_s is None or self.deltas < 2:  # noqa: PLR2004 - one piece has no gap
            return None
        return (self.service_s - self.ttft_s) / (self.deltas - 1)

    def figures(self) -> dict[str, Any]:
        """What a RequestFinished tells of it, by the names that it has there."""
        usage = self.usage
        return {
            "standing": self.standing,
            "cost": self.cost,
            "in_tok": usage.prompt_tokens if usage else None,
            "cached_tok": usage.cached_tokens if usage else None,
            "out_tok": usage.completion_tokens if usage else self.deltas or None,
            "queue_s": self.queue_s,
            "ttft_s": self.ttft_s,
            "service_s": self.service_s,
            "gap_s": self.gap_s,
            "finish": self.finish,
            "replica": self.replica,
            "attempts": self.attempts if self.attempts > 1 else None,
        }

    def written_into(self, finished: RequestFinished) -> RequestFinished:
        """The log's line for the request that this was the answer to."""
        return msgspec.structs.replace(finished, **self.figures())
