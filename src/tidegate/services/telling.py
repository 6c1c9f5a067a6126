"""What of the engine's events is told: thinking taken apart from the answer, and everything counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.generation.call import Delta, Event, Finished, Progress, Taken, Usage
from tidegate.core.generation.thinking import ThinkingSplitter
from tidegate.services.timing import Timing


class Reckoned(msgspec.Struct, frozen=True, gc=False):
    """What an event says of the work that was done: tokens of output, and how far the prompt is."""

    tokens: int = 0
    progress: Progress | None = None


_ONE: Final = Reckoned(tokens=1)
_NONE: Final = Reckoned()


class Telling:
    """Takes the events of one answer, and writes into its `timing`. `clock` tells monotonic seconds."""

    def __init__(self, timing: Timing, clock: Callable[[], float], *, is_chat: bool) -> None:
        """Nothing was said yet. Only in a chat thinking is taken out: a text is continued as it is."""
        self.began_at: float | None = None
        self.timing = timing
        self._clock = clock
        self._splitter = ThinkingSplitter() if is_chat else None

    def reckon(self, event: Event) -> Reckoned:
        """Every piece of an answer is a token, or near enough until the engine tells."""
        match event:
            case Delta():
                return _ONE
            case Progress():
                return Reckoned(progress=event)
            case _:
                return _NONE

    def take(self, event: Event) -> list[Event]:
        """Answer what the caller is told of an event."""
        match event:
            case Delta():
                return [delta for delta in self._split(event) if self._count(delta)]
            case Finished(reason=reason):
                self.timing.finish = reason
                held = self._splitter.close() if self._splitter else Delta()
                return [held, event] if self._count(held) else [event]
            case Usage():
                self.timing.usage = event = msgspec.structs.replace(
                    event, reasoning_tokens=self.timing.reasoning_deltas
                )
                return [event]
            case Progress():
                return [event]
            case Taken(replica=replica, attempts=attempts):
                self.timing.replica, self.timing.attempts = replica, attempts
                return []

    def _split(self, delta: Delta) -> list[Delta]:
        if delta.reasoning and self._splitter is not None:
            # The engine takes the thinking apart itself: what was held back is no tag of ours.
            held, self._splitter = self._splitter.close(), None
            content, reasoning = held.content + delta.content, held.reasoning + delta.reasoning
            return [msgspec.structs.replace(delta, content=content, reasoning=reasoning)]
        if self._splitter is None or not delta.content:
            return [delta]
        parted = self._splitter.feed(delta.content)
        return [msgspec.structs.replace(delta, content=parted.content, reasoning=parted.reasoning)]

    def _count(self, delta: Delta) -> bool:
        if not (delta.content or delta.reasoning or delta.tool_calls or delta.logprobs):
            return False
        self.timing.deltas += 1
        # llama.cpp sends one token a piece, so pieces count tokens closely enough for a detail of the usage.
        self.timing.reasoning_deltas += bool(delta.reasoning)
        if self.timing.ttft_s is None and self.began_at is not None:
            self.timing.ttft_s = self._clock() - self.began_at
        return True
