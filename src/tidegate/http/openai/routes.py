"""The OpenAI-compatible routes."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import Scope
from tidegate.core.events import RouteKind
from tidegate.core.generation.call import Call, Progress
from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.exchange import Exchange, Lifecycle
from tidegate.http.openai.answers import ChatChunk, ChatCompletion, ModelBody, ModelList, TextCompletion
from tidegate.http.openai.dialect import ChatDialect, Dialect, Head, TextDialect
from tidegate.http.openai.requests import ChatRequest, TextRequest
from tidegate.http.presence import until_gone
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.http.streams import EventStream, comment, event
from tidegate.ports.engine import (
    CallRejectedError,
    ContextExceededError,
    Engine,
    EngineError,
    EngineUnavailableError,
)
from tidegate.services.authenticate import Caller
from tidegate.services.generate import Generation
from tidegate.services.lane import Lane, OverloadedError

W = TypeVar("W", ChatRequest, TextRequest)

_REPORT_EVERY_S = 1.0
_TOKEN_BYTES = 32  # Far above the mean of any text; only runs of blanks have longer tokens.
_ENVELOPE_BYTES = 65536  # For everything in a request that is not prompt.


class OpenAiRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes work with. `clock` tells Unix seconds, `ticks` monotonic ones."""

    engine: Engine
    aliases: tuple[str, ...]
    lane: Lane
    lifecycle: Lifecycle
    max_body_bytes: int
    clock: Callable[[], float]
    ticks: Callable[[], float]

    def models(self) -> list[ModelBody]:
        """The model under each of its names. From memory: a busy engine must not hide it."""
        card = self.engine.card
        return [
            ModelBody(id=name, created=card.created_s, owned_by=card.owned_by, context_length=card.context_tokens)
            for name in (card.id, *self.aliases)
        ]

    def require(self, name: str) -> ModelBody:
        """The model of this name. Raises a Refusal."""
        for model in self.models():
            if model.id == name:
                return model
        known = ", ".join(model.id for model in self.models())
        raise Refusal(
            Reason.MODEL_NOT_FOUND, f"The model {name[:100]!r} is not served here. Served: {known}.", param="model"
        )


async def list_models(room: OpenAiRoom, request: Request) -> Response:
    """Every model this service answers for."""
    del request
    return _json(ModelList(data=room.models()))


async def get_model(room: OpenAiRoom, request: Request) -> Response:
    """One of them."""
    return _json(room.require(request.path_params["model"]))


async def create_chat_completion(room: OpenAiRoom, request: Request) -> Response:
    """Answer a conversation."""
    wanted = await _read(room, request, ChatRequest)
    return await _answer(room, request, wanted, ChatDialect(_head(room, wanted, "chatcmpl")))


async def create_completion(room: OpenAiRoom, request: Request) -> Response:
    """Continue a text."""
    wanted = await _read(room, request, TextRequest)
    prompt = wanted.single_prompt()
    echo = prompt if wanted.echo and isinstance(prompt, str) else ""
    return await _answer(room, request, wanted, TextDialect(_head(room, wanted, "cmpl"), echo))


async def _read(room: OpenAiRoom, request: Request, kind: type[W]) -> W:
    """Read and decode the body, unless no prompt of that length could fit the model.

    Counting tokens costs the engine more than in proportion to the text, so what
    cannot fit is not counted.
    """
    body = await bodies.read(request, room.max_body_bytes)
    wanted = bodies.decode(body, kind)
    most_bytes = room.engine.card.context_tokens * _TOKEN_BYTES + _ENVELOPE_BYTES
    if len(body) > most_bytes:
        raise Refusal(
            Reason.CONTEXT_LENGTH_EXCEEDED,
            f"A request of {len(body)} bytes does not fit this model, which holds "
            f"{room.engine.card.context_tokens} tokens. Please shorten it.",
            param=wanted.prompt_field,
        )
    return wanted


async def _answer(room: OpenAiRoom, request: Request, wanted: ChatRequest | TextRequest, dialect: Dialect) -> Response:
    exchange: Exchange = request.state.exchange
    exchange.is_stream, exchange.max_tokens = wanted.is_stream, wanted.asked_tokens
    call = _call(wanted)
    caller: Caller = request.state.caller
    with _refusing(wanted):
        begun = Generation.begin(room.engine, room.lane, call, caller.user.id, room.ticks)
        # No status line before the engine has taken the call: until then a refusal can still be a refusal.
        generation = await until_gone(begun, request.receive, room.lifecycle)
    exchange.timing = generation.timing
    if wanted.is_stream:
        return EventStream(_stream(room, generation, dialect), room.lifecycle, exchange, generation.close)
    try:
        return await until_gone(_collect(generation, dialect), request.receive, room.lifecycle)
    finally:
        await generation.close()


