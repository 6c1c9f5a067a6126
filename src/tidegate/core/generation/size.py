"""How large a call's prompt is, before anybody has counted its tokens."""

from __future__ import annotations

from typing import Any, Final

from tidegate.core.generation.call import Call, ChatCall

_TOKEN_BYTES: Final = 4
"""For a prompt of token ids: what a token of common text has."""


def prompt_bytes(call: Call) -> int:
    """Bytes of everything in a call that the engine will read: its texts, tools and schema.

    Nothing is encoded for it: what is refused for its size must not cost its size twice.
    """
    if isinstance(call, ChatCall):
        texts = sum(
            text_bytes(turn.content or "") + text_bytes(turn.reasoning_content or "") + _json_bytes(turn.tool_calls)
            for turn in call.messages
        )
        return texts + _json_bytes(call.tools) + _json_bytes(call.response_format)
    if isinstance(call.prompt, str):
        return text_bytes(call.prompt)
    return len(call.prompt) * _TOKEN_BYTES


def text_bytes(text: str) -> int:
    """Bytes of a text in UTF-8."""
    # Python knows of each text whether it is ASCII: most are, and need no copy.
    return len(text) if text.isascii() else len(text.encode())


def _json_bytes(value: Any) -> int:
    """About the bytes of a JSON value: names, texts, and one for each thing else. As deep as it may be."""
    size, left = 0, [value] if value else []
    while left:
        # By type and not by pattern, which takes several times as long: there may be tens of thousands.
        one = left.pop()
        kind = type(one)
        if kind is str:
            size += len(one) if one.isascii() else len(one.encode())
        elif kind is dict:
            left += one
            left += one.values()
        elif kind is list:
            left += one
        else:
            size += 1
    return size
