"""Asks the engine: waits for a place, streams the answer, gives the place back exactly once.

    waiting --place--> asked --first piece--> answering --> over
       ^                 |
       +---- set aside --+

Until the first piece is there, whoever has a better right may have the place:
then the call waits again and is asked again, and its caller sees a longer wait
and nothing else. Later it can only be cut: the engine is freed at once, also
while the caller is not listening, and the caller is told why and when to come back.

A caller hears nothing at first: until then a refusal can be a refusal. From then
on its wait is a promise, and it is told where it stands (line.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable
from typing import Generic, Protocol, Self, TypeVar

from tidegate.core.admission.claims import Cut, Place, Spent, Topped, Waiting
from tidegate.core.generation.call import Call, ChatCall, Event
from tidegate.ports.engine import ContextExceededError, Engine, EngineBrokeError
from tidegate.services.admission import Admission, CutShortError
from tidegate.services.line import UNTOLD_S, Line
from tidegate.services.telling import Reckoned, Telling
from tidegate.services.timing import Timing

Told = Event | Waiting
"""What comes out of a generation."""

C = TypeVar("C")
E = TypeVar("E")
C_contra = TypeVar("C_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)


class Flowing(Protocol[E_co]):
    """An answer, event by event: an asynchronous generator, or what is as good as one."""

    def __anext__(self) -> Awaitable[E_co]:
        """The next of them."""

    def aclose(self) -> Awaitable[None]:
        """Nobody wants more of it."""


class Generating(Protocol[C_contra, E_co]):
    """Whatever takes requests of one kind, and answers them in events of one kind: see the port `Engine`."""

    def generate(self, call: C_contra, place: Place) -> Flowing[E_co]:
        """Answer one in one of its places."""


class Listening(Protocol[E]):
    """Takes in the events of one answer: what is told of them, and what they come to."""

    timing: Timing
    began_at: float | None

    def reckon(self, event: E) -> Reckoned:
        """What an event comes to."""

    def take(self, event: E) -> list[E]:
        """What the caller is told of it."""


class _SetAsideError(Exception):
    """The place is somebody else's now; wait for another."""


