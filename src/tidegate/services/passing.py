"""What of an answer that is passed on is told, and what it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tidegate.core.generation.call import FinishReason, Usage
from tidegate.ports.upstream import Ask, Piece
from tidegate.services.generate import Generation
from tidegate.services.telling import Reckoned
from tidegate.services.timing import Timing

_NONE: Final = Reckoned()
_ONE: Final = Reckoned(tokens=1)
_OK: Final = 200
_TELLING_TOKENS: Final = 16
_TELLING_S: Final = 0.001


class Passage:
    """Listens to one answer. `clock` tells monotonic seconds.

    Servers that tell no rates of their own are timed: the first piece tells how
    fast a prompt was read, the others how fast an answer is written. Where one
    tells no figures at all, its pieces are counted.
    """

    def __init__(self, timing: Timing, ask: Ask, clock: Callable[[], float]) -> None:
        """Nothing has come."""
        self.timing = timing
        self.began_at: float | None = None
        self.status = 0
        self.ask = ask
        self._clock = clock
        self._first_at = 0.0
        self._last_at = 0.0

    def reckon(self, event: Piece) -> Reckoned:
        """What a piece comes to."""
        tokens = event.tokens
        if tokens == 1:
            return _ONE
        return Reckoned(tokens=tokens) if tokens else _NONE

    def take(self, event: Piece) -> list[Piece]:
        """Tell what there is to tell."""
        timing = self.timing
        if event.head is not None:
            self.status = event.head.status
        if event.tokens:
            now = self._last_at = self._clock()
            timing.deltas += event.tokens
            if event.data and timing.ttft_s is None and self.began_at is not None:
                self._first_at = now
                timing.ttft_s = now - self.began_at
        if event.usage is not None:
            timing.usage = event.usage
        if event.is_last:
            timing.finish = FinishReason.STOP
            if self.status == _OK:
                timing.usage = self._timed(timing.usage)
        return [event] if event.data or event.head is not None or event.is_last else []

    def _timed(self, told: Usage | None) -> Usage:
        timing = self.timing
        usage = told or Usage(prompt_tokens=self.ask.tokens, completion_tokens=timing.deltas)
        if usage.prefill_tok_s or usage.decode_tok_s or self.began_at is None:
            return usage
        if timing.ttft_s is None:
            # In one piece: what it took in all, reading too. Better too slow a guess than too fast a one.
            return self._with_rates(usage, 0.0, usage.completion_tokens, self._clock() - self.began_at)
        fresh = usage.prompt_tokens - usage.cached_tokens
        has_read = fresh >= _TELLING_TOKENS and timing.ttft_s > _TELLING_S
        prefill_tok_s = fresh / timing.ttft_s if has_read else 0.0
        return self._with_rates(usage, prefill_tok_s, usage.completion_tokens - 1, self._last_at - self._first_at)

    def _with_rates(self, usage: Usage, prefill_tok_s: float, written: int, writing_s: float) -> Usage:
        has_written = usage.completion_tokens >= _TELLING_TOKENS and writing_s > _TELLING_S
        return Usage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            prefill_tok_s=prefill_tok_s,
            decode_tok_s=written / writing_s if has_written else 0.0,
        )


Passing = Generation[Ask, Piece]
"""A request that is passed on, from its place in line to the last piece of its answer."""


Guess = Callable[[Ask, float], int]
"""About how many tokens of an answer that comes in one piece are there so many seconds after it was asked for."""

_TICK_S: Final = 0.5


class Unheard:
    """Counts for answers in one piece, of which nothing is heard before their ends, what by then should be there.

    Otherwise whoever wants no stream could hold a place for as long as it likes.
    """

    def __init__(self, guess: Guess, clock: Callable[[], float]) -> None:
        """Nobody waits for one. `clock` tells monotonic seconds."""
        self._guess = guess
        self._clock = clock
        self._waiting: dict[Passage, tuple[Passing, int]] = {}
        self._counted: dict[Passage, tuple[float, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, passage: Passage, passing: Passing, most_tokens: int) -> None:
        """Count for one from now on, and never more than `most_tokens`: it is no more than a guess."""
        self._waiting[passage] = (passing, most_tokens)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._look_again)

    def discard(self, passage: Passage) -> None:
        """It is over."""
        self._waiting.pop(passage, None)
        self._counted.pop(passage, None)

    def look(self) -> None:
        """Count what should be there by now."""
        for passage, (passing, most_tokens) in list(self._waiting.items()):
            self._count(passage, passing, most_tokens)

    def _look_again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._look_again) if self._waiting else None
        self.look()

    def _count(self, passage: Passage, passing: Passing, most_tokens: int) -> None:
        asked_at = passage.began_at
        if asked_at is None:
            return
        before_at, before = self._counted.get(passage, (asked_at, 0))
        if asked_at != before_at:
            before = 0  # It was set aside, and is asked anew.
        tokens = min(most_tokens, self._guess(passage.ask, self._clock() - asked_at))
        if tokens > before:
            self._counted[passage] = asked_at, tokens
            passing.count(tokens - before)
