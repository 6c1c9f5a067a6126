"""llama.cpp's dialect: what it is asked, and what its chunks mean."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.adapters.engines import wire
from tidegate.core.admission.claims import ASIDE, Place
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
from tidegate.ports.engine import CallRejectedError, ContextExceededError, EngineError, EngineUnavailableError
from tidegate.testing.engine import FakeEngine

WARM, COLD = Place(2, is_warm=True), Place(0, is_warm=False)


def _asked(call: Call, place: Place = COLD) -> tuple[str, dict[str, Any]]:
    path, body = wire.encode(call, place)
    return path, json.loads(body)


def _heard(**chunk: Any) -> list[Event]:
    return list(wire.decode(json.dumps(chunk).encode()))


def test_every_call_is_streamed_with_usage_and_progress() -> None:
    for call in (ChatCall(messages=[], sampling=Sampling()), TextCall(prompt="a", sampling=Sampling())):
        _, body = _asked(call)
        assert body["stream"] is True
        assert body["stream_options"] == {"include_usage": True}
        assert body["return_progress"] is True
    assert json.loads(wire.probe()[1])["max_tokens"] == 1


def test_the_services_own_place_comes_before_the_callers() -> None:
    """Batches are filled in the order of slots: so no crowd of prompts keeps what it asks waiting."""
    call = TextCall(prompt="a", sampling=Sampling())
    slots = [json.loads(wire.encode(call, place, 1)[1])["id_slot"] for place in (ASIDE, COLD, WARM)]

    assert slots == [0, 1, 3]


def test_the_alternatives_to_the_tokens_of_a_text_are_asked_for_by_their_number() -> None:
    sampling = Sampling(logprobs=True, top_logprobs=4)
    _, text = _asked(TextCall(prompt="a", sampling=sampling))
    _, chat = _asked(ChatCall(messages=[], sampling=sampling))

    assert (text["logprobs"], text.get("top_logprobs")) == (4, None)
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 4)


def test_what_was_not_said_is_not_sent() -> None:
    call = ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling(max_tokens=5))

    path, body = _asked(call)

    always = {"stream", "stream_options", "return_progress", "id_slot", "cache_prompt"}
    assert path == "/v1/chat/completions"
    assert set(body) - always == {"messages", "max_tokens"}
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_everything_that_was_said_is_sent() -> None:
    sampling = Sampling(temperature=0.5, stop=["a"], logit_bias={"5": 1.0}, logprobs=True, top_logprobs=2, seed=3)
    call = ChatCall(
        messages=[Turn(role="assistant", tool_calls=[{"id": "c"}])],
        sampling=sampling,
        response_format={"type": "json_object"},
        tools=[{"a": 1}],
        tool_choice="auto",
        parallel_tool_calls=False,
        template_arguments={"enable_thinking": False},
    )

    _, body = _asked(call)

    assert body["messages"] == [{"role": "assistant", "tool_calls": [{"id": "c"}]}]
    assert (body["temperature"], body["stop"], body["seed"], body["top_logprobs"]) == (0.5, ["a"], 3, 2)
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([{"a": 1}], "auto", False)
    assert body["response_format"] == {"type": "json_object"}
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize("prompt", ["Once", [1, 2, 3]])
def test_a_text_is_continued_as_given(prompt: str | list[int]) -> None:
    path, body = _asked(TextCall(prompt=prompt, sampling=Sampling()))

    assert (path, body["prompt"]) == ("/v1/completions", prompt)


def test_what_is_too_deep_to_be_written_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"a": nested}

    with pytest.raises(CallRejectedError, match="nested too deeply"):
        wire.encode(ChatCall(messages=[], sampling=Sampling(), template_arguments=nested), COLD)


def test_only_a_warm_place_may_reuse_what_it_remembers() -> None:
    for call in (ChatCall(messages=[], sampling=Sampling()), TextCall(prompt="a", sampling=Sampling())):
        for place in (WARM, COLD):
            _, body = _asked(call, place)
            assert (body["id_slot"], body["cache_prompt"]) == (place.number, place.is_warm)
    assert json.loads(wire.probe()[1])["cache_prompt"] is False


# ---------------------------------------------------------------- what comes back


def test_pieces_of_an_answer_are_told_apart() -> None:
    assert _heard(choices=[{"delta": {"role": "assistant", "content": None}}]) == []
    assert _heard(choices=[{"delta": {"content": "Hi"}}]) == [Delta(content="Hi")]
    assert _heard(choices=[{"text": "Hi"}]) == [Delta(content="Hi")]
    assert _heard(choices=[{"delta": {"reasoning_content": "Hm"}}]) == [Delta(reasoning="Hm")]
    assert _heard(choices=[{"delta": {"tool_calls": [{"index": 0}]}}]) == [Delta(tool_calls=[{"index": 0}])]
    assert _heard(choices=[{"delta": {}, "logprobs": {"content": []}}]) == [Delta(logprobs={"content": []})]


@pytest.mark.parametrize(
    ("said", "reason"), [("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("eos?", "stop")]
)
def test_an_end_is_one_that_callers_know(said: str, reason: str) -> None:
    assert _heard(choices=[{"delta": {}, "finish_reason": said}]) == [Finished(FinishReason(reason))]


def test_a_last_piece_comes_before_its_end() -> None:
    choice = {"text": "!", "finish_reason": "stop"}

    assert _heard(choices=[choice]) == [Delta(content="!"), Finished(FinishReason.STOP)]


def test_usage_comes_with_the_engines_rates() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
    timings = {"prompt_per_second": 100.5, "predicted_per_second": None}

    assert _heard(choices=[], usage=usage, timings=timings) == [
        Usage(prompt_tokens=9, completion_tokens=4, cached_tokens=3, prefill_tok_s=100.5)
    ]
    assert _heard(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 1}) == [
        Usage(prompt_tokens=1, completion_tokens=1)
    ]


def test_progress_is_told_and_the_empty_delta_with_it_is_not() -> None:
    progress = {"total": 90, "cache": 10, "processed": 30}

    assert _heard(choices=[{"delta": {"role": "assistant"}}], prompt_progress=progress) == [Progress(30, 90, 10)]


def test_fields_that_are_new_do_no_harm() -> None:
    assert _heard(choices=[{"delta": {"content": "a", "new": 1}, "index": 0}], model="x", new=[]) == [
        Delta(content="a")
    ]


TOO_LONG = {"message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 4096}


def test_an_error_in_the_stream_is_raised() -> None:
    with pytest.raises(ContextExceededError) as too_long:
        _heard(error=TOO_LONG)
    assert (too_long.value.prompt_tokens, too_long.value.context_tokens) == (9000, 4096)
    with pytest.raises(CallRejectedError, match="bad grammar"):
        _heard(error={"message": "bad grammar", "type": "invalid_request_error"})
    with pytest.raises(EngineError, match="server_error"):
        _heard(error={"message": "secret words", "type": "server_error"})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (503, {"error": {"message": "Loading model", "type": "unavailable_error"}}, EngineUnavailableError),
        (400, {"error": TOO_LONG}, ContextExceededError),
        (400, {"error": {"message": "no", "type": "invalid_request_error"}}, CallRejectedError),
        (501, {"error": {"message": "no", "type": "not_supported_error"}}, CallRejectedError),
        (500, {"error": {"message": "no", "type": "server_error"}}, EngineError),
        (500, {}, EngineError),
        (404, [], EngineError),
    ],
)
def test_a_refusal_is_read_for_what_it_is(status: int, body: Any, kind: type[EngineError]) -> None:
    assert type(wire.refusal(status, json.dumps(body).encode())) is kind


@given(st.integers(400, 599), st.binary())
@example(400, b'{"error":{"message":"\xff"}}')
def test_a_refusal_that_nobody_can_read_is_an_error_of_the_engine(status: int, body: bytes) -> None:
    assert isinstance(wire.refusal(status, body), EngineError)


@given(st.binary())
def test_what_is_no_chunk_is_a_value_error(payload: bytes) -> None:
    """The supervisor takes it for a sign that the engine is mad."""
    with contextlib.suppress(ValueError, EngineError):
        list(wire.decode(b"{" + payload))


# ---------------------------------------------------------------- from the caller to the engine


class WritingEngine(FakeEngine):
    """Writes each call as the real one would."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        self.bodies.append(wire.encode(call, place)[1])
        async for event in super().generate(call, place):
            yield event


