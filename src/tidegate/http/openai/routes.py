"""The OpenAI-compatible routes."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from math import ceil
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import Scope
from tidegate.core.admission.claims import Waiting
from tidegate.core.events import RouteKind
from tidegate.core.generation.call import Call, Progress
from tidegate.core.generation.size import most_tokens, prompt_bytes
from tidegate.core.generation.window import LONGEST_TOKEN_BYTES
from tidegate.core.quotas.budget import Payer
from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.exchange import Exchange
from tidegate.http.failing import refusing
from tidegate.http.openai import limits, sifting
from tidegate.http.openai.answers import ChatChunk, ChatCompletion, ModelBody, ModelList, TextCompletion
from tidegate.http.openai.dialect import ChatDialect, Dialect, Head, TextDialect
from tidegate.http.openai.requests import ChatRequest, TextRequest
from tidegate.http.presence import until_gone
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.http.streams import EventStream, comment, event
from tidegate.ports.engine import CallRejectedError, ContextExceededError, ModelCard
from tidegate.services.authenticate import Caller
from tidegate.services.generate import Answering, answering
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.line import QUIET_S, UNTOLD_S
from tidegate.services.models import Served, find
from tidegate.services.timing import Timing

W = TypeVar("W", ChatRequest, TextRequest)

_REPORT_EVERY_S = 1.0
_ATTEMPTS = "x-tidegate-attempts"
_ENVELOPE_BYTES = 65536  # For everything in a request that is not prompt.


class OpenAiRoom(msgspec.Struct, frozen=True, kw_only=True):
    """What the routes work with. `clock` tells Unix seconds, `ticks` monotonic ones."""

    served: tuple[Served, ...]
    lifecycle: Lifecycle
    max_body_bytes: int
    clock: Callable[[], float]
    ticks: Callable[[], float]

    def models(self) -> list[ModelBody]:
        """Every model under each of its names. From memory: a busy engine must not hide it."""
        return [_body(name, one.engine.card) for one in self.served for name in one.names]

    def require(self, name: str) -> Served:
        """The model of this name. Raises a Refusal."""
        found = find(self.served, name)
        if found is not None:
            return found
        known = ", ".join(name for one in self.served for name in one.names)
        raise Refusal(
            Reason.MODEL_NOT_FOUND, f"The model {name[:100]!r} is not served here. Served: {known}.", param="model"
        )


def _body(name: str, card: ModelCard) -> ModelBody:
    return ModelBody(id=name, created=card.created_s, owned_by=card.owned_by, context_length=card.context_tokens)


async def list_models(room: OpenAiRoom, request: Request) -> Response:
    """Every model this service answers for."""
    del request
    return _json(ModelList(data=room.models()))


async def get_model(room: OpenAiRoom, request: Request) -> Response:
    """One of them."""
    name = request.path_params["model"]
    return _json(_body(name, room.require(name).engine.card))


async def create_chat_completion(room: OpenAiRoom, request: Request) -> Response:
    """Answer a conversation."""
    wanted, served = await _read(room, request, ChatRequest)
    return await _answer(room, request, wanted, served, ChatDialect(_head(room, wanted, served, "chatcmpl")))


async def create_completion(room: OpenAiRoom, request: Request) -> Response:
    """Continue a text."""
    wanted, served = await _read(room, request, TextRequest)
    prompt = wanted.single_prompt() if wanted.echo else ""
    echo = prompt if isinstance(prompt, str) else ""
    return await _answer(room, request, wanted, served, TextDialect(_head(room, wanted, served, "cmpl"), echo))


async def _read(room: OpenAiRoom, request: Request, kind: type[W]) -> tuple[W, Served]:
    """Read and decode the body and find its model, unless no prompt of that length could fit it.

    Counting tokens costs the engine more than in proportion to the text, and
    decoding costs everybody, so what cannot fit is neither counted nor decoded,
    nor even kept.
    """
    most_tokens = max(one.engine.card.context_tokens for one in room.served)
    most_bytes = most_tokens * LONGEST_TOKEN_BYTES + _ENVELOPE_BYTES
    try:
        body = await bodies.read(request, min(room.max_body_bytes, most_bytes))
    except Refusal as refusal:
        if refusal.reason is not Reason.BODY_TOO_LARGE:
            raise
        if bodies.seen_bytes(request) > room.max_body_bytes:
            raise bodies.too_large(room.max_body_bytes) from None
        raise _too_long(most_tokens, kind.prompt_field) from None
    wanted = sifting.decode(body, kind)
    served = room.require(wanted.model)
    context_tokens = served.engine.card.context_tokens
    if len(body) > context_tokens * LONGEST_TOKEN_BYTES + _ENVELOPE_BYTES:
        raise _too_long(context_tokens, kind.prompt_field)
    return wanted, served


def _too_long(context_tokens: int, field: str) -> Refusal:
    most_bytes = context_tokens * LONGEST_TOKEN_BYTES + _ENVELOPE_BYTES
    return Refusal(
        Reason.CONTEXT_LENGTH_EXCEEDED,
        f"A request of more than {most_bytes} bytes does not fit this model, which holds "
        f"{context_tokens} tokens. Please shorten it.",
        param=field,
    )


async def _answer(
    room: OpenAiRoom, request: Request, wanted: ChatRequest | TextRequest, served: Served, dialect: Dialect
) -> Response:
    exchange: Exchange = request.state.exchange
    exchange.is_stream, exchange.max_tokens = wanted.is_stream, wanted.asked_tokens
    caller: Caller = request.state.caller
    payers = await served.admission.meet(caller.user, caller.key)
    exchange.told = partial(limits.headers, served.admission.quotas, payers)
    generation = _enter(request, wanted, served, payers)
    try:
        return await _begin(room, request, wanted, generation, dialect)
    except Refusal as refusal:
        for name, text in _attempts(generation.timing).items():
            refusal.say(name, text)
        raise


async def _begin(
    room: OpenAiRoom, request: Request, wanted: ChatRequest | TextRequest, generation: Answering, dialect: Dialect
) -> Response:
    exchange: Exchange = request.state.exchange
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(generation.close)
        with refusing(_blaming(wanted)):
            # No status line before the engine has begun, or a wait is promised: until then a refusal can be one.
            await until_gone(generation.begin(), request.receive, room.lifecycle)
        if not wanted.is_stream:
            return await until_gone(_collect(generation, dialect), request.receive, room.lifecycle)
        undo.pop_all()
    said = _attempts(generation.timing)
    return EventStream(_stream(room, generation, dialect), room.lifecycle, exchange, generation.close, said)


def _attempts(timing: Timing) -> dict[str, str]:
    """Say so when more than one engine may have worked on it: nothing is done twice behind a caller's back."""
    return {_ATTEMPTS: str(timing.attempts)} if timing.attempts > 1 else {}


