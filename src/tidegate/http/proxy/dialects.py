"""How an error is told in the middle of a stream, by the API that was asked: their clients read no other form.

OpenAI's: an event with an `error` object. Anthropic's: an event named `error`
(docs.anthropic.com, "Streaming Messages"). Ollama's: a line with an `error` text
(its docs/api.md, "Errors").
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from tidegate.http.refusals import Refusal
from tidegate.http.streams import error_event

_ANTHROPICS_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


class Dialect(Enum):
    """Whose API was asked."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OLLAMA = "ollama"


def dialect_of(path: str) -> Dialect:
    """Whose API an address is part of."""
    if path.startswith("/api/"):
        return Dialect.OLLAMA
    return Dialect.ANTHROPIC if path.endswith("/messages") else Dialect.OPENAI


def error_piece(dialect: Dialect, refusal: Refusal) -> bytes:
    """An error in the middle of a stream."""
    match dialect:
        case Dialect.OPENAI:
            return error_event(refusal)
        case Dialect.ANTHROPIC:
            error = {"type": _ANTHROPICS_TYPES.get(refusal.status, "api_error"), "message": refusal.message}
            return b"event: error\ndata: " + msgspec.json.encode({"type": "error", "error": error}) + b"\n\n"
        case Dialect.OLLAMA:
            return msgspec.json.encode({"error": refusal.message}) + b"\n"
