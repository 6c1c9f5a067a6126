"""Which server an engine is, by what it lists."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.engines.kinds import Kind, Listed, listed, props


def _listed(**model: Any) -> Listed:
    (one,) = listed(json.dumps({"object": "list", "data": [model]}).encode())
    return one


@pytest.mark.parametrize(
    ("model", "kind", "context_tokens"),
    [
        ({"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960, "root": "x"}, Kind.VLLM, 40960),
        ({"id": "default", "owned_by": "sglang", "max_model_len": 32768}, Kind.SGLANG, 32768),
        ({"id": "m.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 1024, "n_ctx_train": 8192}}, Kind.LLAMA_CPP, 1024),
        ({"id": "m.gguf", "owned_by": "llamacpp", "meta": None}, Kind.LLAMA_CPP, 0),
        ({"id": "llama3:latest", "owned_by": "library", "created": 1}, Kind.OLLAMA, 0),
        ({"id": "gpt-9", "owned_by": "system"}, Kind.OPENAI, 0),
        ({"id": "x"}, Kind.OPENAI, 0),
        ({"id": "x", "owned_by": "vllm", "max_model_len": -5}, Kind.VLLM, 0),
    ],
)
def test_an_engine_is_known_by_what_it_lists(model: dict[str, Any], kind: Kind, context_tokens: int) -> None:
    one = _listed(**model)
    assert (one.id, one.kind, one.context_tokens) == (model["id"], kind, context_tokens)


def test_a_model_may_have_more_names() -> None:
    assert _listed(id="a", aliases=["b", "c"]).names == {"a", "b", "c"}


@given(st.one_of(st.binary(), st.sampled_from([b"[]", b'{"data":[{"id":5}]}', b'{"data":{}}', b'{"data":[{}]}'])))
def test_what_is_no_list_is_a_value_error(payload: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        listed(payload + b"\xff")


def test_llama_cpp_tells_its_slots() -> None:
    assert props(b'{"total_slots": 4, "chat_template": "x"}').total_slots == 4
    assert props(b"{}").total_slots == 0
