"""Writes what happens in an account as server-sent events, and keeps an open page told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from tidegate.core.generation.reply import Grew, Moved, Reply
from tidegate.http.chat.answers import (
    AccountEvent,
    ConversationBody,
    ConversationChanged,
    ConversationRemoved,
    Hello,
    MessageAdded,
    MessageBody,
    Replaced,
    ReplyBegan,
    ReplyBody,
    ReplyEnded,
    ReplyError,
    ReplyGrew,
    ReplyMoved,
    written,
)
from tidegate.http.streams import comment, event
from tidegate.services.failures import Failure
from tidegate.services.happenings import Added, Began, Changed, Ended, Happening, Removed, Superseded
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.watching import Watch

QUIET_S = 15.0
"""After so long without an event a comment is sent: proxies give up on what is silent for a minute."""

HELLO: Final = event(written(Hello()))


async def pieces(watch: Watch, lifecycle: Lifecycle, is_over: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """Everything that the page is told, until that ends or `is_over`."""
    with lifecycle.listening():
        yield HELLO
        while not is_over():
            try:
                async with asyncio.timeout(QUIET_S):
                    told = await anext(watch, None)
            except TimeoutError:
                yield comment("still here")
                continue
            if told is None:
                return
            yield told


def encode(happening: Happening) -> bytes:
    """One happening as one server-sent event."""
    return event(written(_body(happening)))


def _body(happening: Happening) -> AccountEvent:
    match happening:
        case Added(conversation=conversation, message=message):
            return MessageAdded(conversation=ConversationBody.of(conversation), message=MessageBody.of(message))
        case Began(reply=reply):
            return ReplyBegan(reply=reply_body(reply))
        case Moved():
            return ReplyMoved(
                id=happening.id,
                conversation=happening.conversation,
                state=happening.state.value,
                read_tokens=happening.read_tokens,
                prompt_tokens=happening.prompt_tokens,
                position=happening.position,
                wait_s=happening.wait_s,
            )
        case Grew():
            return ReplyGrew(
                id=happening.id,
                conversation=happening.conversation,
                sequence=happening.sequence,
                content=happening.content,
                reasoning=happening.reasoning,
            )
        case Ended():
            return ReplyEnded(
                id=happening.id,
                conversation=happening.conversation,
                message=MessageBody.of(happening.message) if happening.message else None,
                error=_error(happening.failure) if happening.failure else None,
            )
        case Changed(conversation=conversation):
            return ConversationChanged(conversation=ConversationBody.of(conversation))
        case Removed(id=conversation_id):
            return ConversationRemoved(id=conversation_id)
        case Superseded():
            return Replaced()


def reply_body(reply: Reply) -> ReplyBody:
    """Write an answer as far as it is."""
    return ReplyBody(
        id=reply.id,
        conversation=reply.conversation,
        parent=reply.parent,
        state=reply.state.value,
        sequence=reply.sequence,
        content=reply.content,
        reasoning=reply.reasoning,
        reasoning_s=reply.reasoning_s,
        read_tokens=reply.read_tokens,
        prompt_tokens=reply.prompt_tokens,
        position=reply.position,
        wait_s=reply.wait_s,
    )


def _error(failure: Failure) -> ReplyError:
    return ReplyError(code=failure.reason, message=failure.sentence, retry_after_s=failure.retry_after_s)
