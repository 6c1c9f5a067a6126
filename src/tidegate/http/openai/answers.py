"""What callers get: the OpenAI response types and the chunks of a stream.

Thinking is given under both names that clients read, `reasoning_content`
(DeepSeek, llama.cpp) and `reasoning` (vLLM).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tidegate.core.generation.call import Delta, FinishReason, Usage


class PromptTokensDetails(msgspec.Struct, frozen=True):
    """Of the prompt's tokens, those the engine knew already."""

    cached_tokens: int


class CompletionTokensDetails(msgspec.Struct, frozen=True):
    """Of the answer's tokens, those spent on thinking."""

    reasoning_tokens: int


class UsageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one request, in OpenAI's and DeepSeek's fields."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails
    prompt_cache_hit_tokens: int
    prompt_cache_miss_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> UsageBody:
        """Write the engine's figures."""
        return cls(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            total_tokens=usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details=PromptTokensDetails(usage.cached_tokens),
            completion_tokens_details=CompletionTokensDetails(usage.reasoning_tokens),
            prompt_cache_hit_tokens=usage.cached_tokens,
            prompt_cache_miss_tokens=usage.prompt_tokens - usage.cached_tokens,
        )


class ChatDelta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a chunk adds to the message."""

    role: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: list[Any] | UnsetType = UNSET


class ChatChunkChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The only choice of a chunk."""

    index: int = 0
    delta: ChatDelta
    logprobs: Any = None
    finish_reason: FinishReason | None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a streamed chat completion. `usage` is null until the last, if it was asked for."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChunkChoice]
    usage: UsageBody | UnsetType | None = UNSET


class ChatMessageBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The whole message."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    tool_calls: list[Any] | UnsetType = UNSET


class ChatChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The only choice."""

    index: int = 0
    message: ChatMessageBody
    logprobs: Any = None
    finish_reason: FinishReason


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """A whole chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: UsageBody


class TextLogprobs(msgspec.Struct, kw_only=True):
    """Log-probabilities in the older form that completions have. Offsets count characters."""

    tokens: list[str] = []
    token_logprobs: list[float] = []
    top_logprobs: list[dict[str, float]] = []
    text_offset: list[int] = []


class TextChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The only choice of a completion or of its chunk."""

    index: int = 0
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: FinishReason | None = None


class TextCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """A completion, or one event of a streamed one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    usage: UsageBody | UnsetType | None = UNSET


class ModelBody(msgspec.Struct, frozen=True, kw_only=True):
    """A model as `GET /v1/models` lists it. `context_length` is our addition."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    context_length: int


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelBody]


def chat_delta(delta: Delta) -> ChatDelta:
    """Write a piece of the answer."""
    return ChatDelta(
        content=delta.content or UNSET,
        reasoning_content=delta.reasoning or UNSET,
        reasoning=delta.reasoning or UNSET,
        tool_calls=delta.tool_calls or UNSET,
    )


def text_logprobs(given: Any, offset: int) -> TextLogprobs | None:
    """Turn a chunk's log-probabilities into the older form, the first token at `offset`."""
    items = given.get("content") if isinstance(given, dict) else None
    if not items:
        return None
    older = TextLogprobs()
    for item in items:
        older.tokens.append(item["token"])
        older.token_logprobs.append(item["logprob"])
        older.top_logprobs.append({top["token"]: top["logprob"] for top in item.get("top_logprobs", [])})
        older.text_offset.append(offset)
        offset += len(item["token"])
    return older
