"""What the engine is asked, for what a caller wrote."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import Service
from tidegate.core.generation.call import ChatCall, Sampling, TextCall, Turn


async def _chat_call(service: Service, **fields: Any) -> ChatCall:
    visit = await service.chat(**fields)
    assert visit.status == 200, visit.body
    call = service.engine.calls[-1]
    assert isinstance(call, ChatCall)
    return call


async def _text_call(service: Service, **fields: Any) -> TextCall:
    visit = await service.text(**fields)
    assert visit.status == 200, visit.body
    call = service.engine.calls[-1]
    assert isinstance(call, TextCall)
    return call


async def test_what_was_not_said_is_left_to_the_engine(service: Service) -> None:
    assert await _chat_call(service) == ChatCall(messages=[Turn(role="user", content="Hello")], sampling=Sampling())


async def test_every_kind_of_message_arrives_as_it_was_meant(service: Service) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}
    untyped = {"id": "", "type": "function", "function": {"name": "moon", "arguments": ""}}
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "When "}, {"type": "text", "text": "is it?"}],
            "name": "ana",
        },
        {"role": "assistant", "content": None, "tool_calls": [call, {"function": {"name": "moon"}}]},
        {"role": "tool", "content": "noon", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Noon.", "reasoning_content": "Hm"},
        {"role": "assistant", "content": "Yes.", "reasoning": "Hm too"},
        {"role": "assistant", "content": None, "reasoning": "Only thought"},
        {"role": "user", "content": ""},
    ]

    assert (await _chat_call(service, messages=messages)).messages == [
        Turn(role="system", content="Be brief."),
        Turn(role="user", content="When is it?", name="ana"),
        Turn(role="assistant", content="", tool_calls=[call, untyped]),
        Turn(role="tool", content="noon", tool_call_id="c1"),
        Turn(role="assistant", content="Noon.", reasoning_content="Hm"),
        Turn(role="assistant", content="Yes.", reasoning_content="Hm too"),
        Turn(role="assistant", content="", reasoning_content="Only thought"),
        Turn(role="user", content=""),
    ]


async def test_sampling_fields_arrive_by_their_names(service: Service) -> None:
    given: dict[str, Any] = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7}
    more: dict[str, Any] = {
        "frequency_penalty": -1.0,
        "presence_penalty": 1.0,
        "logit_bias": {"5": -100.0},
        "logprobs": True,
        "top_logprobs": 3,
    }

    assert (await _chat_call(service, **given, **more, max_tokens=9, stop=["a", "b"])).sampling == Sampling(
        **given,
        **more,
        max_tokens=9,
        stop=["a", "b"],
    )


@pytest.mark.parametrize(
    ("fields", "max_tokens"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({}, None),
    ],
)
async def test_the_newer_name_of_the_limit_wins(
    service: Service, fields: dict[str, int], max_tokens: int | None
) -> None:
    assert (await _chat_call(service, **fields)).sampling.max_tokens == max_tokens
    assert service.finished().max_tok == max_tokens


@pytest.mark.parametrize(("stop", "kept"), [("x", ["x"]), ("", None), ([], None), (["a", "b"], ["a", "b"])])
async def test_stop_is_a_text_or_several(service: Service, stop: Any, kept: Any) -> None:
    assert (await _chat_call(service, stop=stop)).sampling.stop == kept


@pytest.mark.parametrize(("seed", "kept"), [(0, 0), (-1, 2**32 - 1), (2**64 + 5, 5)])
async def test_any_seed_fits_the_engine(service: Service, seed: int, kept: int) -> None:
    assert (await _chat_call(service, seed=seed)).sampling.seed == kept


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, None),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low", "enable_thinking": True}),
        ({"reasoning": {"effort": "none"}}, {"reasoning_effort": "none", "enable_thinking": False}),
        ({"reasoning": {}}, None),
        ({"thinking": {"type": "disabled"}}, {"enable_thinking": False}),
        ({"thinking": {"type": "enabled"}}, {"enable_thinking": True}),
        (
            {"chat_template_kwargs": {"enable_thinking": False, "x": 1}, "reasoning_effort": "high"},
            {"enable_thinking": False, "x": 1, "reasoning_effort": "high"},
        ),
    ],
)
async def test_every_way_to_ask_for_thinking_reaches_the_template(
    service: Service, fields: dict[str, Any], arguments: Any
) -> None:
    assert (await _chat_call(service, **fields)).template_arguments == arguments


async def test_tools_and_formats_arrive_whole(service: Service) -> None:
    tool = {
        "type": "function",
        "function": {"name": "tide", "parameters": {"type": "object", "x": [1]}, "strict": True},
    }
    choice = {"type": "function", "function": {"name": "tide"}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}}

    call = await _chat_call(service, tools=[tool], tool_choice=choice, parallel_tool_calls=False, response_format=form)

    assert (call.tools, call.tool_choice, call.parallel_tool_calls) == ([tool], choice, False)
    assert call.response_format == form


async def test_a_choice_among_no_tools_is_not_passed_on(service: Service) -> None:
    call = await _chat_call(service, tools=[], tool_choice="auto", parallel_tool_calls=True)

    assert (call.tools, call.tool_choice, call.parallel_tool_calls) == (None, None, None)


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [("Once", "Once"), (["Once"], "Once"), ([5, 6], [5, 6]), ([[5, 6]], [5, 6]), ("", ""), ([""], "")],
)
async def test_a_prompt_is_a_text_or_tokens(service: Service, prompt: Any, kept: Any) -> None:
    assert (await _text_call(service, prompt=prompt)).prompt == kept


async def test_a_completion_is_sixteen_tokens_long_unless_asked_otherwise(service: Service) -> None:
    assert (await _text_call(service)).sampling.max_tokens == 16
    assert (await _text_call(service, max_tokens=3)).sampling.max_tokens == 3


@pytest.mark.parametrize(("logprobs", "top"), [(None, None), (0, None), (3, 3)])
async def test_a_completions_logprobs_are_a_number(service: Service, logprobs: int | None, top: int | None) -> None:
    sampling = (await _text_call(service, logprobs=logprobs)).sampling

    assert (sampling.logprobs, sampling.top_logprobs) == (None if logprobs is None else True, top)
