"""How large a call's prompt is, before anybody has counted its tokens."""

from __future__ import annotations

from typing import Any, Final

from tidegate.core.generation.call import Call, ChatCall

_TOKEN_BYTES: Final = 4
"""For a prompt of token ids: what a token of common text has."""

_AROUND_TURN_TOKENS: Final = 32
"""Known templates write five to ten around a message."""

_AROUND_ALL_TOKENS: Final = 512
"""And up to two hundred before all of them, where there are tools to explain."""

_AROUND_JSON_BYTES: Final = 4
_ESCAPED_BYTES: Final = 6
_NUMBER_BYTES: Final = 32
"""Of a written JSON value: quotes or brackets with what parts it from the next, an escaped byte, a number."""


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


def most_tokens(call: Call) -> int:
    """No fewer tokens than a call's prompt can come to: no token is shorter than a byte of what is read.

    What a chat template writes around messages is counted far above what known templates write.
    """
    if not isinstance(call, ChatCall):
        return 1 + (text_bytes(call.prompt) if isinstance(call.prompt, str) else len(call.prompt))
    structures = [call.tools, call.response_format, *(turn.tool_calls for turn in call.messages)]
    written = sum(_written_bytes(value) for value in structures if value)
    texts = sum(text_bytes(turn.content or "") + text_bytes(turn.reasoning_content or "") for turn in call.messages)
    return texts + written + around_tokens(len(call.messages))


def around_tokens(turns: int) -> int:
    """No fewer tokens than a template writes around so many messages."""
    return _AROUND_ALL_TOKENS + turns * _AROUND_TURN_TOKENS


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


def _written_bytes(value: Any) -> int:
    """No fewer bytes than a JSON value has when it is written out, with its marks and escapes. As deep as it may be."""
    size, left = 0, [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            size += _AROUND_JSON_BYTES + _ESCAPED_BYTES * text_bytes(one)
        elif isinstance(one, dict):
            left += one
            left += one.values()
            size += _AROUND_JSON_BYTES
        elif isinstance(one, list):
            left += one
            size += _AROUND_JSON_BYTES
        else:
            size += _NUMBER_BYTES
    return size
