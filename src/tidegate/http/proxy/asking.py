"""What of a request's body the gate must know, and the body as it goes on.

Only a few fields are looked at, and none of them is judged but those that ask for
several answers at once: what the server behind does not take, it says itself. A
body is passed on byte for byte; where a stream is asked for, the request for its
figures is added in front, or to what else is wished of the stream.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from tidegate.core.reasons import Reason
from tidegate.http.refusals import Refusal

_IMAGE: Final = re.compile(rb'"(?:url|image_url|data)"\s*:\s*"(?:data:[^"\\]{0,100};base64,)?[A-Za-z0-9+/=]{4096,}"')
_IMAGES: Final = re.compile(rb'"images"\s*:\s*\[\s*"[A-Za-z0-9+/=]{4096,}"')
_IMAGE_BYTES: Final = 4096
"""What a picture counts for, whatever its size in bytes: about a thousand tokens."""

_A_FEW_WORDS_BYTES: Final = 4096
_LONGEST_NUMBER: Final = 24
_MOST_TOKENS: Final = 10**9
_LIKELY_TOKENS: Final = 4096
"""Expected of an answer at most where the caller names no end; the scheduler expects what is usual for them."""

_REWRITTEN_BYTES: Final = 1 << 16
"""A larger body whose own wishes for the stream would have to be changed goes on as it is."""

_WITHOUT_WORDS: Final = ("/embeddings", "/embed", "/rerank", "/moderations", "/count_tokens", "/api/show")
"""What only reads."""

_STREAMS_WITH_OPTIONS: Final = ("/chat/completions", "/completions")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `prompt_bytes` counts pictures as what they cost; `output_tokens` is the most that may come.

    `is_told`: its answer is a stream that may tell of a wait before it begins.
    """

    body: bytes
    model: str
    is_stream: bool
    is_told: bool
    hides_usage: bool
    prompt_bytes: int
    output_tokens: int
    max_tokens: int | None


_ABSENT: Final = Raw()


class _Fields(msgspec.Struct):
    model: Raw = _ABSENT
    stream: Raw = _ABSENT
    stream_options: Raw = _ABSENT
    max_tokens: Raw = _ABSENT
    max_completion_tokens: Raw = _ABSENT
    max_output_tokens: Raw = _ABSENT
    n: Raw = _ABSENT
    best_of: Raw = _ABSENT
    options: Raw = _ABSENT
    n_predict: Raw = _ABSENT
    prompt: Raw = _ABSENT


_fields = msgspec.json.Decoder(_Fields)
_all_fields = msgspec.json.Decoder(dict[str, Raw])
_several = msgspec.json.Decoder(list[Raw])


def read(path: str, body: bytes, content_type: str) -> Asked:
    """Look at a body. Raises a Refusal for one that is no JSON object where it says that it is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        # A form with a sound or a picture: there is no prompt to be read in it.
        return _unread(body, min(len(body), _IMAGE_BYTES))
    try:
        # Whatever it says it is: there are servers that read JSON in anything.
        fields = _fields.decode(body)
    except (ValueError, RecursionError) as error:
        if kind not in {"application/json", ""}:
            return _unread(body, _IMAGE_BYTES if kind.startswith(("audio/", "image/")) else len(body))
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal(Reason.INVALID_JSON, f"The body is not a JSON object: {what}.", param="body") from None
    _refuse_several(fields, path)
    is_ollamas = path.startswith("/api/")
    is_stream = _value(fields.stream) is True or (is_ollamas and fields.stream is _ABSENT)
    hides_usage = is_stream and path.endswith(_STREAMS_WITH_OPTIONS) and not _wants_usage(fields.stream_options)
    rewritten = _with_usage(body, fields.stream_options) if hides_usage else None
    asked_tokens = _asked_tokens(fields)
    return Asked(
        body=body if rewritten is None else rewritten,
        model=_text(fields.model),
        is_stream=is_stream,
        is_told=is_stream and not is_ollamas,
        hides_usage=rewritten is not None,
        prompt_bytes=_prompt_bytes(body),
        output_tokens=1 if path.endswith(_WITHOUT_WORDS) else asked_tokens or _LIKELY_TOKENS,
        max_tokens=asked_tokens,
    )


def _refuse_several(fields: _Fields, path: str) -> None:
    """Refuse what asks for several answers at once: each takes a place of the server's, and only one was given."""
    for name, raw in (("n", fields.n), ("best_of", fields.best_of)):
        if raw is not _ABSENT and bytes(raw) != b"null" and _number(raw) != 1:
            msg = f"{name}: only one answer at a time is passed on. Please ask as often as you want answers."
            raise Refusal(Reason.UNSUPPORTED_VALUE, msg, param=name)
    if path.endswith("/completions") and bytes(fields.prompt).startswith(b"["):
        prompts = _several.decode(fields.prompt)
        if len(prompts) > 1 and not bytes(prompts[0])[:1].isdigit():
            msg = "prompt: only one prompt at a time is passed on. Please ask once for each."
            raise Refusal(Reason.UNSUPPORTED_VALUE, msg, param="prompt")