def _call(wanted: ChatRequest | TextRequest) -> Call:
    try:
        return wanted.call()
    except RecursionError:
        # What could just be decoded may be too deep to be taken apart a few calls further down the stack.
        raise Refusal(Reason.INVALID_JSON, "The body is nested too deeply.") from None


async def _stream(room: OpenAiRoom, generation: Generation, dialect: Dialect) -> AsyncGenerator[bytes, None]:
    reported_at = room.ticks()
    with _refusing():
        async with contextlib.aclosing(generation.events()) as events:
            for chunk in dialect.opening():
                yield event(msgspec.json.encode(chunk))
            async for happened in events:
                for chunk in dialect.take(happened):
                    yield event(msgspec.json.encode(chunk))
                if isinstance(happened, Progress) and room.ticks() - reported_at >= _REPORT_EVERY_S:
                    reported_at = room.ticks()
                    yield comment(f"reading prompt {happened.done}/{happened.total}")
            yield event(b"[DONE]")


async def _collect(generation: Generation, dialect: Dialect) -> Response:
    with _refusing():
        async with contextlib.aclosing(generation.events()) as events:
            async for happened in events:
                dialect.take(happened)
    served_ms = round((generation.timing.queue_s + generation.timing.service_s) * 1000)
    return _json(dialect.whole(), {"openai-processing-ms": str(served_ms)})


@contextlib.contextmanager
def _refusing(wanted: ChatRequest | TextRequest | None = None) -> Iterator[None]:
    """Say in the API's words what the engine or the lane could not do, and which field of `wanted` it was."""
    try:
        yield
    except OverloadedError as error:
        raise Refusal(
            Reason.SERVER_IS_OVERLOADED,
            "Too many requests are waiting for the model. Please try again later.",
            retry_after_s=error.retry_after_s,
        ) from error
    except ContextExceededError as error:
        raise Refusal(
            Reason.CONTEXT_LENGTH_EXCEEDED,
            f"The prompt has {error.prompt_tokens} tokens; this model can hold {error.context_tokens}, "
            "answer included. Please shorten it.",
            param=wanted.prompt_field if wanted else None,
        ) from error
    except CallRejectedError as error:
        param = error.field or (wanted.blame(error.message) if wanted else None)
        raise Refusal(
            Reason.UNSUPPORTED_VALUE, f"The model cannot take this request: {error.message}", param=param
        ) from error
    except EngineUnavailableError as error:
        raise Refusal(
            Reason.ENGINE_UNAVAILABLE,
            "The model is starting. Please try again shortly.",
            retry_after_s=error.retry_after_s,
        ) from error
    except EngineError as error:
        raise Refusal(
            Reason.ENGINE_FAILED, "The model broke off while answering. Please try again.", retry_after_s=2.0
        ) from error


def _head(room: OpenAiRoom, wanted: ChatRequest | TextRequest, prefix: str) -> Head:
    model = room.require(wanted.model)
    return Head(
        id=f"{prefix}-{secrets.token_hex(12)}",
        created=int(room.clock()),
        model=model.id,
        system_fingerprint=room.engine.card.fingerprint,
        wants_usage=wanted.wants_usage,
    )


def _json(value: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")


_CALL_REASONS = (
    Reason.INVALID_JSON,
    Reason.INVALID_VALUE,
    Reason.MISSING_FIELD,
    Reason.UNSUPPORTED_VALUE,
    Reason.CONTEXT_LENGTH_EXCEEDED,
    Reason.MODEL_NOT_FOUND,
    Reason.BODY_TOO_LARGE,
    Reason.SERVER_IS_OVERLOADED,
    Reason.ENGINE_UNAVAILABLE,
    Reason.ENGINE_FAILED,
)

PREFIXES: Final = ("/v1", "", "/beta")
"""OpenAI's base path, and the two that DeepSeek's clients use."""

TABLE: Final = (
    Route(
        method="GET",
        path="/models",
        summary="List the models",
        endpoint=list_models,
        scope=Scope.MODELS,
        response=ModelList,
    ),
    Route(
        method="GET",
        path="/models/{model:path}",
        summary="Describe one model",
        endpoint=get_model,
        scope=Scope.MODELS,
        response=ModelBody,
        reasons=(Reason.MODEL_NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/chat/completions",
        summary="Answer a conversation",
        endpoint=create_chat_completion,
        kind=RouteKind.CHAT,
        scope=Scope.CHAT,
        request=ChatRequest,
        response=ChatCompletion,
        chunk=ChatChunk,
        reasons=_CALL_REASONS,
    ),
    Route(
        method="POST",
        path="/completions",
        summary="Continue a text",
        endpoint=create_completion,
        kind=RouteKind.CHAT,
        scope=Scope.CHAT,
        request=TextRequest,
        response=TextCompletion,
        chunk=TextCompletion,
        reasons=_CALL_REASONS,
    ),
)
