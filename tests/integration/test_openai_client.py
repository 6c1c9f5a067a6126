"""OpenAI's own Python client, against the real service and the real model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.integration.running import MODEL, Instance, until

pytestmark = pytest.mark.integration

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Name the capital of France."}]


@pytest.fixture
def client(service: Instance) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.public}/v1", api_key=service.key, max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
async def async_client(service: Instance) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{service.public}/v1", api_key=service.key, max_retries=0) as client:
        yield client


def test_a_chat_answer_is_the_same_streamed_and_whole_at_temperature_zero(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0, max_tokens=24)
    assert whole.choices[0].message.role == "assistant"
    content = whole.choices[0].message.content
    assert content
    assert "Paris" in content
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert 0 < whole.usage.completion_tokens <= 24

    with client.chat.completions.create(
        model=MODEL, messages=HELLO, temperature=0, max_tokens=24, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    *pieces, last = chunks
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == content
    assert pieces[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert not last.choices
    assert last.usage is not None
    assert last.usage.completion_tokens == whole.usage.completion_tokens
    assert all(piece.usage is None for piece in pieces)
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_a_completion_is_the_same_streamed_and_whole_at_temperature_zero(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=MODEL, prompt="1, 2, 3,", temperature=0, max_tokens=12)
    assert "4" in whole.choices[0].text
    assert whole.choices[0].finish_reason == "length"
    with client.completions.create(model=MODEL, prompt="1, 2, 3,", temperature=0, max_tokens=12, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_the_asynchronous_client_streams_what_it_gets_whole(async_client: openai.AsyncOpenAI) -> None:
    whole = await async_client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0, max_tokens=12)
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=HELLO, temperature=0, max_tokens=12, stream=True
    )
    async with stream:
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text
    assert text == whole.choices[0].message.content


def test_the_request_id_that_a_caller_sees_finds_the_request_in_the_log(
    client: openai.OpenAI, service: Instance
) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO, max_tokens=1)
    assert raw.request_id
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.parse().id.startswith("chatcmpl-")
    # The line is written once the answer is out.
    until(lambda: any(event.get("id") == raw.request_id for event in service.events()), 5, "the log has its line")
    (logged,) = [event for event in service.events() if event.get("id") == raw.request_id]
    assert logged["status"] == 200
    assert logged["out_tok"] == 1


def test_models_are_listed_and_found_under_each_of_their_names(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL, "deepseek-chat"]
    assert client.models.retrieve(MODEL).id == MODEL
    assert client.models.retrieve("deepseek-chat").id == "deepseek-chat"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4")
    assert caught.value.code == "model_not_found"


def test_a_bad_key_is_an_authentication_error(service: Instance) -> None:
    with (
        openai.OpenAI(base_url=f"{service.public}/v1", api_key="tg_live_wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        stranger.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_an_unknown_model_is_a_not_found_error_that_names_the_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert MODEL in caught.value.message, "a caller is told what is served"


def test_a_value_out_of_range_is_a_bad_request_error_that_names_the_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, temperature=7)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "temperature")
    with (
        pytest.raises(openai.BadRequestError) as caught,
        client.completions.create(model=MODEL, prompt="x", max_tokens=-1, stream=True),
    ):
        pass
    assert caught.value.param == "max_tokens", "a stream that cannot begin is refused with a status, not in the stream"
