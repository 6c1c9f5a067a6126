"""The dialects of OpenAI-compatible servers: what each is asked, and what their chunks and errors mean."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.adapters.engines import openai_calls, openai_chunks, openai_errors
from tidegate.adapters.engines.kinds import Kind
from tidegate.adapters.engines.openai_errors import AnswerTooLongError
from tidegate.core.generation.call import (
    Call,
    ChatCall,
    Delta,
    Event,
    Finished,
    FinishReason,
    Progress,
    Sampling,
    TextCall,
    Turn,
    Usage,
)
from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineBrokeError, EngineError

CHAT = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling(max_tokens=5, top_k=3))


def _asked(call: Call, kind: Kind, salt: str = "") -> dict[str, Any]:
    _, body = openai_calls.encode(call, kind, "tide", salt)
    decoded: dict[str, Any] = json.loads(body)
    return decoded


def _heard(**chunk: Any) -> list[Event]:
    return list(openai_chunks.decode(json.dumps(chunk).encode()))


# ---------------------------------------------------------------- calls out


@pytest.mark.parametrize("kind", list(Kind))
def test_every_call_is_streamed_with_its_usage_and_names_the_model(kind: Kind) -> None:
    for call in (CHAT, TextCall(prompt="a", sampling=Sampling())):
        body = _asked(call, kind)
        assert (body["model"], body["stream"], body["stream_options"]) == ("tide", True, {"include_usage": True})
        assert "id_slot" not in body
    assert openai_calls.encode(CHAT, kind, "tide")[0] == "/v1/chat/completions"
    assert openai_calls.encode(TextCall(prompt=[1, 2], sampling=Sampling()), kind, "tide")[0] == "/v1/completions"


def test_each_kind_is_sent_what_it_takes_and_nothing_that_it_refuses() -> None:
    always = {"model", "stream", "stream_options", "messages", "max_tokens"}
    sent = {kind: set(_asked(CHAT, kind, "5a17")) - always for kind in Kind}
    assert sent == {
        Kind.LLAMA_CPP: {"top_k", "return_progress", "cache_prompt"},
        Kind.VLLM: {"top_k", "cache_salt"},
        Kind.SGLANG: {"top_k", "cache_salt"},
        Kind.OLLAMA: {"top_k"},
        Kind.OPENAI: set(),
    }
    assert _asked(CHAT, Kind.LLAMA_CPP)["cache_prompt"] is False, "no prompt is read faster for what others asked"
    assert _asked(CHAT, Kind.VLLM, "5a17")["cache_salt"] == "5a17"
    assert "cache_salt" not in _asked(CHAT, Kind.VLLM)


def test_everything_that_was_said_is_sent() -> None:
    call = ChatCall(
        messages=[Turn(role="assistant", tool_calls=[{"id": "c"}])],
        sampling=Sampling(temperature=0.5, stop=["a"], seed=3, logprobs=True, top_logprobs=2),
        response_format={"type": "json_object"},
        tools=[{"a": 1}],
        tool_choice="auto",
        parallel_tool_calls=False,
        template_arguments={"enable_thinking": False},
    )
    body = _asked(call, Kind.VLLM)
    assert body["messages"] == [{"role": "assistant", "tool_calls": [{"id": "c"}]}]
    assert (body["temperature"], body["stop"], body["seed"], body["top_logprobs"]) == (0.5, ["a"], 3, 2)
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([{"a": 1}], "auto", False)
    assert (body["response_format"], body["chat_template_kwargs"]) == (
        {"type": "json_object"},
        {"enable_thinking": False},
    )
    assert "chat_template_kwargs" not in _asked(call, Kind.OPENAI)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Kind.LLAMA_CPP, "reasoning_content"),
        (Kind.SGLANG, "reasoning_content"),
        (Kind.VLLM, "reasoning"),
        (Kind.OLLAMA, "reasoning"),
        (Kind.OPENAI, None),
    ],
)
def test_earlier_thinking_is_given_back_under_the_name_that_each_reads(kind: Kind, name: str | None) -> None:
    call = ChatCall(messages=[Turn(role="assistant", content="a", reasoning_content="hm")], sampling=Sampling())
    (turn,) = _asked(call, kind)["messages"]
    assert turn == {"role": "assistant", "content": "a"} | ({name: "hm"} if name else {})


def test_log_probabilities_of_a_text_are_asked_for_by_number_but_of_llama_cpp() -> None:
    call = TextCall(prompt="a", sampling=Sampling(logprobs=True, top_logprobs=2))
    assert _asked(call, Kind.VLLM)["logprobs"] == 2
    assert "top_logprobs" not in _asked(call, Kind.VLLM)
    assert _asked(TextCall(prompt="a", sampling=Sampling(logprobs=True)), Kind.VLLM)["logprobs"] == 0
    assert _asked(call, Kind.LLAMA_CPP)["logprobs"] is True


def test_what_is_too_deep_to_be_written_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"a": nested}
    with pytest.raises(CallRejectedError, match="nested too deeply"):
        openai_calls.encode(ChatCall(messages=[], sampling=Sampling(), tools=[nested]), Kind.VLLM, "tide")


# ---------------------------------------------------------------- chunks in


def test_pieces_of_an_answer_are_told_apart() -> None:
    assert _heard(choices=[{"delta": {"role": "assistant", "content": ""}}]) == []
    assert _heard(choices=[{"delta": {"content": "Hi"}}]) == [Delta(content="Hi")]
    assert _heard(choices=[{"text": "Hi"}]) == [Delta(content="Hi")]
    assert _heard(choices=[{"delta": {"reasoning_content": "Hm"}}]) == [Delta(reasoning="Hm")]
    assert _heard(choices=[{"delta": {"reasoning": "Hm", "reasoning_content": None}}]) == [Delta(reasoning="Hm")]
    assert _heard(choices=[{"text": "!", "finish_reason": "stop"}]) == [
        Delta(content="!"),
        Finished(FinishReason.STOP),
    ]
    assert _heard(choices=None) == _heard(choices=[]) == _heard() == []


def test_tool_calls_keep_their_shape_and_have_a_number() -> None:
    whole = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert _heard(choices=[{"delta": {"tool_calls": [whole]}}]) == [Delta(tool_calls=[whole])]
    assert _heard(choices=[{"delta": {"tool_calls": [{"function": {"arguments": "{"}}, {"id": "d"}]}}]) == [
        Delta(tool_calls=[{"function": {"arguments": "{"}, "index": 0}, {"id": "d", "index": 1}])
    ]


def test_log_probabilities_come_in_one_form_whichever_they_were_sent_in() -> None:
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1.0}]}
    (chat,) = _heard(choices=[{"delta": {"content": "a"}, "logprobs": {"content": [token]}}])
    assert isinstance(chat, Delta)
    assert chat.logprobs["content"][0]["token"] == "a"
    assert chat.logprobs["content"][0]["top_logprobs"][0]["logprob"] == -1.0
    older = {"tokens": ["a", "b"], "token_logprobs": [None, -2.0], "top_logprobs": [None, {"c": -3.0}]}
    (text,) = _heard(choices=[{"text": "ab", "logprobs": older}])
    assert isinstance(text, Delta)
    assert text.logprobs == {
        "content": [
            {"token": "a", "logprob": 0.0, "top_logprobs": []},
            {"token": "b", "logprob": -2.0, "top_logprobs": [{"token": "c", "logprob": -3.0}]},
        ]
    }
    assert _heard(choices=[{"delta": {}, "logprobs": {"content": []}}]) == []


def test_usage_is_the_sum_at_the_end_and_does_not_tell_what_the_engine_knew_already() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}
    assert _heard(choices=[], usage=usage) == [Usage(prompt_tokens=9, completion_tokens=4)]
    assert _heard(choices=[{"delta": {"content": "a"}}], usage=usage) == [Delta(content="a")]
    timings = {"prompt_per_second": 100.5, "predicted_per_second": -3}
    assert _heard(choices=[], usage=usage, timings=timings) == [
        Usage(prompt_tokens=9, completion_tokens=4, prefill_tok_s=100.5)
    ]


def test_progress_is_told() -> None:
    progress = {"total": 90, "cache": 0, "processed": 30, "time_ms": 3}
    assert _heard(choices=[{"delta": {"role": "assistant"}}], prompt_progress=progress) == [Progress(30, 90, 0)]


@pytest.mark.parametrize(
    ("said", "reason"), [("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("eos?", "stop")]
)
def test_an_end_is_one_that_callers_know(said: str, reason: str) -> None:
    assert _heard(choices=[{"delta": {}, "finish_reason": said}]) == [Finished(FinishReason(reason))]


@pytest.mark.parametrize("said", ["abort", "error"])
def test_what_the_engine_gave_up_is_no_answer(said: str) -> None:
    with pytest.raises(EngineBrokeError):
        _heard(choices=[{"delta": {}, "finish_reason": said}])


@pytest.mark.parametrize(
    "choice",
    [
        {"delta": {"content": 5}},
        {"delta": {"tool_calls": ["x"]}},
        {"delta": {"tool_calls": [{"index": -1}]}},
        {"delta": {"tool_calls": [{"function": {"arguments": {"a": 1}}}]}},
        {"delta": "text"},
        {"text": "a", "logprobs": {"content": [{"token": "a"}]}},
        {"text": "a", "logprobs": [1]},
        {"finish_reason": 3},
    ],
)
def test_a_chunk_of_the_wrong_shape_is_a_value_error(choice: dict[str, Any]) -> None:
    """Whatever is built on it later must not meet what it does not expect."""
    with pytest.raises(ValueError, match=r"Expected|missing"):
        _heard(choices=[choice])


@pytest.mark.parametrize("usage", [{"prompt_tokens": -1}, {"prompt_tokens": 1 << 60}, {"completion_tokens": "9"}, [1]])
def test_figures_that_cannot_be_are_a_value_error(usage: Any) -> None:
    with pytest.raises(ValueError, match="Expected"):
        _heard(choices=[], usage=usage)


@given(st.binary())
@example(b'"choices":[{"delta":{"content":"\xff"}}]}')
def test_what_is_no_chunk_is_a_value_error(payload: bytes) -> None:
    with contextlib.suppress(ValueError, EngineError):
        list(openai_chunks.decode(b"{" + payload))


# ---------------------------------------------------------------- errors

VLLM_LONG = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the messages, "
    "500 in the completion). Please reduce the length of the messages or completion."
)
VLLM_ANSWER = (
    "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens "
    "and your request has 12 input tokens (5000 > 4096 - 12)."
)
SGLANG_LONG = "The input (12345 tokens) is longer than the model's context length (8192 tokens)."
LLAMA_LONG = {"message": "long", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}


@pytest.mark.parametrize(
    ("error", "prompt_tokens", "context_tokens"),
    [
        ({"error": {"message": VLLM_LONG, "type": "BadRequestError", "code": 400}}, 4500, 4096),
        ({"object": "error", "message": SGLANG_LONG, "type": "BadRequestError", "code": 400}, 12345, 8192),
        ({"error": LLAMA_LONG}, 9000, 4096),
        ({"error": VLLM_LONG}, 4500, 4096),
    ],
)
def test_a_prompt_that_is_too_long_is_told_so_in_every_engines_words(
    error: dict[str, Any], prompt_tokens: int, context_tokens: int
) -> None:
    found = openai_errors.refusal(400, json.dumps(error).encode())
    assert isinstance(found, ContextExceededError)
    assert (found.prompt_tokens, found.context_tokens) == (prompt_tokens, context_tokens)
    with pytest.raises(ContextExceededError):
        list(openai_chunks.decode(json.dumps(error).encode()))


def test_an_answer_that_is_asked_for_too_long_is_another_thing() -> None:
    found = openai_errors.refusal(400, json.dumps({"error": {"message": VLLM_ANSWER}}).encode())
    assert isinstance(found, AnswerTooLongError)
    assert found.field == "max_tokens"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "no such tool", "type": "invalid_request_error"}}, CallRejectedError),
        (422, {"error": {"message": "no", "type": "x"}}, CallRejectedError),
        (400, {"error": "bad grammar"}, CallRejectedError),
        (400, {"object": "error", "message": "bad"}, CallRejectedError),
        (400, {"object": "error", "message": 5}, EngineBrokeError),
        (400, {"error": {"message": ""}}, EngineBrokeError),
        (400, {"detail": "nothing of ours"}, EngineBrokeError),
        (401, {"error": {"message": "wrong key sk-1"}}, EngineBrokeError),
        (404, {"error": {"message": "no such model"}}, EngineBrokeError),
        (500, {"error": {"message": "secret words"}}, EngineBrokeError),
        (200, [], EngineBrokeError),
    ],
)
def test_a_refusal_is_the_callers_fault_or_the_engines(status: int, body: Any, kind: type[EngineError]) -> None:
    found = openai_errors.refusal(status, json.dumps(body).encode())
    assert type(found) is kind
    assert "secret" not in str(found)
    assert "sk-1" not in str(found)


@given(st.integers(400, 599), st.binary())
@example(400, b"<html><h1>502 Bad Gateway</h1></html>")
@example(400, b'{"error":{"message":"\xff"}}')
def test_a_refusal_that_nobody_can_read_is_the_engines_fault(status: int, body: bytes) -> None:
    assert isinstance(openai_errors.refusal(status, body), EngineError)


def test_an_engines_words_are_shown_on_one_line_and_not_at_any_length() -> None:
    found = openai_errors.refusal(400, json.dumps({"error": {"message": "a\n\n b\t" + "c" * 9000}}).encode())
    assert isinstance(found, CallRejectedError)
    assert found.message.startswith("a b c")
    assert len(found.message) <= 503


def test_an_error_in_the_stream_is_raised() -> None:
    with pytest.raises(CallRejectedError, match="bad grammar"):
        _heard(error={"message": "bad grammar", "type": "BadRequestError"})
    with pytest.raises(EngineBrokeError) as broke:
        _heard(error={"message": "secret words", "type": "InternalServerError", "code": 500})
    assert "secret" not in str(broke.value)
