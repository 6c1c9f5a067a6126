"""One call to one server: its answer as events, or what became of it and whose fault that is.

Only what an answer is made of counts as a word of it: comments that keep a
connection open and empty chunks before the first token do not, so a server that
computes nothing is given up although it goes on sending.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import msgspec

from tidegate.adapters.engines import openai_chunks, openai_errors
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.servers import Server, TooMuchError, whole
from tidegate.adapters.engines.sse import payloads
from tidegate.adapters.engines.upstream import Opened, UnreachableError
from tidegate.core.generation.call import Delta, Event, Finished, Progress, Usage
from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineBrokeError
from tidegate.ports.upstream import UpstreamBrokeError

_OK: Final = 200
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_NOT_FOUND_OUT_BY_WORKING: Final = frozenset({401, 403, 404, 405, _TOO_MANY, _UNAVAILABLE})
"""Statuses of servers that have not begun to work on a request."""

_SAYS_BUSY: Final = frozenset({Kind.OLLAMA, Kind.SGLANG})
"""Whose queues are bounded: 503 means that they are full, and that nothing is wrong."""

_ERROR_BYTES: Final = 65_536
_LAST_WORDS_S: Final = 2.0  # For the usage, once an answer is complete.
_BYTES_A_TOKEN: Final = 4
_SILENCE: Final = "silence"
_NONSENSE: Final = "nonsense"


class HearingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait (s) for the first word, and for each one after it; how many chunks an answer may have."""

    first_s: float = 30.0
    silence_s: float = 10.0
    most_chunks: int = 100_000


class FailedError(Exception):
    """The server did not answer. `was_sent`: it may have worked on the call. `is_busy`: it is well, and full."""

    def __init__(self, why: str, *, was_sent: bool, is_busy: bool = False) -> None:
        """`why` is one word for the operator, never a server's own."""
        super().__init__(why)
        self.why = why
        self.was_sent = was_sent
        self.is_busy = is_busy


async def answer(server: Server, path: str, body: bytes, plan: HearingPlan) -> AsyncGenerator[Event, None]:
    """Ask, and hear the answer. Raises FailedError, and what callers themselves have to mend."""
    until = asyncio.get_running_loop().time() + plan.first_s
    try:
        async with server.asked("POST", path, body, plan.first_s) as opened:
            if opened.status != _OK:
                raise await _refused(server, opened, plan)
            guess_tokens = 1 + len(body) // _BYTES_A_TOKEN
            async with aclosing(_events(server, opened, guess_tokens, until, plan)) as events:
                async for event in events:
                    yield event
    except UnreachableError as error:
        raise FailedError(error.kind, was_sent=error.was_sent) from error
    except (UpstreamBrokeError, EngineBrokeError) as error:
        raise FailedError(str(error), was_sent=True) from error
    except TimeoutError as error:
        raise FailedError(_SILENCE, was_sent=True) from error
    except ValueError as error:
        raise FailedError(_NONSENSE, was_sent=True) from error


async def _refused(server: Server, opened: Opened, plan: HearingPlan) -> Exception:
    async with asyncio.timeout(plan.silence_s):
        try:
            payload = await whole(opened, _ERROR_BYTES)
        except TooMuchError:
            payload = b""
    error = openai_errors.refusal(opened.status, payload)
    if isinstance(error, CallRejectedError | ContextExceededError):
        return error
    is_busy = opened.status == _TOO_MANY or (opened.status == _UNAVAILABLE and server.kind in _SAYS_BUSY)
    return FailedError(
        f"status_{opened.status}", was_sent=opened.status not in _NOT_FOUND_OUT_BY_WORKING, is_busy=is_busy
    )


async def _events(
    server: Server, opened: Opened, guess_tokens: int, until: float, plan: HearingPlan
) -> AsyncGenerator[Event, None]:
    loop = asyncio.get_running_loop()
    pace = _Pace(guess_tokens)
    async with aclosing(payloads(opened.read)) as lines:
        for _ in range(plan.most_chunks):
            try:
                async with asyncio.timeout_at(until) as waiting:
                    with contextlib.nullcontext() if pace.has_begun else server.first_word(waiting):
                        payload = await anext(lines, None)
                heard = [] if payload is None else list(openai_chunks.decode(payload))
            except (UpstreamBrokeError, TimeoutError, ValueError):
                if not pace.is_finished:
                    raise
                payload, heard = None, []  # Nothing was missing but the figures.
            for event in heard:
                for told in pace.take(event):
                    yield told
            if payload is None:
                for event in pace.rest():
                    yield event
                return
            if heard or pace.has_begun:
                until = loop.time() + (_LAST_WORDS_S if pace.is_finished else plan.silence_s)
    msg = "an answer without an end"
    raise ValueError(msg)


class _Pace:
    """Measures an answer, for what a server does not tell of itself: tokens and rates. A prompt may be guessed."""

    def __init__(self, guess_tokens: int) -> None:
        self._asked_at = time.monotonic()
        self._first_at = self._last_at = 0.0
        self._pieces = 0
        self._prompt_tokens = guess_tokens
        self.is_finished = self._is_told = False

    @property
    def has_begun(self) -> bool:
        return self._pieces > 0

    def take(self, event: Event) -> list[Event]:
        """Answer what of an event is told: one end and one usage, whatever a server repeats."""
        now = time.monotonic()
        match event:
            case Delta():
                if self.is_finished:
                    return []
                self._first_at = self._first_at or now
                self._last_at = now
                self._pieces += 1
            case Progress(total=total):
                self._prompt_tokens = total
            case Finished():
                if self.is_finished:
                    return []
                self.is_finished = True
            case Usage():
                if self._is_told:
                    return []
                self._is_told = True
                return [self._rated(event)]
        return [event]

    def rest(self) -> list[Event]:
        """What is said at the end of a complete answer whose usage was never told."""
        if not self.is_finished or self._is_told:
            return []
        return [self._rated(Usage(prompt_tokens=self._prompt_tokens, completion_tokens=self._pieces))]

    def _rated(self, usage: Usage) -> Usage:
        reading_s, writing_s = self._first_at - self._asked_at, self._last_at - self._first_at
        if not usage.prefill_tok_s and reading_s > 0:
            usage = msgspec.structs.replace(usage, prefill_tok_s=usage.prompt_tokens / reading_s)
        if not usage.decode_tok_s and writing_s > 0:
            usage = msgspec.structs.replace(usage, decode_tok_s=(self._pieces - 1) / writing_s)
        return usage
