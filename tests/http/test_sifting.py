"""What a body costs to read is bounded by what it may be, not only by how long it may be."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.http.conftest import CHAT, Service
from tidegate.core.generation.size import prompt_bytes
from tidegate.http.openai import sifting
from tidegate.http.openai.requests import TOOL_CALLS_LIMIT, ChatRequest, TextRequest
from tidegate.http.refusals import Refusal

BODY_BYTES = 190_000
"""About what a model of 4096 tokens takes."""
LONG_NUMBER = "0." + "9" * 400 + "e-300"
CHEAP_S = 0.02
"""Several times what the worst of them takes on a slow core; a third of what the worst took unsifted."""

PARAMETERS = '"tools":[{"type":"function","function":{"name":"a","parameters":{"x":[@]}}}]'
SCHEMA = '"response_format":{"type":"json_schema","json_schema":{"schema":{"x":[@]}}}'
CALLS = '{"role":"assistant","tool_calls":[' + ",".join(['{"function":{"name":""}}'] * 128) + "]}"
TURN = '"messages":[{"role":"user","content":"Hi"}]'


def chat(form: str, item: str, size: int = BODY_BYTES) -> bytes:
    """A request with so many of an item, each with a number of its own where it says %, as make it that long."""
    head, _, rest = form.partition("@")
    items: list[str] = []
    left = size - len(form) - 50
    while left > 0:
        items.append(item.replace("%", str(len(items))))
        left -= len(items[-1]) + 1
    return f'{{"model":"m",{head}{",".join(items)}{rest}}}'.encode()


COSTLY: dict[str, tuple[bytes, str | None]] = {
    "arguments": (chat(TURN + ',"chat_template_kwargs":{"a":[@]}', "[]"), "chat_template_kwargs"),
    "nested": (chat(TURN + ',"chat_template_kwargs":{"a":[@]}', "[" * 400 + "]" * 400), "chat_template_kwargs"),
    "tool": (chat(f"{TURN},{PARAMETERS}", "[]"), "tools"),
    "tool of numbers": (chat(f"{TURN},{PARAMETERS}", LONG_NUMBER), "tools"),
    "tool of little": (chat(f"{TURN},{PARAMETERS}", "[]", 45_000), "tools"),
    "tool of ones": (chat(f"{TURN},{PARAMETERS}", "1", 45_000), "tools"),
    "tools": (chat(TURN + ',"tools":[@]', '{"type":"function","function":{"name":"a"}}'), "tools"),
    "schema": (chat(f"{TURN},{SCHEMA}", "{}"), "response_format"),
    "schema of little": (chat(f"{TURN},{SCHEMA}", "{}", 23_000), "response_format"),
    "biases": (chat(TURN + ',"logit_bias":{@}', '"%":1'), "logit_bias"),
    "long biases": (chat(TURN + ',"logit_bias":{@}', f'"%":{LONG_NUMBER}'), "logit_bias"),
    "long number": (chat(f'{TURN},"temperature":0.@', "9" * BODY_BYTES), "temperature"),
    "stops": (chat(TURN + ',"stop":[@]', '"a"'), "stop"),
    "words": (chat(TURN + ',"stream_options":{@}', '"%":1'), "stream_options"),
    "tool calls": (chat('"messages":[@]', CALLS), "messages"),
    "messages": (chat('"messages":[@]', '{"role":"user","content":"x"}'), "messages"),
    "parts": (chat('"messages":[{"role":"user","content":[@]}]', '{"type":"text","text":""}'), None),
    "again": (chat(f"{TURN},@", f'"temperature":{LONG_NUMBER}'), None),
    "unknown": (chat(f"{TURN},@", '"a%":[]'), None),
    "unknown lists": (chat(TURN + ',"metadata":[@]', "[]"), None),
    "prompts": (chat('"prompt":[@]', "[]"), "prompt"),
    "prompts of one": (chat('"prompt":[@]', "[1]"), "prompt"),
    "texts": (chat('"prompt":[@]', '""'), "prompt"),
    "lists behind a text": (chat('"prompt":["",@]', "[]"), "prompt[1]"),
    "lists behind a token": (chat('"prompt":[1,@]', "[]"), "prompt[1]"),
    "tokens": (chat('"prompt":[@]', "1"), None),
}


def read(body: bytes) -> str | None:
    """As the routes do; what they would blame."""
    kind = TextRequest if b'"prompt"' in body[:40] else ChatRequest
    try:
        prompt_bytes(sifting.decode(body, kind).call())  # type: ignore[attr-defined] # both kinds that are sifted have it
    except Refusal as refusal:
        return refusal.param
    return None


@pytest.mark.parametrize("shape", COSTLY)
def test_no_shape_of_a_body_holds_everybody_up(shape: str) -> None:
    """The time is this thread's own, and the best of some: what else the machine does is not in it."""
    body, blamed = COSTLY[shape]
    taken_s = []
    for _ in range(5):
        began_s = time.thread_time()
        assert read(body) == blamed
        taken_s.append(time.thread_time() - began_s)

    assert min(taken_s) < CHEAP_S


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chat_template_kwargs", {"a": "b" * 8192}),
        ("logit_bias", {str(number): 1.23456789012345678901234567890 for number in range(5000)}),
        ("tools", [{"type": "function", "function": {"name": "a", "description": "b" * 49152}}]),
        ("response_format", {"type": "json_schema", "json_schema": {"schema": {"description": "b" * 24576}}}),
        ("seed", 10**4096),
    ],
)
async def test_a_field_that_is_too_long_is_named(service: Service, field: str, value: Any) -> None:
    raw = json.dumps(CHAT)[:-1] + f', "{field}": '
    long = json.dumps(value) if field != "seed" else "1" + "0" * 4096
    visit = await service.ask("POST", "/v1/chat/completions", (raw + long + "}").encode())

    assert (visit.status, visit.error["code"], visit.error["param"]) == (400, "invalid_value", field)
    assert field in visit.error["message"]
    assert service.engine.calls == []


