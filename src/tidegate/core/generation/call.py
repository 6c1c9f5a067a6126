"""A call to a model, after the wire's dialect has been taken off.

Fields keep the names of the OpenAI API, which every engine understands; what a
caller did not say is None and is not passed on, so the engine's own default
holds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from tidegate.core.identifiers import Replica


class Turn(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One message of a chat. `tool_calls` is the JSON value as the API defines it."""

    role: str
    content: str | None = None
    name: str | None = None
    tool_calls: list[Any] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None


class Sampling(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How to choose tokens and when to stop."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class ChatCall(msgspec.Struct, kw_only=True):
    """Answer a conversation."""

    messages: list[Turn]
    sampling: Sampling
    response_format: dict[str, Any] | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    template_arguments: dict[str, Any] | None = None


class TextCall(msgspec.Struct, kw_only=True):
    """Continue a text (or a list of token ids)."""

    prompt: str | list[int]
    sampling: Sampling


Call = ChatCall | TextCall


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    INSUFFICIENT_SYSTEM_RESOURCE = "insufficient_system_resource"


class Progress(msgspec.Struct, frozen=True):
    """The engine is reading the prompt: `done` of `total` tokens, `cached` of them known already."""

    done: int
    total: int
    cached: int


class Delta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of the answer. `tool_calls` and `logprobs` are JSON values as the API defines them."""

    content: str = ""
    reasoning: str = ""
    tool_calls: list[Any] | None = None
    logprobs: Any = None


class Finished(msgspec.Struct, frozen=True):
    """The answer is complete."""

    reason: FinishReason


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens spent. Prefill and decode rates are the engine's own (tokens/s; 0 when not told)."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    prefill_tok_s: float = 0.0
    decode_tok_s: float = 0.0


class Taken(msgspec.Struct, frozen=True):
    """One of several engines was sent the call: which, and how many in all may have worked on it by now."""

    replica: Replica
    attempts: int


Event = Progress | Delta | Finished | Usage | Taken