@pytest.fixture
async def writing(monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setattr("tests.http.conftest.FakeEngine", WritingEngine)
    return await Service().open()


async def test_a_caller_can_choose_neither_place_nor_cache(writing: Service) -> None:
    visit = await writing.chat(id_slot=1, cache_prompt=True, return_progress=False, n_predict=5, slot_id=1)

    assert visit.status == 200
    assert isinstance(writing.engine, WritingEngine)
    body = json.loads(writing.engine.bodies[0])
    assert (body["id_slot"], body["cache_prompt"], body["return_progress"]) == (0, False, True)
    assert "n_predict" not in body


@pytest.mark.parametrize(
    "form",
    [
        '"chat_template_kwargs": {"a": @}',
        '"tools": [{"type": "function", "function": {"name": "t", "parameters": {"a": @}}}]',
        '"response_format": {"type": "json_schema", "json_schema": {"a": @}}',
    ],
)
async def test_whatever_can_be_read_can_be_written_or_is_refused(writing: Service, form: str) -> None:
    head, found = json.dumps(CHAT)[:-1], set()
    for depth in [1, *range(150, 260), *range(900, 1010), 5000]:
        raw = f"{head}, {form.replace('@', '[' * depth + ']' * depth)}}}".encode()
        visit = await writing.ask("POST", CHAT_PATH, raw)
        assert visit.status in {200, 400}, (depth, visit.body)
        found.add(visit.status)
    assert found == {200, 400}
    for number in ("1" + "0" * 4000, "-1" + "0" * 30, "1e308", "5e-324", "-0.0"):
        raw = f'{head}, "chat_template_kwargs": {{"a": {number}}}}}'.encode()
        assert (await writing.ask("POST", CHAT_PATH, raw)).status in {200, 400}


@pytest.mark.parametrize(
    ("props", "takes"),
    [
        (b'{"chat_template_caps": {"supports_tools": false, "supports_tool_calls": false}}', False),
        (b'{"chat_template_caps": {"supports_tools": true}}', True),
        (b'{"chat_template_caps": {}}', True),
        (b"{}", True),
    ],
)
def test_only_a_template_that_says_so_takes_no_tools(props: bytes, takes: bool) -> None:
    assert wire.takes_tools(props) is takes