async def test_what_people_send_is_well_within(service: Service) -> None:
    """A hundred tools of a page each, a schema with every choice that it may offer, texts full of brackets."""
    words = [f"choice {number:03}" for number in range(256)]
    tool = {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks things up, [as one does], {or not}. " * 4,
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        },
    }
    schema = {"type": "object", "properties": {"a": {"type": "string", "enum": words}}}
    visit = await service.chat(
        tools=[tool] * 100,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
        chat_template_kwargs={"enable_thinking": False},
        logit_bias={str(number): -100 for number in range(1024)},
        stop=["\u20ac" * 1024] * 16,
        metadata={"any": ["thing"] * 5000},
    )

    assert visit.status == 200


async def test_of_a_field_that_comes_twice_the_last_counts(service: Service) -> None:
    """As it does for everybody who reads JSON: a proxy that looks at a request must see the one that is served."""
    twice = b'{"model":"none","temperature":9,"messages":5,' + json.dumps({**CHAT, "temperature": 0.5}).encode()[1:]
    visit = await service.ask("POST", "/v1/chat/completions", twice)

    assert visit.status == 200
    assert service.engine.calls[-1].sampling.temperature == 0.5


async def test_as_many_tool_calls_as_may_be_are_taken_and_not_one_more(service: Service) -> None:
    called = {"function": {"name": "a", "arguments": "{}"}}
    turns = [{"role": "assistant", "tool_calls": [called] * 128}] * (TOOL_CALLS_LIMIT // 128)
    assert (await service.chat(messages=turns)).status == 200

    refused = await service.chat(messages=[*turns, {"role": "assistant", "tool_calls": [called]}])
    assert (refused.status, refused.error["param"]) == (400, "messages")