def _enter(request: Request, wanted: ChatRequest | TextRequest, served: Served, payers: Sequence[Payer]) -> Answering:
    """Take a place in line. Raises a Refusal."""
    call, admission = _call(wanted), served.admission
    caller: Caller = request.state.caller
    exchange: Exchange = request.state.exchange
    context_tokens = served.engine.card.context_tokens
    claim = admission.claim(
        caller.user,
        prompt_bytes=prompt_bytes(call),
        output_tokens=min(wanted.asked_tokens or context_tokens, context_tokens),
        is_stream=wanted.is_stream,
        end_user=wanted.end_user,
    )
    exchange.timing = Timing(standing=claim.standing)
    with refusing(_blaming(wanted)):
        ticket = admission.take(claim, payers, min(context_tokens, most_tokens(call) + claim.output_tokens))
    quiet_s = QUIET_S if wanted.is_stream else UNTOLD_S
    generation = answering(served.engine, admission, ticket, call, quiet_s=quiet_s)
    exchange.timing = generation.timing
    return generation


def _call(wanted: ChatRequest | TextRequest) -> Call:
    try:
        return wanted.call()
    except RecursionError:
        # What could just be decoded may be too deep to be taken apart a few calls further down the stack.
        raise Refusal(Reason.INVALID_JSON, "The body is nested too deeply.") from None


async def _stream(room: OpenAiRoom, generation: Answering, dialect: Dialect) -> AsyncGenerator[bytes, None]:
    reported_at = room.ticks()
    is_open = False
    attempts_told = max(1, generation.timing.attempts)
    with refusing():
        async with contextlib.aclosing(generation.events()) as events:
            async for happened in events:
                if isinstance(happened, Waiting):
                    yield comment(f"waiting position={happened.position} eta_s={ceil(happened.wait_s)}")
                    continue
                if generation.timing.attempts > attempts_told:
                    attempts_told = generation.timing.attempts
                    yield comment(f"asked again attempts={attempts_told}")
                if not is_open:
                    is_open = True
                    for chunk in dialect.opening():
                        yield event(msgspec.json.encode(chunk))
                for chunk in dialect.take(happened):
                    yield event(msgspec.json.encode(chunk))
                if isinstance(happened, Progress) and room.ticks() - reported_at >= _REPORT_EVERY_S:
                    reported_at = room.ticks()
                    yield comment(f"reading prompt {happened.done}/{happened.total}")
            yield event(b"[DONE]")


async def _collect(generation: Answering, dialect: Dialect) -> Response:
    with refusing():
        async with contextlib.aclosing(generation.events()) as events:
            async for happened in events:
                if not isinstance(happened, Waiting):
                    dialect.take(happened)
    timing = generation.timing
    served_ms = round(((timing.queue_s or 0.0) + (timing.service_s or 0.0)) * 1000)
    return _json(dialect.whole(), {"openai-processing-ms": str(served_ms), **_attempts(timing)})


def _blaming(wanted: ChatRequest | TextRequest) -> Callable[[Exception], str | None]:
    """Say which field of `wanted` an error is about."""

    def blame(error: Exception) -> str | None:
        match error:
            case ContextExceededError():
                return wanted.prompt_field
            case CallRejectedError():
                return error.field or wanted.blame(error.message)
            case _:
                return None

    return blame


def _head(room: OpenAiRoom, wanted: ChatRequest | TextRequest, served: Served, prefix: str) -> Head:
    return Head(
        id=f"{prefix}-{secrets.token_hex(12)}",
        created=int(room.clock()),
        model=wanted.model,
        system_fingerprint=served.engine.card.fingerprint,
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
    Reason.INSUFFICIENT_QUOTA,
    Reason.CONCURRENCY_LIMIT_EXCEEDED,
    Reason.SERVER_IS_OVERLOADED,
    Reason.INSUFFICIENT_SYSTEM_RESOURCE,
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
