"""What callers get wrong is told to them with a 4xx that names the field, whatever the engine thinks of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from tests.integration.running import MODEL, Instance

pytestmark = pytest.mark.integration

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
HI: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
LONG = "word " * 6000


def _schema(schema: object) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"model": "gpt-4"}, "model_not_found", "model"),
        ({"model": 5}, "invalid_value", "model"),
        ({"model": None}, "invalid_value", "model"),
        ({"messages": []}, "invalid_value", "messages"),
        ({"messages": "Hi"}, "invalid_value", "messages"),
        ({"messages": [{"role": "user"}]}, "missing_field", "messages[0].content"),
        ({"messages": [{"role": "king", "content": "Hi"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_value", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
            "invalid_value",
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "user", "content": LONG}]}, "context_length_exceeded", "messages"),
        ({"messages": [{"role": "user", "content": LONG}], "stream": True}, "context_length_exceeded", "messages"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"max_tokens": "ten"}, "invalid_value", "max_tokens"),
        ({"max_completion_tokens": 1.5}, "invalid_value", "max_completion_tokens"),
        ({"temperature": 3}, "invalid_value", "temperature"),
        ({"top_p": -0.1}, "invalid_value", "top_p"),
        ({"n": 2}, "unsupported_value", "n"),
        ({"stream": "yes"}, "invalid_value", "stream"),
        ({"stop": ["x"] * 17}, "invalid_value", "stop"),
        ({"logit_bias": {"word": 1}}, "invalid_value", "logit_bias"),
        ({"top_logprobs": 3}, "invalid_value", "top_logprobs"),
        ({"tools": [{"type": "function"}]}, "missing_field", "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_value", "tools"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": "none"}}]},
            "invalid_value",
            "tools[0].function.parameters",
        ),
        ({"tools": [{"type": "browser"}]}, "invalid_value", "tools[0].type"),
        ({"tool_choice": "perhaps"}, "invalid_value", "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "invalid_value", "response_format.type"),
        (_schema(5), "invalid_value", "response_format.json_schema.schema"),
        (_schema({"type": "nonsense"}), "unsupported_value", "response_format"),
        (_schema({"$ref": "http://127.0.0.1:1/schema.json"}), "unsupported_value", "response_format"),
        ({"chat_template_kwargs": {"enable_thinking": "perhaps"}}, "unsupported_value", "chat_template_kwargs"),
    ],
)
def test_a_wrong_chat_request_is_refused_by_the_name_of_its_field(
    service: Instance, change: dict[str, Any], code: str, param: str
) -> None:
    answer = service.ask(CHAT, {**HI, **change})
    assert (answer.error["code"], answer.error["param"]) == (code, param), answer.body
    assert answer.status == (404 if code == "model_not_found" else 400)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"prompt": LONG}, "context_length_exceeded"),
        ({"prompt": [2**31 - 1]}, "unsupported_value"),
        ({"prompt": [49152]}, "unsupported_value"),
        ({"prompt": []}, "invalid_value"),
        ({"prompt": ["one", "two"]}, "unsupported_value"),
        ({"prompt": None}, "invalid_value"),
    ],
)
def test_a_wrong_prompt_is_refused(service: Instance, change: dict[str, Any], code: str) -> None:
    answer = service.ask(TEXT, {"model": MODEL, "max_tokens": 1, **change})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, code, "prompt"), answer.body


@pytest.mark.parametrize("prompt", [[1, -1], [1, "two"], ["one", 2]])
def test_a_token_that_cannot_be_is_refused_by_its_place(service: Instance, prompt: list[Any]) -> None:
    answer = service.ask(TEXT, {"model": MODEL, "max_tokens": 1, "prompt": prompt})
    assert (answer.status, answer.error["param"]) == (400, "prompt[1]")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"model": }', b'{"a":[' * 30_000, b'{"a":' * 5000 + b"1" + b"}" * 5000]
)
def test_what_is_no_json_or_too_deep_is_refused(service: Instance, body: bytes) -> None:
    for path in (CHAT, TEXT):
        answer = service.ask(path, body)
        assert (answer.status, answer.error["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"5"])
def test_json_that_is_no_object_is_refused(service: Instance, body: bytes) -> None:
    answer = service.ask(CHAT, body)
    assert (answer.status, answer.error["code"]) == (400, "invalid_value")


@pytest.mark.parametrize("depth", [100, 900])
def test_json_that_can_just_be_read_is_answered_or_refused_but_never_breaks_anything(
    service: Instance, depth: int
) -> None:
    deep = b'{"a":' * depth + b"{}" + b"}" * depth
    head = json.dumps(HI).encode()[:-1]
    assert service.ask(CHAT, head + b', "chat_template_kwargs": ' + deep + b"}").status in {200, 400}
    tool = b', "tools": [{"type": "function", "function": {"name": "f", "parameters": ' + deep + b"}}]}"
    assert service.ask(CHAT, head + tool).status in {200, 400}


def test_unknown_fields_and_fields_without_effect_are_taken(service: Instance) -> None:
    more = {"user": "ada", "store": False, "metadata": {"a": "b"}, "service_tier": "auto", "newest_field": [1]}
    assert service.ask(CHAT, {**HI, **more}).status == 200


def test_a_conversation_with_tool_calls_in_it_goes_on(service: Instance) -> None:
    """Clients send back what the model called, also what it called badly."""
    for arguments in ('{"city": "Oslo"}', "", "{not json"):
        called = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
        messages = [
            {"role": "user", "content": "How is the weather in Oslo?"},
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
        ]
        answer = service.ask(CHAT, {**HI, "messages": messages})
        assert answer.status == 200, answer.body


def test_a_body_that_is_too_large_gets_its_413_read_and_the_client_goes_on(service: Instance) -> None:
    body = json.dumps({**HI, "messages": [{"role": "user", "content": "x" * 10_000_000}]}).encode()
    parts = urlsplit(service.public)
    assert parts.hostname
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    headers = {"authorization": f"Bearer {service.key}", "content-type": "application/json"}

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    # This client writes to the end before it reads: cut off in the middle, it would never learn why.
    for sent in (body, pieces()):
        connection.request("POST", CHAT, sent, headers)
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read())["error"]["code"] == "body_too_large"
    connection.request("POST", CHAT, json.dumps(HI).encode(), headers)
    assert connection.getresponse().read()
    connection.close()
    with openai.OpenAI(base_url=f"{service.public}/v1", api_key=service.key, max_retries=0) as client:
        for _ in range(2):
            with pytest.raises(openai.APIStatusError) as caught:
                client.completions.create(model=MODEL, prompt="x" * 10_000_000)
            assert (caught.value.status_code, caught.value.code) == (413, "body_too_large")
            assert client.models.retrieve(MODEL).id == MODEL


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "route_not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/models/" + "x" * 5000, 404, "model_not_found"),
        ("GET", "/v1/models/%2e%2e%2f%00", 404, "model_not_found"),
    ],
)
def test_a_wrong_address_or_method_is_an_error_object_too(
    service: Instance, method: str, path: str, status: int, code: str
) -> None:
    answer = service.ask(path, method=method)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_nothing_that_was_refused_has_cost_the_engine_its_life(service: Instance) -> None:
    before = service.vitals()["engine"]["restarts"]
    for change in (_schema({"type": "nonsense"}), {"messages": [{"role": "user", "content": LONG}]}):
        assert service.ask(CHAT, {**HI, **change}).status == 400
    assert service.vitals()["engine"] == {**service.vitals()["engine"], "state": "ready", "restarts": before}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a?){400}$"},
        {"enum": [f"word-{number}" for number in range(1_500)]},
        {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(500)}},
    ],
    ids=["pattern", "choices", "properties"],
)
def test_a_schema_that_would_hold_up_everybody_is_refused_and_the_engine_goes_on(
    service: Instance, schema: dict[str, Any]
) -> None:
    answer = service.ask(CHAT, {**HI, **_schema(schema)})

    assert answer.status == 400
    assert answer.json["error"]["param"] == "response_format.json_schema.schema"
    assert service.ask(CHAT, HI).status == 200
