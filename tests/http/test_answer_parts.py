"""Thinking, tool calls and log-probabilities reach callers in every form that clients read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import Service
from tidegate.core.generation.call import Delta, Finished, FinishReason, Usage
from tidegate.testing.engine import Step, saying

USAGE = Usage(prompt_tokens=7, completion_tokens=3, cached_tokens=2)
USAGE_BODY = {
    "prompt_tokens": 7,
    "completion_tokens": 3,
    "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 0},
    "prompt_cache_hit_tokens": 2,
    "prompt_cache_miss_tokens": 5,
}


def _token(text: str, logprob: float, *others: tuple[str, float]) -> dict[str, Any]:
    tops = [{"token": token, "logprob": value, "bytes": None} for token, value in ((text, logprob), *others)]
    return {"token": text, "logprob": logprob, "bytes": None, "top_logprobs": tops}


def _ending(reason: FinishReason = FinishReason.STOP) -> list[Step]:
    return [Finished(reason), USAGE]


# ---------------------------------------------------------------- thinking, tools, log-probabilities


async def test_thinking_is_given_under_both_names_and_before_the_answer(service: Service) -> None:
    service.engine.script = [Delta(reasoning="Hm"), Delta(reasoning=", so"), Delta(content="Noon."), *_ending()]

    message = (await service.chat()).json()["choices"][0]["message"]
    deltas = [e["choices"][0]["delta"] for e in (await service.chat(stream=True)).events()[1:-2]]

    assert (message["reasoning_content"], message["reasoning"], message["content"]) == ("Hm, so", "Hm, so", "Noon.")
    assert deltas == [
        {"reasoning_content": "Hm", "reasoning": "Hm"},
        {"reasoning_content": ", so", "reasoning": ", so"},
        {"content": "Noon."},
    ]


async def test_thinking_that_the_engine_left_in_the_text_is_told_apart_too(service: Service) -> None:
    service.engine.script = [Delta(content=piece) for piece in ("<thi", "nk>H", "m</th", "ink>", "\n\n", "Noon.")]
    service.engine.script = [*service.engine.script, *_ending()]

    body = (await service.chat()).json()

    message = body["choices"][0]["message"]
    assert (message["reasoning_content"], message["reasoning"], message["content"]) == ("Hm", "Hm", "Noon.")
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2


async def test_an_answer_without_thinking_has_no_field_for_it(service: Service) -> None:
    message = (await service.chat()).json()["choices"][0]["message"]

    assert "reasoning" not in message
    assert "reasoning_content" not in message


def _called(index: int, **fields: Any) -> Delta:
    return Delta(tool_calls=[{"index": index, **fields}])


TOOL_SCRIPT: list[Step] = [
    _called(0, id="c1", type="function", function={"name": "tide", "arguments": ""}),
    _called(0, function={"arguments": '{"at":'}),
    _called(1, id="c2", type="function", function={"name": "moon", "arguments": "{"}),
    _called(0, function={"arguments": '"noon"}'}),
    _called(1, function={"name": None, "arguments": "}"}),
    *_ending(FinishReason.TOOL_CALLS),
]


async def test_tool_calls_in_pieces_become_whole_calls(service: Service) -> None:
    service.engine.script = TOOL_SCRIPT

    choice = (await service.chat()).json()["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": '{"at":"noon"}'}},
        {"id": "c2", "type": "function", "function": {"name": "moon", "arguments": "{}"}},
    ]


async def test_tool_calls_are_streamed_piece_by_piece(service: Service) -> None:
    service.engine.script = TOOL_SCRIPT

    events = (await service.chat(stream=True)).events()

    assert [e["choices"][0]["delta"].get("tool_calls") for e in events[1:-2]] == [
        step.tool_calls for step in TOOL_SCRIPT if isinstance(step, Delta)
    ]


async def test_an_answer_beside_a_tool_call_is_kept(service: Service) -> None:
    service.engine.script = [Delta(content="Let me see."), *TOOL_SCRIPT]

    assert (await service.chat()).json()["choices"][0]["message"]["content"] == "Let me see."


LOGPROB_SCRIPT: list[Step] = [
    Delta(content="Hi", logprobs={"content": [_token("Hi", -0.1, ("Ho", -2.5))]}),
    Delta(content=" ö!", logprobs={"content": [_token(" ö", -0.2), _token("!", -0.3)]}),
    *_ending(),
]


async def test_log_probabilities_of_a_chat_are_one_list(service: Service) -> None:
    service.engine.script = LOGPROB_SCRIPT

    whole = (await service.chat(logprobs=True, top_logprobs=2)).json()["choices"][0]["logprobs"]
    streamed = [e["choices"][0]["logprobs"] for e in (await service.chat(stream=True, logprobs=True)).events()[:-1]]

    tokens = [_token("Hi", -0.1, ("Ho", -2.5)), _token(" ö", -0.2), _token("!", -0.3)]
    assert whole == {"content": tokens, "refusal": None}
    assert [token for part in streamed if part for token in part["content"]] == tokens


OLDER = {
    "tokens": ["Hi", " ö", "!"],
    "token_logprobs": [-0.1, -0.2, -0.3],
    "top_logprobs": [{"Hi": -0.1, "Ho": -2.5}, {" ö": -0.2}, {"!": -0.3}],
}


@pytest.mark.parametrize(("echo", "offset"), [(False, 0), (True, 4)])
async def test_log_probabilities_of_a_completion_are_in_the_older_form(
    service: Service, *, echo: bool, offset: int
) -> None:
    service.engine.script = LOGPROB_SCRIPT
    older = {**OLDER, "text_offset": [offset, offset + 2, offset + 4]}

    whole = (await service.text(logprobs=2, echo=echo)).json()["choices"][0]["logprobs"]
    events = (await service.text(logprobs=2, echo=echo, stream=True)).events()[:-1]
    streamed = [e["choices"][0]["logprobs"] for e in events if e["choices"][0]["logprobs"]]

    assert whole == older
    assert {name: [item for part in streamed for item in part[name]] for name in older} == older


async def test_a_prompt_that_is_to_be_repeated_comes_first(service: Service) -> None:
    service.engine.script = saying(" upon")

    assert (await service.text(echo=True)).json()["choices"][0]["text"] == "Once upon"
    chunks = (await service.text(echo=True, stream=True)).events()[:-1]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["Once", " upon", ""]


async def test_tokens_cannot_be_repeated_as_text(service: Service) -> None:
    service.engine.script = saying(" upon")

    assert (await service.text(echo=True, prompt=[1, 2])).json()["choices"][0]["text"] == " upon"
