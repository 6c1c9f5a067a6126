"""Any input at all is answered decently, and what clients really send is served."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.http.conftest import CHAT, CHAT_PATH, TEXT, TEXT_PATH, Service
from tidegate.http.openai.requests import ChatRequest, TextRequest

USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object"}}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
GOOD: list[dict[str, Any]] = [
    CHAT,
    {
        "model": "tide-1",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "t"}}]},
            {"role": "tool", "content": "5 m", "tool_call_id": "1"},
            USER,
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "stop": ["\n"],
        "logit_bias": {"5": 1.5},
        "logprobs": True,
        "top_logprobs": 2,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "tide"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
        "thinking": {"type": "enabled"},
        "reasoning": {"effort": "low"},
        "chat_template_kwargs": {"a": 1},
        "max_tokens": 5,
        "seed": 7,
    },
    TEXT,
    {"model": "deepseek-chat", "prompt": [1, 2, 3], "echo": True, "logprobs": 2, "stop": "x", "n": 1, "suffix": None},
]
several = settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)


def _assert_decent(visit: Any) -> None:
    assert visit.is_complete
    assert 200 <= visit.status < 500, visit.body
    assert visit.headers["x-request-id"].startswith("req_")
    if visit.status != 200:
        error = visit.error
        assert "Traceback" not in error["message"]
        assert error["code"] in {
            "invalid_json",
            "invalid_value",
            "missing_field",
            "unsupported_value",
            "model_not_found",
        }
        if error["code"] == "missing_field":
            assert error["param"]


@several
@given(path=st.sampled_from([CHAT_PATH, TEXT_PATH]), body=json_values)
@example(path=CHAT_PATH, body={})
async def test_any_json_is_answered_decently(service: Service, path: str, body: Any) -> None:
    _assert_decent(await service.ask("POST", path, json.dumps(body).encode()))


@several
@given(path=st.sampled_from([CHAT_PATH, TEXT_PATH]), body=st.binary(max_size=40))
async def test_any_bytes_are_answered_decently(service: Service, path: str, body: bytes) -> None:
    _assert_decent(await service.ask("POST", path, body))


@several
@given(
    path=st.sampled_from([CHAT_PATH, TEXT_PATH]),
    fields=st.dictionaries(
        st.sampled_from(sorted({*ChatRequest.__struct_fields__, *TextRequest.__struct_fields__} - {"model"})),
        json_values,
        max_size=3,
    ),
)
async def test_any_value_in_any_field_is_answered_decently(service: Service, path: str, fields: dict[str, Any]) -> None:
    body = {**(CHAT if path == CHAT_PATH else TEXT), **fields}

    _assert_decent(await service.ask("POST", path, body))


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


@several
@given(data=st.data(), good=st.sampled_from(GOOD), value=json_values, drop=st.booleans())
async def test_a_good_call_with_one_thing_changed_is_answered_decently(
    service: Service, data: st.DataObject, good: dict[str, Any], value: Any, *, drop: bool
) -> None:
    changed: Any = json.loads(json.dumps(good))
    place = data.draw(st.sampled_from(_places(changed)[1:]))
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if drop:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value

    path = TEXT_PATH if "prompt" in good else CHAT_PATH
    _assert_decent(await service.ask("POST", path, changed))


# ---------------------------------------------------------------- what is taken


@pytest.mark.parametrize("good", GOOD, ids=["chat", "chat with all", "text", "tokens with all"])
async def test_good_calls_are_served(service: Service, good: dict[str, Any]) -> None:
    path = TEXT_PATH if "prompt" in good else CHAT_PATH

    assert (await service.ask("POST", path, good)).status == 200


async def test_null_means_absent_in_every_optional_field(service: Service) -> None:
    """Clients write every field that they know of."""
    for path, kind, good in ((CHAT_PATH, ChatRequest, CHAT), (TEXT_PATH, TextRequest, TEXT)):
        nulls = {name: None for name in kind.__struct_fields__ if name not in good}
        visit = await service.ask("POST", path, {**good, **nulls})
        assert visit.status == 200, visit.body
    assert service.engine.calls[0].sampling == (await _sampling_of(service, CHAT_PATH, CHAT))


async def _sampling_of(service: Service, path: str, body: dict[str, Any]) -> Any:
    await service.ask("POST", path, body)
    return service.engine.calls[-1].sampling


async def test_fields_that_nobody_knows_are_ignored(service: Service) -> None:
    extra = {"user": "u1", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "x": [1, {"y": None}]}

    assert (await service.chat(**extra)).status == 200
    assert (await service.text(**extra)).status == 200