def _unread(body: bytes, prompt_bytes: int) -> Asked:
    return Asked(
        body=body,
        model="",
        is_stream=False,
        is_told=False,
        hides_usage=False,
        prompt_bytes=prompt_bytes,
        output_tokens=_LIKELY_TOKENS,
        max_tokens=None,
    )


def _wants_usage(options: Raw) -> bool:
    wished = _value(options)
    is_too_long = len(bytes(options)) > _A_FEW_WORDS_BYTES
    return is_too_long or (isinstance(wished, dict) and wished.get("include_usage") is True)


def _limits_of(fields: _Fields) -> tuple[Raw, ...]:
    return fields.max_tokens, fields.max_completion_tokens, fields.max_output_tokens, fields.n_predict


def _asked_tokens(fields: _Fields) -> int | None:
    told = [number for one in _limits_of(fields) if one is not _ABSENT and (number := _number(one))]
    options = _value(fields.options)
    if isinstance(options, dict):
        number = options.get("num_predict")
        if type(number) is int and number > 0:
            told.append(number)
    return max(told, default=None)


def _with_usage(body: bytes, options: Raw) -> bytes | None:
    """The body with the wish for the stream's figures added; None where that would cost too much."""
    if not bytes(options):
        at = body.index(b"{") + 1
        return b'%b"stream_options":{"include_usage":true},%b' % (body[:at], body[at:])
    if len(body) > _REWRITTEN_BYTES:
        return None
    wished = _value(options)
    wished = {**wished, "include_usage": True} if isinstance(wished, dict) else {"include_usage": True}
    return msgspec.json.encode({**_all_fields.decode(body), "stream_options": wished})


def _prompt_bytes(body: bytes) -> int:
    """How long a prompt is, pictures counted as what they cost: only where they stand by name, for a text is one."""
    if len(body) <= _IMAGE_BYTES:
        return len(body)
    pictures = [len(found[0]) for kind in (_IMAGE, _IMAGES) for found in kind.finditer(body)]
    return len(body) - sum(pictures) + _IMAGE_BYTES * len(pictures)


def _value(raw: Raw) -> Any:
    if raw is _ABSENT:
        return None
    # What is longer is none of the few words that are meant here, and decoding it would hold everybody up.
    return msgspec.json.decode(raw) if 0 < len(bytes(raw)) <= _A_FEW_WORDS_BYTES else None


def _number(raw: Raw) -> int | None:
    # As servers read it, some of whom take "64" and 64.0 for it; of a thousand digits it is nothing anybody means.
    text = bytes(raw).strip(b'"')
    if len(text) > _LONGEST_NUMBER:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if 0 < number < _MOST_TOKENS else None


def _text(raw: Raw) -> str:
    text = _value(raw) if len(bytes(raw)) <= 1024 else None  # noqa: PLR2004 - no model has a longer name
    return text if isinstance(text, str) else ""
