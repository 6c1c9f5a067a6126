"""Why an OpenAI-compatible server did not answer: the caller's fault or its own, in each server's own words."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineBrokeError, EngineError

Count = Annotated[int, Meta(ge=0, le=1 << 40)]

_SHOWN_LETTERS: Final = 500
_READ_LETTERS: Final = 10_000
_CALLERS: Final = frozenset({400, 413, 422})
_CALLERS_TYPES: Final = frozenset({"invalid_request_error", "not_supported_error", "BadRequestError"})


class AnswerTooLongError(CallRejectedError):
    """The prompt fits; the answer that was asked for at most would not beside it. Asking for no length fits."""


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    n_prompt_tokens: Count = 0
    n_ctx: Count = 0


class _Envelope(msgspec.Struct):
    """OpenAI's, and SGLang's, which is the error itself."""

    error: _Error | str | None = None
    object: Any = None
    message: Any = None


_envelopes = msgspec.json.Decoder(_Envelope)


def refusal(status: int, payload: bytes) -> EngineError:
    """Read what an engine answered instead of a stream.

    CallRejectedError and ContextExceededError are the caller's to mend; anything else is the engine's own fault.
    """
    try:
        error = _error(payload)
    except ValueError:  # No JSON, or no text at all.
        error = None
    if error is None or not error.message or status not in _CALLERS:
        return EngineBrokeError(f"status {status}")
    return _too_long(error) or CallRejectedError(_shown(error.message))


def read(payload: bytes) -> EngineError | None:
    """Read an error in a stream, where no status tells whose fault it is. Raises ValueError."""
    error = _error(payload)
    if error is None:
        return None
    if error.message and error.type in _CALLERS_TYPES:
        return _too_long(error) or CallRejectedError(_shown(error.message))
    return _too_long(error) or EngineBrokeError("an error in the stream")


def _error(payload: bytes) -> _Error | None:
    envelope = _envelopes.decode(payload)
    if isinstance(envelope.error, str):
        return _Error(message=envelope.error)
    if envelope.error is None and envelope.object == "error":
        return _Error(message=envelope.message if isinstance(envelope.message, str) else None)
    return envelope.error


_HOLDS: Final = re.compile(
    r"(?:context|model)(?:'s)? (?:context )?(?:length|size|window)\D{0,40}(\d{1,9})", re.IGNORECASE
)
"""vLLM: "maximum context length is 4096 tokens"; SGLang: "the model's context length (4096 tokens)"."""

_PROMPT: Final = re.compile(
    r"(\d{1,9}) in the (?:messages|prompt)|(\d{1,9}) (?:input|prompt) tokens|input \((\d{1,9}) tokens|"
    r"(?:requested|contains(?: at least)?) (\d{1,9}) tokens",
    re.IGNORECASE,
)


def _too_long(error: _Error) -> EngineError | None:
    if error.type == "exceed_context_size_error" and error.n_prompt_tokens:
        return ContextExceededError(error.n_prompt_tokens, error.n_ctx)
    message = (error.message or "")[:_READ_LETTERS]
    holds, prompt = _HOLDS.search(message), _PROMPT.findall(message)
    if not holds or not prompt:
        return None
    context_tokens = int(holds[1])
    # What the messages alone come to is said more exactly than what was asked for in all, where both are.
    exact = [int(count) for found in prompt for count in found[:3] if count]
    prompt_tokens = exact[0] if exact else max(int(found[3]) for found in prompt)
    if prompt_tokens >= context_tokens:
        return ContextExceededError(prompt_tokens, context_tokens)
    return AnswerTooLongError(_shown(message), "max_tokens")


def _shown(message: str) -> str:
    """An engine's words, short and on one line."""
    words = " ".join(message[:_READ_LETTERS].split())
    return words if len(words) <= _SHOWN_LETTERS else f"{words[:_SHOWN_LETTERS]}..."
