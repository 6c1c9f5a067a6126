"""What OpenAI-compatible servers answer, chunk by chunk.

Everything is checked for its type before anybody builds on it: an engine that
somebody else runs may be of another version, broken, or no engine at all.
Whatever is not as it should be is a ValueError here.

How much of a prompt an engine knew already is not told (decision 0005): where
prompts share a cache by content, it would tell what others have asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tidegate.adapters.engines import openai_errors
from tidegate.adapters.engines.openai_errors import Count
from tidegate.core.generation.call import Delta, Event, Finished, FinishReason, Progress, Usage
from tidegate.ports.engine import EngineBrokeError

_FASTEST_TOK_S: Final = 1e9


class _Progress(msgspec.Struct):
    total: Count = 0
    cache: Count = 0
    processed: Count = 0


class _Function(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct, omit_defaults=True):
    index: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    id: str | None = None
    type: str | None = None
    function: _Function | None = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _TokenLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_Alternative] = []


class _Logprobs(msgspec.Struct, omit_defaults=True):
    """Both forms: `content` of chats, and the lists that completions have had since before."""

    content: list[_TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class _Timings(msgspec.Struct):
    prompt_per_second: float | None = None
    predicted_per_second: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    prompt_progress: _Progress | None = None
    usage: _Usage | None = None
    timings: _Timings | None = None


_chunks = msgspec.json.Decoder(_Chunk)


def decode(payload: bytes) -> Iterator[Event]:
    """Read one `data:` payload. Raises EngineError when the engine reports one, ValueError for no chunk."""
    chunk = _chunks.decode(payload)
    error = openai_errors.read(payload) if chunk.choices is None else None
    if error is not None:
        raise error
    if chunk.prompt_progress is not None:
        report = chunk.prompt_progress
        yield Progress(done=report.processed, total=report.total, cached=report.cache)
        return  # The role-only delta that comes with it says nothing.
    for choice in chunk.choices or ():
        delta = _delta(choice)
        if delta is not None:
            yield delta
        if choice.finish_reason:
            yield Finished(_finish(choice.finish_reason))
    # Some send how far they are with every chunk: only what comes with no choice is the sum.
    if chunk.usage is not None and not chunk.choices:
        timings = chunk.timings or _Timings()
        yield Usage(
            prompt_tokens=chunk.usage.prompt_tokens,
            completion_tokens=chunk.usage.completion_tokens,
            prefill_tok_s=_rate(timings.prompt_per_second),
            decode_tok_s=_rate(timings.predicted_per_second),
        )


def _delta(choice: _Choice) -> Delta | None:
    given = choice.delta or _Delta()
    content = choice.text or given.content or ""
    reasoning = given.reasoning_content or given.reasoning or ""
    logprobs = None if choice.logprobs is None else _logprobs(choice.logprobs)
    if not (content or reasoning or given.tool_calls or logprobs):
        return None
    tool_calls = [msgspec.to_builtins(one) for one in given.tool_calls or ()]
    for number, written in enumerate(tool_calls):
        written.setdefault("index", number)
    return Delta(content=content, reasoning=reasoning, tool_calls=tool_calls or None, logprobs=logprobs)


def _logprobs(given: _Logprobs) -> dict[str, Any] | None:
    """In the form that chats have, whichever it came in."""
    if given.content:
        return {"content": msgspec.to_builtins(given.content)}
    tokens, own = given.tokens or [], given.token_logprobs or []
    tops = given.top_logprobs or [None] * len(tokens)
    content = [
        {
            "token": token,
            "logprob": logprob if logprob is not None else 0.0,
            "top_logprobs": [{"token": other, "logprob": worth} for other, worth in (top or {}).items()],
        }
        for token, logprob, top in zip(tokens, own, tops, strict=False)
    ]
    return {"content": content} if content else None


def _rate(told: float | None) -> float:
    return told if told is not None and 0.0 < told < _FASTEST_TOK_S else 0.0


def _finish(text: str) -> FinishReason:
    try:
        return FinishReason(text)
    except ValueError:
        # "abort" and "error" are no end that an answer can have: it is not complete.
        if text in {"abort", "error"}:
            msg = "ended by the engine"
            raise EngineBrokeError(msg) from None
        return FinishReason.STOP
