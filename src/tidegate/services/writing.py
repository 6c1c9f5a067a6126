"""Writes one answer for the web chat, from the prompt to the kept message, whether or not anybody watches."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from tidegate.core.accounts import User
from tidegate.core.conversations import Conversation, Ending, Message
from tidegate.core.events import Level, RequestCrashed, RequestFinished, RouteKind
from tidegate.core.generation.call import ChatCall, FinishReason, Sampling, Turn
from tidegate.core.generation.reply import Draft
from tidegate.core.generation.window import answer_tokens, windows
from tidegate.core.identifiers import Fingerprint, RequestId, SessionId, UserId
from tidegate.core.reasons import OUR_FAULTS, Reason
from tidegate.ports.conversations import ConversationStore
from tidegate.ports.engine import Engine
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission, CutShortError
from tidegate.services.failures import Failure, failure_of, origin
from tidegate.services.generate import Answering, answering
from tidegate.services.happenings import Ended, Happening
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.line import QUIET_S

_ENDINGS: dict[FinishReason | None, Ending] = {
    FinishReason.STOP: Ending.COMPLETE,
    FinishReason.TOOL_CALLS: Ending.COMPLETE,
    FinishReason.LENGTH: Ending.LENGTH,
}


_REASONS = {Ending.UNATTENDED: Reason.CLIENT_LEFT, Ending.CUT: Reason.SERVER_IS_DRAINING}
_SPEECHLESS = Failure(Reason.ENGINE_FAILED, "The model had nothing to say. Please try again.", 1.0)
_SILENCE = {
    Ending.COMPLETE: _SPEECHLESS,
    Ending.LENGTH: _SPEECHLESS,
    Ending.FAILED: _SPEECHLESS,
    Ending.CUT: Failure(
        Reason.SERVER_IS_DRAINING,
        "The service was stopped or restarted before the answer began. Please ask again.",
        5.0,
    ),
}

STATUSES: Final = {
    Reason.CONTEXT_LENGTH_EXCEEDED: 400,
    Reason.UNSUPPORTED_VALUE: 400,
    Reason.STORAGE_FULL: 403,
    Reason.CONVERSATION_FULL: 403,
    Reason.CONTENT_UNREADABLE: 410,
    Reason.CONCURRENCY_LIMIT_EXCEEDED: 429,
    Reason.INSUFFICIENT_QUOTA: 429,
    Reason.CLIENT_LEFT: 499,
    Reason.INTERNAL_ERROR: 500,
    Reason.ENGINE_FAILED: 502,
    Reason.INSUFFICIENT_SYSTEM_RESOURCE: 503,
    Reason.SERVER_IS_OVERLOADED: 503,
    Reason.SERVER_IS_DRAINING: 503,
    Reason.ENGINE_UNAVAILABLE: 503,
    Reason.STORAGE_UNAVAILABLE: 503,
}
"""What the log calls an answer without any text: the same as where a request waits for its answer."""


class Asker(msgspec.Struct, frozen=True):
    """Who asks, and where they are signed in."""

    user: User
    session: SessionId

    @property
    def owner(self) -> UserId:
        """Whose conversations they are."""
        return self.user.id


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What answers are written with. `clock` tells Unix seconds, `ticks` monotonic ones."""

    engine: Engine
    admission: Admission
    conversations: ConversationStore
    lifecycle: Lifecycle
    journal: Journal
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]
    ticks: Callable[[], float]


class Wish:
    """How an answer shall end in the middle, once somebody wants it to."""

    def __init__(self) -> None:
        """Nobody does."""
        self.is_kept = True
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def end(self, ending: Ending) -> None:
        """End it; what it says until then is kept."""
        if not self.ending.done():
            self.ending.set_result(ending)

    def discard(self) -> None:
        """End it and keep nothing."""
        self.is_kept = False
        self.end(Ending.STOPPED)


