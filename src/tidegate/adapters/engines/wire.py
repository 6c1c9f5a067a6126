"""The llama.cpp server's dialect: calls out, stream chunks in.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tidegate.core.admission.claims import Place
from tidegate.core.generation.call import (
    Call,
    ChatCall,
    Delta,
    Event,
    Finished,
    FinishReason,
    Progress,
    Usage,
)
from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineError, EngineUnavailableError

CHAT_PATH = "/v1/chat/completions"
TEXT_PATH = "/v1/completions"

_ALWAYS: dict[str, Any] = {
    "stream": True,
    "stream_options": {"include_usage": True},
    # Reports between batches are how a caller's leaving is noticed while the prompt is read.
    "return_progress": True,
}


class _Progress(msgspec.Struct):
    total: int = 0
    cache: int = 0
    processed: int = 0


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails = msgspec.field(default_factory=_PromptDetails)


class _Timings(msgspec.Struct):
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    prompt_progress: _Progress | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: _Error | None = None


_chunks = msgspec.json.Decoder(_Chunk)


class _TemplateCaps(msgspec.Struct):
    supports_tools: bool = True


class _Props(msgspec.Struct):
    chat_template_caps: _TemplateCaps = msgspec.field(default_factory=_TemplateCaps)


def takes_tools(payload: bytes) -> bool:
    """Read from `/props` whether the model's chat template has a place for tools. Raises ValueError."""
    return msgspec.json.decode(payload, type=_Props).chat_template_caps.supports_tools


def encode(call: Call, place: Place, aside: int = 0) -> tuple[str, bytes]:
    """Write a call as path and body; `aside` places come before the callers'. Raises CallRejectedError."""
    try:
        return _encode(call, place, aside)
    except RecursionError:
        # What could just be decoded may be too deep once it lies inside our envelope.
        msg = "The request is nested too deeply."
        raise CallRejectedError(msg) from None


def _encode(call: Call, place: Place, aside: int) -> tuple[str, bytes]:
    body = dict(_ALWAYS)
    body.update(id_slot=place.number + aside, cache_prompt=place.is_warm)
    body.update(msgspec.to_builtins(call.sampling))
    if isinstance(call, ChatCall):
        body["messages"] = msgspec.to_builtins(call.messages)
        optional = {
            "response_format": call.response_format,
            "tools": call.tools,
            "tool_choice": call.tool_choice,
            "parallel_tool_calls": call.parallel_tool_calls,
            "chat_template_kwargs": call.template_arguments,
        }
        body.update({name: value for name, value in optional.items() if value is not None})
        return CHAT_PATH, msgspec.json.encode(body)
    body["prompt"] = call.prompt
    if call.sampling.top_logprobs:
        # Of a text the number is asked for in the field that says for a chat only whether.
        body["logprobs"] = body.pop("top_logprobs")
    return TEXT_PATH, msgspec.json.encode(body)


def probe() -> tuple[str, bytes]:
    """The smallest question that needs a real token."""
    return TEXT_PATH, msgspec.json.encode({**_ALWAYS, "prompt": "1", "max_tokens": 1, "cache_prompt": False})


def decode(payload: bytes) -> Iterator[Event]:
    """Read one `data:` payload. Raises EngineError when the engine reports one."""
    chunk = _chunks.decode(payload)
    if chunk.error is not None:
        raise _rejected(chunk.error)
    if chunk.prompt_progress is not None:
        report = chunk.prompt_progress
        yield Progress(done=report.processed, total=report.total, cached=report.cache)
        return  # The role-only delta that comes with it says nothing.
    for choice in chunk.choices:
        delta = _delta(choice)
        if delta is not None:
            yield delta
        if choice.finish_reason:
            yield Finished(_finish(choice.finish_reason))
    if chunk.usage is not None:
        timings = chunk.timings or _Timings()
        yield Usage(
            prompt_tokens=chunk.usage.prompt_tokens,
            completion_tokens=chunk.usage.completion_tokens,
            cached_tokens=chunk.usage.prompt_tokens_details.cached_tokens,
            prefill_tok_s=timings.prompt_per_second or 0.0,
            decode_tok_s=timings.predicted_per_second or 0.0,
        )


def refusal(status: int, payload: bytes) -> EngineError:
    """Read what the engine answered instead of a stream."""
    try:
        error = _chunks.decode(payload).error or _Error()
    except ValueError:  # No JSON, or no text at all.
        error = _Error()
    if status == 503:  # noqa: PLR2004 - HTTP: it is still loading
        return EngineUnavailableError("loading", retry_after_s=2.0)
    return _rejected(error)


def _rejected(error: _Error) -> EngineError:
    if error.type == "exceed_context_size_error":
        return ContextExceededError(error.n_prompt_tokens, error.n_ctx)
    if error.type in {"invalid_request_error", "not_supported_error"}:
        return CallRejectedError(error.message)
    return EngineError(error.type or "error without a type")


def _delta(choice: _Choice) -> Delta | None:
    given = choice.delta
    content = choice.text or (given.content if given else None) or ""
    reasoning = (given.reasoning_content if given else None) or ""
    tool_calls = given.tool_calls if given else None
    if not (content or reasoning or tool_calls or choice.logprobs):
        return None
    return Delta(content=content, reasoning=reasoning, tool_calls=tool_calls, logprobs=choice.logprobs)


def _finish(text: str) -> FinishReason:
    try:
        return FinishReason(text)
    except ValueError:
        return FinishReason.STOP
