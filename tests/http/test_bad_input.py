"""Whatever a caller sends, the answer is a status below 500 and an error object that names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.http.conftest import CHAT, CHAT_PATH, TEXT, TEXT_PATH, Service

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}

BAD_CHAT: list[tuple[dict[str, Any], str, str]] = [
    # What is wrong with an otherwise good call, the reason, the field that is named.
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": "Hello"}, "invalid_value", "messages"),
    ({"messages": ["Hello"]}, "invalid_value", "messages[0]"),
    ({"messages": [USER, {"content": "Hello"}]}, "missing_field", "messages[1].role"),
    ({"messages": [{"role": "robot", "content": "Hello"}]}, "invalid_value", "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "user", "content": None}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "assistant", "content": None}]}, "missing_field", "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "invalid_value", "messages[0].content"),
    ({"messages": [{"role": "user", "content": {"text": "a"}}]}, "invalid_value", "messages[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "invalid_value",
        "messages[0].content[0].type",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text"}]}]},
        "missing_field",
        "messages[0].content[1].text",
    ),
    ({"messages": [USER] * 4097}, "invalid_value", "messages"),
    ({"model": None}, "invalid_value", "model"),
    ({"model": 5}, "invalid_value", "model"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
    ({"model": ""}, "model_not_found", "model"),
    ({"model": "tide\ud83d-1"}, "invalid_json", ""),
    ({"n": 2}, "unsupported_value", "n"),
    ({"n": 0}, "unsupported_value", "n"),
    ({"max_tokens": -1}, "invalid_value", "max_tokens"),
    ({"max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"max_tokens": 1.5}, "invalid_value", "max_tokens"),
    ({"max_tokens": "8"}, "invalid_value", "max_tokens"),
    ({"max_tokens": True}, "invalid_value", "max_tokens"),
    ({"max_tokens": 10**30}, "invalid_value", "max_tokens"),
    ({"max_completion_tokens": -1}, "invalid_value", "max_completion_tokens"),
    ({"temperature": 2.1}, "invalid_value", "temperature"),
    ({"temperature": -0.1}, "invalid_value", "temperature"),
    ({"temperature": "hot"}, "invalid_value", "temperature"),
    ({"top_p": 1.01}, "invalid_value", "top_p"),
    ({"top_k": -1}, "invalid_value", "top_k"),
    ({"min_p": 2}, "invalid_value", "min_p"),
    ({"frequency_penalty": 3}, "invalid_value", "frequency_penalty"),
    ({"presence_penalty": -3}, "invalid_value", "presence_penalty"),
    ({"stop": ["a"] * 17}, "invalid_value", "stop"),
    ({"stop": ["a", ""]}, "invalid_value", "stop[1]"),
    ({"stop": "x" * 1025}, "invalid_value", "stop"),
    ({"stop": ["x" * 1025]}, "invalid_value", "stop[0]"),
    ({"stop": 5}, "invalid_value", "stop"),
    ({"stream": "yes"}, "invalid_value", "stream"),
    ({"stream_options": True}, "invalid_value", "stream_options"),
    ({"logit_bias": {"tide": 1}}, "invalid_value", "logit_bias"),
    ({"logit_bias": {"١": 1}}, "invalid_value", "logit_bias"),
    ({"logit_bias": {"-1": 1}}, "invalid_value", "logit_bias"),
    ({"logit_bias": {"5": 101}}, "invalid_value", "logit_bias[...]"),
    ({"logit_bias": {"9" * 10: 1}}, "invalid_value", "logit_bias"),
    ({"top_logprobs": 3}, "invalid_value", "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "invalid_value", "top_logprobs"),
    ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"pattern": "^(a?){400}$"}}}},
        "unsupported_value",
        "response_format.json_schema.schema",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"enum": ["x"] * 300}}}]},
        "unsupported_value",
        "tools[0].function.parameters",
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"anyOf": [{}] * 64}}}] * 40},
        "unsupported_value",
        "tools[31].function.parameters",
    ),
    ({"chat_template_kwargs": {"messages": []}}, "unsupported_value", "chat_template_kwargs.messages"),
    ({"response_format": {"type": "json_schema"}}, "missing_field", "response_format.json_schema"),
    ({"tools": [{"type": "retrieval"}]}, "invalid_value", "tools[0].type"),
    ({"tools": [{"type": "function"}]}, "missing_field", "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, "missing_field", "tools[0].function.name"),
    ({"tools": [TOOL] * 129}, "invalid_value", "tools"),
    ({"tools": [TOOL], "tool_choice": "perhaps"}, "invalid_value", "tool_choice"),
    ({"reasoning_effort": "extreme"}, "invalid_value", "reasoning_effort"),
    ({"thinking": {"type": "sometimes"}}, "invalid_value", "thinking.type"),
    ({"chat_template_kwargs": []}, "invalid_value", "chat_template_kwargs"),
    ({"seed": 0.5}, "invalid_value", "seed"),
]

BAD_TEXT: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": None}, "invalid_value", "prompt"),
    ({"prompt": []}, "invalid_value", "prompt"),
    ({"prompt": [1, "a"]}, "invalid_value", "prompt[1]"),
    ({"prompt": [1, [2]]}, "invalid_value", "prompt[1]"),
    ({"prompt": ["a", "b"]}, "unsupported_value", "prompt"),
    ({"prompt": [[1], [2]]}, "unsupported_value", "prompt"),
    ({"prompt": [-1]}, "invalid_value", "prompt[0]"),
    ({"prompt": [1 << 31]}, "invalid_value", "prompt[0]"),
    ({"prompt": [True]}, "invalid_value", "prompt[0]"),
    ({"prompt": {"a": 1}}, "invalid_value", "prompt"),
    ({"suffix": "the end"}, "unsupported_value", "suffix"),
    ({"best_of": 2}, "unsupported_value", "best_of"),
    ({"logprobs": 6}, "invalid_value", "logprobs"),
    ({"logprobs": True}, "invalid_value", "logprobs"),
    ({"echo": "yes"}, "invalid_value", "echo"),
    ({"model": "gpt-9"}, "model_not_found", "model"),
]


def _assert_refused(visit: Any, reason: str, param: str | None) -> None:
    assert visit.error["code"] == reason, visit.error
    assert visit.error["param"] == param, visit.error
    assert visit.status == (404 if reason == "model_not_found" else 400)
    assert visit.error["type"] == "invalid_request_error"
    assert "Traceback" not in visit.body.decode()
    if param and param.isidentifier():
        assert param in visit.error["message"]


@pytest.mark.parametrize(("fields", "reason", "param"), BAD_CHAT, ids=lambda value: str(value)[:60])
async def test_a_chat_that_cannot_be_served_names_its_field(
    service: Service, fields: dict[str, Any], reason: str, param: str
) -> None:
    _assert_refused(await service.chat(**fields), reason, param or None)
    assert service.engine.calls == []


@pytest.mark.parametrize(("fields", "reason", "param"), BAD_TEXT, ids=lambda value: str(value)[:60])
async def test_a_completion_that_cannot_be_served_names_its_field(
    service: Service, fields: dict[str, Any], reason: str, param: str
) -> None:
    _assert_refused(await service.text(**fields), reason, param)
    assert service.engine.calls == []


@pytest.mark.parametrize(("path", "field"), [(CHAT_PATH, "model"), (CHAT_PATH, "messages"), (TEXT_PATH, "prompt")])
async def test_a_field_that_must_be_there_is_named(service: Service, path: str, field: str) -> None:
    body = dict(CHAT if path == CHAT_PATH else TEXT)
    del body[field]

    _assert_refused(await service.ask("POST", path, body), "missing_field", field)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"Hello", b"{'model': 1}", b'{"model": NaN}', b'{"temperature": Infinity}', b"\xef\xbb\xbf{}", b"\xff"]
    + [b'{"model": "\xff"}', b'{"model": "\xed\xa0\xbd"}', b'{"model": "\\ud83d"}', b'{"a": 01}']
    + [json.dumps({**CHAT, **TEXT}).encode() + rest for rest in (b"{}", b"\0", b" x")]
    + [b'{"model":"tide-1","messages":[{"role":"user","content":"half \\ud83d of it"}]}'],
)
@pytest.mark.parametrize("path", [CHAT_PATH, TEXT_PATH])
async def test_what_is_not_json_is_said_to_be_none(service: Service, path: str, body: bytes) -> None:
    _assert_refused(await service.ask("POST", path, body), "invalid_json", None)


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true", b"1e400", b"1" + b"0" * 5000])
async def test_what_is_no_object_is_refused(service: Service, body: bytes) -> None:
    visit = await service.ask("POST", CHAT_PATH, body)

    assert (visit.status, visit.error["code"]) == (400, "invalid_value")
