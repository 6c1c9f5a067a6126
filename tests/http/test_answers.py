"""What callers get: whole or streamed, in the form that OpenAI's and DeepSeek's clients read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.generation.call import Delta, Finished, FinishReason, Progress, Usage
from tidegate.testing.engine import Hold, Step, saying

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


def _ending(reason: FinishReason = FinishReason.STOP) -> list[Step]:
    return [Finished(reason), USAGE]


# ---------------------------------------------------------------- whole


async def test_a_whole_chat_answer_is_one_message(service: Service) -> None:
    service.engine.script = saying("Hello", " there", "!")

    visit = await service.chat()
    body = visit.json()

    assert body.pop("id").startswith("chatcmpl-")
    assert body == {
        "object": "chat.completion",
        "created": int(service.clock.now),
        "model": "tide-1",
        "system_fingerprint": "fp_0123456789",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello there!", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE_BODY,
    }
    assert visit.headers["content-type"] == "application/json"
    assert int(visit.headers["openai-processing-ms"]) >= 0


async def test_a_whole_completion_is_one_text(service: Service) -> None:
    service.engine.script = saying(" upon", " a", " time")

    body = (await service.text()).json()

    assert body.pop("id").startswith("cmpl-")
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "text": " upon a time", "logprobs": None, "finish_reason": "stop"}]
    assert body["usage"] == USAGE_BODY


async def test_every_answer_has_an_id_of_its_own(service: Service) -> None:
    ids = {(await service.chat()).json()["id"] for _ in range(5)}

    assert len(ids) == 5


async def test_an_alias_is_answered_under_its_own_name(service: Service) -> None:
    assert (await service.chat(model="deepseek-chat")).json()["model"] == "deepseek-chat"


@pytest.mark.parametrize("reason", list(FinishReason))
async def test_the_reason_for_the_end_is_told_in_both_forms(service: Service, reason: FinishReason) -> None:
    service.engine.script = [Delta(content="a"), *_ending(reason)]

    assert (await service.chat()).json()["choices"][0]["finish_reason"] == reason.value
    events = (await service.chat(stream=True)).events()
    assert [e["choices"][0]["finish_reason"] for e in events[:-1]][-1] == reason.value


async def test_an_engine_that_counts_no_tokens_still_leaves_a_usage(service: Service) -> None:
    service.engine.script = [Delta(content="a"), Finished(FinishReason.STOP)]

    assert (await service.chat()).json()["usage"]["total_tokens"] == 0
    assert "usage" not in (await service.text()).json()


# ---------------------------------------------------------------- streamed


async def test_a_stream_is_framed_as_clients_expect(service: Service) -> None:
    service.engine.script = saying("Hello", "!")

    visit = await service.chat(stream=True)

    assert visit.status == 200
    assert visit.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert visit.headers["cache-control"] == "no-store, no-transform"
    assert visit.headers["x-accel-buffering"] == "no"
    assert "content-length" not in visit.headers
    assert visit.body.endswith(b"data: [DONE]\n\n")
    *chunks, done = visit.events()
    assert done == "[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": "!"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    heads = [
        {name: chunk[name] for name in ("id", "created", "object", "model", "system_fingerprint")} for chunk in chunks
    ]
    assert heads[0]["object"] == "chat.completion.chunk"
    assert heads[0]["id"].startswith("chatcmpl-")
    assert all(head == heads[0] for head in heads)
    # Simple clients read choices[0] of every chunk: no usage for those who did not ask.
    assert all("usage" not in chunk for chunk in chunks)


async def test_each_event_is_sent_when_it_happens(service: Service) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="Hello"), hold, *_ending()]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True}).start()

    await hold.reached.wait()

    assert [e["choices"][0]["delta"].get("content") for e in visit.events()] == ["", "Hello"]
    assert not visit.is_complete
    hold.let.set()
    assert (await visit.finish()).is_complete


async def test_usage_comes_last_and_without_choices_for_those_who_ask(service: Service) -> None:
    service.engine.script = saying("a", "b", "c")

    *chunks, last, done = (await service.chat(stream=True, stream_options={"include_usage": True})).events()

    assert done == "[DONE]"
    assert (last["choices"], last["usage"]) == ([], USAGE_BODY)
    assert last["id"] == chunks[0]["id"]
    assert all(chunk["usage"] is None for chunk in chunks)


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": None}])
async def test_usage_is_not_sent_unasked(service: Service, options: Any) -> None:
    for visit in (await service.chat(stream=True, stream_options=options), await service.text(stream=True)):
        assert all(event == "[DONE]" or event["choices"] for event in visit.events())


async def test_a_streamed_completion_gives_texts(service: Service) -> None:
    service.engine.script = saying(" upon", " a", " time")

    *chunks, last, done = (await service.text(stream=True, stream_options={"include_usage": True})).events()

    assert [chunk["choices"][0]["text"] for chunk in chunks] == [" upon", " a", " time", ""]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert (last["choices"], last["usage"], done) == ([], USAGE_BODY, "[DONE]")


async def test_a_long_prompt_is_reported_in_comments_that_clients_ignore(service: Service) -> None:
    first, second = Hold(), Hold()
    service.engine.script = [Progress(0, 90, 0), first, Progress(30, 90, 0), second, Progress(60, 90, 0), *saying("a")]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True}).start()
    await first.reached.wait()
    first.let.set()
    await second.reached.wait()
    assert b": reading" not in visit.body
    service.clock.advance(1.5)
    second.let.set()
    await visit.finish()

    assert visit.body.count(b": reading prompt 60/90\n\n") == 1
    assert [e["choices"][0]["delta"].get("content") for e in visit.events()[:-1]] == ["", "a", None]


# ---------------------------------------------------------------- models


async def test_every_model_is_listed_under_each_of_its_names(service: Service) -> None:
    body = (await service.ask("GET", "/v1/models")).json()

    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["tide-1", "deepseek-chat", "lab/tide"]
    assert body["data"][1] == {
        "id": "deepseek-chat",
        "object": "model",
        "created": 1_780_000_000,
        "owned_by": "tidegate",
        "context_length": 4096,
    }


@pytest.mark.parametrize("name", ["tide-1", "deepseek-chat", "lab/tide"])
async def test_one_model_is_described_by_any_of_its_names(service: Service, name: str) -> None:
    assert (await service.ask("GET", f"/v1/models/{name}")).json()["id"] == name


@pytest.mark.parametrize("prefix", ["/v1", "", "/beta"])
async def test_the_api_answers_below_every_base_path_that_clients_use(service: Service, prefix: str) -> None:
    assert (await service.ask("GET", f"{prefix}/models")).status == 200
    assert (await service.ask("POST", f"{prefix}/chat/completions", CHAT)).status == 200


# ---------------------------------------------------------------- what is written down


async def test_what_was_spent_is_written_down(service: Service) -> None:
    service.engine.script = saying("a", "b", "c")
    visit = await service.chat(max_tokens=9)

    event = service.finished()

    assert (event.id, event.status, event.route, event.stream) == (visit.headers["x-request-id"], 200, "chat", False)
    assert (event.in_tok, event.cached_tok, event.out_tok, event.max_tok) == (7, 2, 3, 9)
    assert (event.finish, event.abandoned, event.reason) == ("stop", None, None)
    assert event.bytes_out == len(visit.body)
    assert event.acct is not None
    assert event.key is not None
    assert event.src is not None
    assert event.net is not None
