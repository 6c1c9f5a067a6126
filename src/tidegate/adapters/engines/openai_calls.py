"""What OpenAI-compatible servers are asked, in the words that each of them takes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tidegate.adapters.engines.kinds import Kind
from tidegate.core.generation.call import Call, ChatCall, TextCall, Turn
from tidegate.ports.engine import CallRejectedError

CHAT_PATH: Final = "/v1/chat/completions"
TEXT_PATH: Final = "/v1/completions"

_SALTED: Final = frozenset({Kind.VLLM, Kind.SGLANG})
_THINKING: Final = {
    Kind.LLAMA_CPP: "reasoning_content",
    Kind.SGLANG: "reasoning_content",
    Kind.VLLM: "reasoning",
    Kind.OLLAMA: "reasoning",
}
"""Under which name earlier turns' thinking is given back."""

_ADDED: Final = frozenset({"top_k", "min_p", "chat_template_kwargs"})
"""Fields that OpenAI's own API refuses."""


def encode(call: Call, kind: Kind, model: str, salt: str = "") -> tuple[str, bytes]:
    """Write a call as path and body. Raises CallRejectedError.

    `salt` keeps what one caller's prompts have left in the engine's cache apart
    from all others', in engines that can do so.
    """
    try:
        return _encode(call, kind, model, salt)
    except RecursionError:
        # What could just be decoded may be too deep once it lies inside our envelope.
        msg = "The request is nested too deeply."
        raise CallRejectedError(msg) from None


def _encode(call: Call, kind: Kind, model: str, salt: str) -> tuple[str, bytes]:
    body: dict[str, Any] = {"model": model, "stream": True, "stream_options": {"include_usage": True}}
    if kind is Kind.LLAMA_CPP:
        # Its slots are not ours to give, so none is known to be the caller's own: every prompt is read anew.
        body.update(return_progress=True, cache_prompt=False)
    if kind in _SALTED and salt:
        body["cache_salt"] = salt
    body.update(msgspec.to_builtins(call.sampling))
    if isinstance(call, ChatCall):
        body["messages"] = [_turn(turn, kind) for turn in call.messages]
        optional = {
            "response_format": call.response_format,
            "tools": call.tools,
            "tool_choice": call.tool_choice,
            "parallel_tool_calls": call.parallel_tool_calls,
            "chat_template_kwargs": call.template_arguments,
        }
        body.update({name: value for name, value in optional.items() if value is not None})
    else:
        _write_text(body, call, kind)
    if kind is Kind.OPENAI:
        body = {name: value for name, value in body.items() if name not in _ADDED}
    return (CHAT_PATH if isinstance(call, ChatCall) else TEXT_PATH), msgspec.json.encode(body)


def _write_text(body: dict[str, Any], call: TextCall, kind: Kind) -> None:
    body["prompt"] = call.prompt
    if kind is not Kind.LLAMA_CPP and body.pop("logprobs", False):
        body["logprobs"] = body.pop("top_logprobs", 0)  # Here it is a number, as it was before there were chats.


def _turn(turn: Turn, kind: Kind) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(turn)
    thinking = written.pop("reasoning_content", None)
    name = _THINKING.get(kind)
    if thinking is not None and name is not None:
        written[name] = thinking
    return written
