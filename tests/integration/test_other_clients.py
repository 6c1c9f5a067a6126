"""LangChain and curl, as people use them."""

from __future__ import annotations

import json
import subprocess

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.integration.running import MODEL, Instance

pytestmark = pytest.mark.integration

QUESTION = "Name the capital of France."


def _langchain(service: Instance) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODEL,
        base_url=f"{service.public}/v1",
        api_key=SecretStr(service.key),
        temperature=0,
        max_retries=0,
        max_completion_tokens=16,
    )


def test_langchain_invokes_and_streams_the_same_answer(service: Instance) -> None:
    chat = _langchain(service)
    whole = chat.invoke(QUESTION)
    assert "Paris" in str(whole.content)
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] > 0
    assert "".join(str(piece.content) for piece in chat.stream(QUESTION)) == whole.content


async def test_langchain_answers_asynchronously(service: Instance) -> None:
    chat = _langchain(service)
    whole = await chat.ainvoke(QUESTION)
    assert "Paris" in str(whole.content)
    assert "".join([str(piece.content) async for piece in chat.astream(QUESTION)]) == whole.content


def _curl(service: Instance, key: str, *options: str, stream: bool) -> subprocess.CompletedProcess[str]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 8, "stream": stream}
    command = ["curl", "--silent", "--show-error", "--max-time", "60", *options]
    command += ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
    command += ["-d", json.dumps(body), f"{service.public}/v1/chat/completions"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_curl_reads_a_stream_of_events_that_ends_with_done(service: Instance) -> None:
    lines = [line for line in _curl(service, service.key, "-N", stream=True).stdout.splitlines() if line]
    assert all(line.startswith(("data: ", ": ")) for line in lines)
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(line) for line in events[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}


def test_curl_without_a_good_key_gets_401_and_an_error_object(service: Instance) -> None:
    done = _curl(service, "nonsense", "--write-out", "\n%{http_code} %header{www-authenticate}", stream=True)
    body, _, verdict = done.stdout.rpartition("\n")
    assert verdict == '401 Bearer realm="tidegate"'
    assert json.loads(body)["error"]["code"] == "invalid_api_key"