class Generation(Generic[C, E]):
    """One call of a ticket that is out. Iterate its `events` to the end, or `close` it: both free everything."""

    def __init__(
        self,
        engine: Generating[C, E],
        admission: Admission,
        ticket: int,
        call: C,
        telling: Listening[E],
        shorter: Iterable[C] = (),
        *,
        quiet_s: float = UNTOLD_S,
    ) -> None:
        """Nothing happens before `begin` or `events`, but the ticket is given back by this from now on.

        When the call's prompt is too long, the `shorter` ones are tried in its
        stead, one after the other, in the same place. Of a wait nothing is told
        for `quiet_s`.
        """
        self.timing = telling.timing
        self._engine = engine
        self._admission = admission
        self._clock = admission.clock
        self._ticket = ticket
        self._call = call
        self._shorter = iter(shorter)
        self._line = Line(admission, ticket, quiet_s)
        self._telling = telling
        self._asked_at = admission.clock()
        self._is_begun = False
        self._read_tokens = 0
        self._events: Flowing[E] | None = None
        self._pulling: asyncio.Task[object] | None = None
        self._is_stopped = False
        self._cut: Cut | None = None
        self._freeing: asyncio.Task[None] | None = None
        self._first: E | Waiting | None = None
        self._untold: list[E] = []
        self._is_asked = False
        self._is_closed = False
        self._is_left = False

    async def begin(self) -> None:
        """Wait for the first thing that there is to tell.

        Raises OverloadedError when patience ends, CutShortError, or the port's
        errors for a call that the engine did not begin. Cancelling it gives
        everything back.
        """
        try:
            self._first = await self._news()
        except BaseException:
            await self.close()
            raise
        if self._first is None:
            await self.close()
            msg = "an answer without a single event"
            raise EngineBrokeError(msg)

    async def events(self) -> AsyncGenerator[E | Waiting, None]:
        """All of it as a generator, which frees everything itself when it ends."""
        try:
            async for told in self:
                yield told
        finally:
            await self.close()

    def __aiter__(self) -> Self:
        """The answer, thinking taken apart, and before it where the caller stands; `close` it in any case."""
        return self

    async def __anext__(self) -> E | Waiting:
        """The next of it. Raises EngineBrokeError when it ends without being finished, and what `begin` raises."""
        told, self._first = self._first, None
        if told is None:
            told = await self._news()
        if told is not None:
            return told
        if self.timing.finish is None:
            msg = "the stream ended in the middle"
            raise EngineBrokeError(msg)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close it."""
        await self.close()

    async def close(self) -> None:
        """Free the engine and the place. More than once does no harm."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._freeing is not None:
                await asyncio.shield(self._freeing)
            elif self._events is not None:
                await self._events.aclose()
        finally:
            # Whoever frees it after a cut leaves when that is done.
            if self._freeing is None or self._freeing.done():
                self._leave()

    # ------------------------------------------------------------ the way of a call

    async def _news(self) -> E | Waiting | None:
        """What there is to tell next; None at the end."""
        while not self._untold:
            if not self._is_asked:
                waited = await self._line.news()
                if isinstance(waited, Waiting):
                    return waited
                self._ask(waited)
            try:
                event = await self._next()
            except _SetAsideError:
                self._telling.began_at, self._is_asked = None, False
                continue
            if event is None:
                return None
            self._reckon(event)
            self._untold = self._telling.take(event)
        return self._untold.pop(0)

    def _ask(self, place: Place) -> None:
        now = self._telling.began_at = self._clock()
        self.timing.queue_s = now - self._asked_at
        self._events = self._engine.generate(self._call, place)
        self._place = place
        self._is_asked = True
        self._admission.occupy(self._ticket, self._on_cut)

    async def _next(self) -> E | None:
        """The engine's next event, None at the end. Raises what became of it instead."""
        event: E | None = None
        while self._cut is None:
            task = asyncio.current_task()
            assert self._events is not None, "the engine was asked"
            assert task is not None, "somebody runs this"
            self._pulling, cancelling = task, task.cancelling()
            try:
                event = await self._events.__anext__()
                break
            except StopAsyncIteration:
                break
            except asyncio.CancelledError:
                # Stopped by the cut, and by nobody else.
                if not self._is_stopped or task.cancelling() - 1 > cancelling:
                    raise
            except ContextExceededError:
                instead = next(self._shorter, None)
                if instead is None or self._is_begun:
                    raise
                self._call = instead
                self._events = self._engine.generate(instead, self._place)
            finally:
                self._pulling = None
                if self._is_stopped:
                    self._is_stopped = False
                    task.uncancel()
        if self._cut is not None:
            # What came in this very moment was not counted: it is not told, either.
            event = None
            await self._give_way(self._cut)
        return event

    def count(self, tokens: int) -> None:
        """Count output, also of an answer that tells nothing of itself while it is written: it may be over then."""
        if self._events is None or self._cut is not None or self._is_closed:
            return
        if not self._is_begun:
            self._is_begun = True
            self._admission.began(self._ticket)
        if self._admission.spend(self._ticket, tokens) is Topped.ENDED and self._cut is None:
            retry_after_s = self._admission.retry_after_s(self._ticket)
            self._on_cut(Cut(self._ticket, is_returning=False, retry_after_s=retry_after_s))

    def _reckon(self, event: E) -> None:
        reckoned = self._telling.reckon(event)
        if reckoned.tokens:
            self.count(reckoned.tokens)
        progress = reckoned.progress
        if progress is not None:
            self._read_tokens = max(0, progress.done - progress.cached)
            self._admission.progress(self._ticket, progress.done, progress.total, progress.cached)

    # ------------------------------------------------------------ giving back

    def _on_cut(self, cut: Cut) -> None:
        if self._is_closed:
            return
        self._cut = cut
        if self._pulling is not None:
            # The only way to stop an engine's stream that somebody waits on is to stop that somebody.
            self._is_stopped = True
            self._pulling.cancel()
        else:
            self._freeing = self._admission.free(self._free(cut))

    async def _give_way(self, cut: Cut) -> None:
        if self._freeing is None:
            self._freeing = self._admission.free(self._free(cut))
        await asyncio.shield(self._freeing)
        if cut.is_returning:
            self._freeing = self._cut = None
            raise _SetAsideError
        if self.timing.finish is None:
            raise CutShortError(cut.retry_after_s)

    async def _free(self, cut: Cut) -> None:
        events, self._events = self._events, None
        try:
            if events is not None:
                await events.aclose()
        finally:
            if cut.is_returning and not self._is_closed:
                self._admission.release(self._ticket)
            else:
                self._leave()

    def _leave(self) -> None:
        if self._is_left:
            return
        self._is_left = True
        timing, usage = self.timing, self.timing.usage
        if self._telling.began_at is None:
            timing.queue_s = self._clock() - self._asked_at
        else:
            timing.service_s = self._clock() - self._telling.began_at
        if usage is None:
            timing.cost = self._admission.cost(self._read_tokens, timing.deltas)
            self._admission.leave(self._ticket)
            return
        timing.cost = self._admission.cost(max(0, usage.prompt_tokens - usage.cached_tokens), usage.completion_tokens)
        spent = Spent(
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.completion_tokens,
            prefill_tok_s=usage.prefill_tok_s,
            decode_tok_s=usage.decode_tok_s,
        )
        self._admission.leave(self._ticket, spent)


Answering = Generation[Call, Event]
"""The answer of an engine of ours."""


def answering(
    engine: Engine,
    admission: Admission,
    ticket: int,
    call: Call,
    shorter: Iterable[Call] = (),
    *,
    quiet_s: float = UNTOLD_S,
) -> Answering:
    """Have an engine answer a call, thinking taken apart; see Generation."""
    timing = Timing(standing=admission.judged(ticket))
    telling = Telling(timing, admission.clock, is_chat=isinstance(call, ChatCall))
    return Generation(engine, admission, ticket, call, telling, shorter, quiet_s=quiet_s)
