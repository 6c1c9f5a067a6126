"""One model behind several servers, as an Engine.

    asked --first token--> answering --> over
      |
      +--failed--> another one is asked, at most `attempts` in all

Until the first token is there, a server that fails costs its caller time and
nothing else. Later the answer is over: nothing is begun anew behind a caller's
back. A server that was sent the call may have worked on it although it failed;
how many may have is told with each attempt.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.adapters.engines import hearing
from tidegate.adapters.engines.fleet import Fleet
from tidegate.adapters.engines.hearing import FailedError, HearingPlan
from tidegate.adapters.engines.openai_calls import encode
from tidegate.adapters.engines.openai_errors import AnswerTooLongError
from tidegate.adapters.engines.servers import Server
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import MemberState, Missing, Nowhere, Outcome
from tidegate.core.generation.call import Call, Delta, Event, Finished, Taken
from tidegate.ports.engine import (
    EngineBrokeError,
    EngineError,
    EngineReport,
    EngineUnavailableError,
    ModelCard,
)

_SOON_S: Final = 1.0
_CHUNKS_A_TOKEN: Final = 2
_MORE_CHUNKS: Final = 10_000


def card_of(model: str, context_tokens: int) -> ModelCard:
    """What callers are told of a model that runs elsewhere."""
    digest = blake2s(model.encode(), digest_size=5).hexdigest()
    return ModelCard(
        id=model,
        owned_by="tidegate",
        created_s=int(time.time()),
        context_tokens=context_tokens,
        fingerprint=f"fp_{digest}",
    )


class PooledEngine:
    """An Engine. `salt` makes of an owner what keeps its prompts apart from all others' in a server's cache."""

    def __init__(self, card: ModelCard, fleet: Fleet, salt: Callable[[str], str]) -> None:
        """The fleet is started and stopped by whoever made it."""
        self._card = card
        self._fleet = fleet
        self._salt = salt
        plan = fleet.plan
        self._hearing = HearingPlan(
            first_s=plan.first_s,
            silence_s=plan.silence_s,
            most_chunks=_CHUNKS_A_TOKEN * card.context_tokens + _MORE_CHUNKS,
        )

    @property
    def card(self) -> ModelCard:
        """The model it serves."""
        return self._card

    def report(self) -> EngineReport:
        """How its servers are, without asking them."""
        replicas = self._fleet.report(self._card.id)
        up = [one for one in replicas if one.state is MemberState.UP]
        untried = [one for one in replicas if one.state is MemberState.UNTRIED]
        state = EngineState.READY if up else EngineState.LOADING if untried else EngineState.FAILED
        return EngineReport(
            state=state,
            why=f"{len(up)} of {len(replicas)} engines answer",
            restarts=0,
            retry_after_s=0.0 if up else _SOON_S,
        )

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        """Answer a call; see the port."""
        tried: list[str] = []
        attempts = 0
        failed: FailedError | None = None
        while len(tried) < self._fleet.plan.attempts:
            found = await self._fleet.pick(self._card.id, tried)
            if isinstance(found, Nowhere):
                raise _nowhere(found, failed, is_any_asked=attempts > 0)
            server, member = found
            tried.append(member.name)
            failed = None
            async with aclosing(self._attempt(server, call, place, attempts + 1)) as events:
                try:
                    async for event in events:
                        yield event
                except FailedError as error:
                    failed = error
            if failed is None:
                return
            attempts += failed.was_sent
        raise _end_of(failed, is_any_asked=attempts > 0)

    async def _attempt(self, server: Server, call: Call, place: Place, attempts: int) -> AsyncGenerator[Event, None]:
        """Ask one server. Raises FailedError as long as nothing of an answer was there."""
        began_at = time.monotonic()
        outcome, why, last_at = Outcome.LEFT, "", 0.0
        try:
            yield Taken(server.plan.replica, attempts)
            async with aclosing(self._events(server, call, place)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        now = time.monotonic()
                        if last_at:
                            self._fleet.spoke(server, now - last_at)
                        last_at = now
                    elif isinstance(event, Finished):
                        outcome = Outcome.GOOD
                    yield event
            _require_end(outcome)
        except FailedError as error:
            outcome, why = Outcome.LEFT if error.is_busy else Outcome.FAILED, error.why
            if last_at:
                raise EngineBrokeError(why) from error
            raise
        except EngineError:
            outcome = Outcome.GOOD  # It says what the caller has to mend.
            raise
        finally:
            if outcome is Outcome.GOOD:
                server.answers[self._card.id] = server.answers.get(self._card.id, 0) + 1
            self._fleet.ended(server, outcome, began_at, why, place.group)

    async def _events(self, server: Server, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        try:
            async with aclosing(self._ask(server, call, place)) as events:
                async for event in events:
                    yield event
        except AnswerTooLongError:
            # Without a number it is as long as fits, which is what other engines make of such a number.
            sampling = msgspec.structs.replace(call.sampling, max_tokens=None)
            async with aclosing(self._ask(server, msgspec.structs.replace(call, sampling=sampling), place)) as events:
                async for event in events:
                    yield event

    def _ask(self, server: Server, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        salt = self._salt(place.owner) if place.owner else ""
        path, body = encode(call, server.kind, self._card.id, salt)
        return hearing.answer(server, path, body, self._hearing)


def _require_end(outcome: Outcome) -> None:
    if outcome is not Outcome.GOOD:
        why = "cut"
        raise FailedError(why, was_sent=True)


def _nowhere(found: Nowhere, failed: FailedError | None, *, is_any_asked: bool) -> EngineError:
    if failed is not None:
        return _end_of(failed, is_any_asked=is_any_asked)
    why = "every engine is full" if found.why is Missing.BUSY else "no engine answers"
    return EngineUnavailableError(why, found.retry_after_s)


def _end_of(failed: FailedError | None, *, is_any_asked: bool) -> EngineError:
    """What callers hear: an engine that spoke nonsense is another thing than one that could not be reached."""
    why = failed.why if failed else "none was asked"
    return EngineBrokeError(why) if is_any_asked else EngineUnavailableError(why, _SOON_S)