class Writing:
    """One answer that is being written. `draft` is what it says so far."""

    def __init__(
        self,
        desk: Desk,
        asker: Asker,
        conversation: Conversation,
        draft: Draft,
        said: Sequence[Turn],
        wish: Wish,
        ticket: int,
    ) -> None:
        """`said` is the conversation up to the question, `ticket` is out already. Nothing happens before `run`."""
        self.asker = asker
        self.conversation = conversation
        self.draft = draft
        self._desk = desk
        self._said = said
        self._wish = wish
        self._ticket = ticket
        self._request = RequestId.of(secrets.token_bytes(12))
        self._generation: Answering | None = None

    async def run(self, tell: Callable[[Happening], None]) -> Ended:
        """Write it to its end, however that comes, and keep it; the ticket is given back before.

        Never raises but when it is cancelled.
        """
        began_at = self._desk.ticks()
        ending, failure = await self._written(tell)
        message: Message | None = None
        if self._wish.is_kept and self.draft.has_text:
            message = self.draft.message(ending, self._desk.ticks(), self._desk.clock())
            try:
                await self._desk.conversations.add_message(self.asker.owner, message)
            except Exception as error:  # noqa: BLE001 - said to the asker, and recorded where it is a defect
                message, failure = None, self._failure(error)
        elif self._wish.is_kept and failure is None:
            failure = _SILENCE.get(ending)
        self._record(ending, failure, self._desk.ticks() - began_at)
        reply = self.draft.read()
        return Ended(id=reply.id, conversation=reply.conversation, message=message, failure=failure)

    async def _written(self, tell: Callable[[Happening], None]) -> tuple[Ending, Failure | None]:
        generating = asyncio.create_task(self._generate(tell))
        expiring = asyncio.create_task(self._desk.lifecycle.expired.wait())
        wished = self._wish.ending
        awaited: list[asyncio.Future[Any]] = [generating, expiring, wished]
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if not generating.done():
                return (wished.result() if wished.done() else Ending.CUT), None
        finally:
            generating.cancel()
            expiring.cancel()
            # Until the engine and the place are free: whoever is told of the end may ask again at once.
            await asyncio.gather(generating, expiring, return_exceptions=True)
            if self._generation is None:  # It was ended before it began.
                self._desk.admission.leave(self._ticket)
        try:
            return generating.result(), None
        except Exception as error:  # noqa: BLE001 - said to the asker, and recorded where it is a defect
            ending = Ending.CROWDED_OUT if isinstance(error, CutShortError) else Ending.FAILED
            return ending, self._failure(error)

    async def _generate(self, tell: Callable[[Happening], None]) -> Ending:
        desk, context_tokens = self._desk, self._desk.engine.card.context_tokens
        sampling = Sampling(max_tokens=answer_tokens(context_tokens))
        first, *shorter = (
            ChatCall(messages=window, sampling=sampling) for window in windows(self._said, context_tokens)
        )
        generation = self._generation = answering(
            desk.engine, desk.admission, self._ticket, first, shorter, quiet_s=QUIET_S
        )
        async with contextlib.aclosing(generation.events()) as events:
            async for event in events:
                for happening in self.draft.take(event, desk.ticks()):
                    tell(happening)
        return _ENDINGS.get(generation.timing.finish, Ending.FAILED)

    def _failure(self, error: Exception) -> Failure:
        known = failure_of(error)
        if known is not None:
            return known
        kind, place = origin(error)
        self._desk.journal.record(
            RequestCrashed(t=self._desk.clock(), level=Level.ERROR, id=self._request, error=kind, raised_at=place)
        )
        return Failure(Reason.INTERNAL_ERROR, f"Something broke on our side. Quote {self._request} to the operator.")

    def _record(self, ending: Ending, failure: Failure | None, total_s: float) -> None:
        reason = failure.reason if failure else _REASONS.get(ending)
        finished = RequestFinished(
            t=self._desk.clock(),
            level=Level.ERROR if reason in OUR_FAULTS else Level.INFO,
            id=self._request,
            route=RouteKind.CHAT,
            status=200 if reason is None or self.draft.has_text else STATUSES[reason],
            total_s=total_s,
            reason=reason,
            acct=self._desk.fingerprint(self.asker.owner),
            sess=self._desk.fingerprint(self.asker.session),
            stream=True,
            max_tok=answer_tokens(self._desk.engine.card.context_tokens),
            abandoned=True if ending is Ending.UNATTENDED else None,
        )
        timing = self._generation.timing if self._generation else None
        self._desk.journal.record(timing.written_into(finished) if timing else finished)
