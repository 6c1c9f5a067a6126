"""Asks the engine: waits for a place, streams the answer, gives the place back exactly once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Self

import msgspec

from tidegate.core.events import RequestFinished
from tidegate.core.generation.call import Call, ChatCall, Delta, Event, Finished, FinishReason, Progress, Usage
from tidegate.core.generation.thinking import ThinkingSplitter
from tidegate.ports.engine import ContextExceededError, Engine, EngineBrokeError
from tidegate.services.lane import Lane


class Timing(msgspec.Struct, kw_only=True):
    """How an answer went, in seconds and tokens, for the log and the metrics."""

    queue_s: float = 0.0
    ttft_s: float | None = None
    service_s: float = 0.0
    deltas: int = 0
    reasoning_deltas: int = 0
    finish: FinishReason | None = None
    usage: Usage | None = None

    @property
    def gap_s(self) -> float | None:
        """Mean seconds between pieces of the answer."""
        if self.ttft_s is None or self.deltas < 2:  # noqa: PLR2004 - one piece has no gap
            return None
        return (self.service_s - self.ttft_s) / (self.deltas - 1)

    def written_into(self, finished: RequestFinished) -> RequestFinished:
        """The log's line for the request that this was the answer to."""
        usage = self.usage
        return msgspec.structs.replace(
            finished,
            in_tok=usage.prompt_tokens if usage else None,
            cached_tok=usage.cached_tokens if usage else None,
            out_tok=usage.completion_tokens if usage else self.deltas or None,
            queue_s=self.queue_s,
            ttft_s=self.ttft_s,
            service_s=self.service_s,
            gap_s=self.gap_s,
            finish=self.finish,
        )


class Generation:
    """One admitted call. Iterate it to the end, or `close` it: both free the engine and the place."""

    def __init__(
        self, lane: Lane, ticket: int, events: AsyncGenerator[Event, None], call: Call, clock: Callable[[], float]
    ) -> None:
        """Use `begin`."""
        self.timing = Timing()
        self._lane = lane
        self._ticket = ticket
        self._events = events
        self._clock = clock
        self._began_at = clock()
        self._first: Event | None = None
        self._splitter = ThinkingSplitter() if isinstance(call, ChatCall) else None

    @classmethod
    async def begin(
        cls,
        engine: Engine,
        lane: Lane,
        call: Call,
        owner: str,
        clock: Callable[[], float],
        shorter: Iterable[Call] = (),
        ticket: int | None = None,
    ) -> Self:
        """Wait for a place and for the engine to take the call of `owner`.

        When its prompt is too long, the `shorter` ones are tried in its stead,
        one after the other, in the same place. With a `ticket` the owner is in
        the lane already; it is given back as one that was taken here. Raises
        OverloadedError, TooManyInFlightError, or the port's errors for a call
        that the engine did not begin. Cancelling it gives everything back.
        """
        asked_at = clock()
        ticket = lane.take(owner) if ticket is None else ticket
        place = await lane.place(ticket)
        generation = cls(lane, ticket, engine.generate(call, place), call, clock)
        generation.timing.queue_s = clock() - asked_at
        try:
            for instead in shorter:
                with contextlib.suppress(ContextExceededError):
                    await generation._take_first()
                    return generation
                generation._events = engine.generate(instead, place)
            await generation._take_first()
        except BaseException:
            await generation.close()
            raise
        return generation

    async def _take_first(self) -> None:
        try:
            self._first = await anext(self._events)
        except StopAsyncIteration:
            msg = "an answer without a single event"
            raise EngineBrokeError(msg) from None

    async def events(self) -> AsyncGenerator[Event, None]:
        """The answer, thinking taken apart. Raises EngineBrokeError when it ends without being finished."""
        try:
            if self._first is not None:
                for event in self._taken(self._first):
                    yield event
            async for event in self._events:
                for taken in self._taken(event):
                    yield taken
            if self.timing.finish is None:
                msg = "the stream ended in the middle"
                raise EngineBrokeError(msg)
        finally:
            await self.close()

    async def close(self) -> None:
        """Free the engine and the place. More than once does no harm."""
        if self._ticket:
            ticket, self._ticket = self._ticket, 0
            self.timing.service_s = self._clock() - self._began_at
            try:
                await self._events.aclose()
            finally:
                self._lane.leave(ticket)

    def _taken(self, event: Event) -> list[Event]:
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
        if self.timing.ttft_s is None:
            self.timing.ttft_s = self._clock() - self._began_at
        return True
