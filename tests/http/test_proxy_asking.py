"""What is seen of a body, and that it goes on as it came."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.proxying import CHAT, MAX_BODY_BYTES, Gateway
from tidegate.core.reasons import Reason
from tidegate.http.proxy.asking import Asked, read
from tidegate.http.refusals import Refusal

JSON = "application/json"
NAMES = ["model", "stream", "stream_options", "max_tokens", "n", "best_of", "options", "messages", "x"]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=9
)
bodies = st.dictionaries(st.sampled_from(NAMES), values)


def asked(body: Any, path: str = CHAT, kind: str = JSON) -> Asked:
    return read(path, body if isinstance(body, bytes) else json.dumps(body).encode(), kind)


def _taken(path: str, body: bytes) -> Asked | Refusal:
    try:
        return read(path, body, JSON)
    except Refusal as refusal:
        return refusal


@given(bodies, st.sampled_from([CHAT, "/v1/completions", "/api/chat", "/v1/embeddings"]))
def test_any_object_is_taken_and_goes_on_byte_for_byte_unless_it_is_a_stream(body: dict[str, Any], path: str) -> None:
    text = json.dumps(body).encode()
    found = _taken(path, text)
    if isinstance(found, Refusal):
        assert found.param in {"n", "best_of"}
        wished = body[found.param]
        assert wished != 1 or wished is True, "equal in Python, and no number in JSON"
        return
    assert found.output_tokens >= 1
    assert found.prompt_bytes > 0
    if found.hides_usage:
        assert found.is_stream
        was, now = json.loads(text), json.loads(found.body)
        assert now["stream_options"].pop("include_usage") is True
        wished = was.pop("stream_options", {})
        told = now.pop("stream_options")
        assert told == ({k: v for k, v in wished.items() if k != "include_usage"} if isinstance(wished, dict) else {})
        assert json.dumps(now, sort_keys=True) == json.dumps(was, sort_keys=True)
    else:
        assert found.body == text


@given(st.binary(max_size=200) | (scalars | st.lists(values)).map(lambda value: json.dumps(value).encode()))
def test_whatever_is_no_object_is_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read(CHAT, body, JSON)
    assert caught.value.reason is Reason.INVALID_JSON
    read("/v1/audio/transcriptions", body, "multipart/form-data; boundary=x")
    read(CHAT, body, "text/plain")


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        asked(b'{"options":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert caught.value.reason is Reason.INVALID_JSON


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_tokens": 7, "max_completion_tokens": 900}, 900),
        ({"max_output_tokens": 12}, 12),
        ({"options": {"num_predict": 33}}, 33),
        ({"max_tokens": 1, "n_predict": 3000}, 3000),
        ({"options": {"num_predict": -1}}, None),
        ({"max_tokens": "900"}, 900),
        ({"max_tokens": 900.0}, 900),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 10**30}, None),
        ({"max_tokens": "nan"}, None),
        ({"max_tokens": [7]}, None),
    ],
)
def test_the_most_that_may_come_is_what_servers_would_read(fields: dict[str, Any], most: int | None) -> None:
    found = asked({"messages": [], **fields})
    assert found.max_tokens == most
    assert found.output_tokens == (4096 if most is None else most)


def test_of_fields_that_come_twice_the_last_counts_and_what_is_written_in_escapes_counts() -> None:
    assert asked(b'{"max_tokens": 1, "max_tokens": 5000}').output_tokens == 5000
    assert asked(b'{"max\\u005ftokens": 5000}').output_tokens == 5000


SEVERAL: list[tuple[str, dict[str, Any]]] = [
    ("n", {"n": 3}),
    ("n", {"n": "3"}),
    ("n", {"n": [4]}),
    ("best_of", {"n": 1, "best_of": 5}),
    ("prompt", {"prompt": ["one", "two"]}),
    ("prompt", {"prompt": [[1, 2], [3]]}),
    ("prompt", {"prompt": ["one"] * 100_000}),
]


@pytest.mark.parametrize(("field", "body"), SEVERAL, ids=lambda given: str(given)[:24])
def test_what_would_take_several_places_of_the_server_is_refused_by_name(field: str, body: dict[str, Any]) -> None:
    """One was given: a stranger's forty prompts would stand before everybody inside of the server."""
    with pytest.raises(Refusal) as caught:
        asked(body, "/v1/completions")
    assert (caught.value.reason, caught.value.param) == (Reason.UNSUPPORTED_VALUE, field)


@pytest.mark.parametrize(
    "body",
    [{"n": 1}, {"n": 1.0}, {"n": None}, {"best_of": 1}, {"prompt": ["one"]}, {"prompt": [1, 2, 3]}, {"prompt": "[1"}],
    ids=str,
)
def test_what_asks_for_one_answer_is_passed_on_however_it_is_written(body: dict[str, Any]) -> None:
    assert json.loads(asked(body, "/v1/completions").body) == body


def test_several_texts_to_be_embedded_are_read_one_after_the_other() -> None:
    found = asked({"input": ["one", "two"]}, "/v1/embeddings")
    assert found.output_tokens == 1


@pytest.mark.parametrize("kind", ["image/x", "audio/wav", "text/plain", "application/x-www-form-urlencoded"])
def test_json_is_read_whatever_it_says_it_is(kind: str) -> None:
    """llama.cpp reads it, too."""
    found = asked({"stream": True, "max_tokens": 7, "messages": ["x" * 9000]}, CHAT, kind)
    assert (found.is_stream, found.max_tokens) == (True, 7)
    assert found.prompt_bytes > 9000


def test_what_is_too_long_to_be_a_few_words_is_not_decoded() -> None:
    padded = {"num_predict": 9, "x": "y" * 5000}
    assert asked({"options": padded, "stream": True, "stream_options": padded}).hides_usage is False
    assert asked({"options": padded}).max_tokens is None


def test_a_streams_figures_are_asked_for_and_hidden_only_where_the_caller_did_not_ask() -> None:
    body = b' {"model":"m","stream":true}'
    found = asked(body)
    assert found.hides_usage
    assert found.body == b' {"stream_options":{"include_usage":true},"model":"m","stream":true}'
    for options in (b'{"include_usage" : true}', b'{"include_usag\\u0065":true}'):
        body = b'{"stream":true,"stream_options":' + options + b"}"
        assert (asked(body).hides_usage, asked(body).body) == (False, body)
    body = b'{"stream":true,"stream_options":{"x":{"include_usage":true}}}'
    assert json.loads(asked(body).body)["stream_options"] == {"x": {"include_usage": True}, "include_usage": True}
    assert asked({"stream": True}, "/v1/responses").hides_usage is False, "it has its figures without"
    large = {"stream": True, "stream_options": {}, "messages": ["x" * 100_000]}
    assert asked(large).hides_usage is False


def test_ollamas_requests_are_streams_unless_they_say_no_and_no_comment_may_come_in_theirs() -> None:
    assert [asked(body, "/api/chat").is_stream for body in ({}, {"stream": True}, {"stream": False})] == [
        *(True, True, False)
    ]
    assert (asked({}, "/api/chat").is_told, asked({"stream": True}).is_told) == (False, True)
    assert asked({}, "/api/chat").body == b"{}"


def test_what_curl_calls_a_form_is_read_as_the_json_that_it_is() -> None:
    body = {"model": "m", "max_tokens": 5, "stream": True}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "APPLICATION/JSON; charset=utf-8"):
        found = asked(body, kind=kind)
        assert (found.model, found.max_tokens, found.is_stream) == ("m", 5, True)
    assert asked(b"x" * 9000, kind="text/plain").prompt_bytes == 9000, "who hides a prompt hides nothing of its size"


def test_pictures_count_for_what_they_cost_wherever_apis_have_them() -> None:
    picture = base64.b64encode(b"\x89PNG" * 60_000).decode()
    for content in (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{picture}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
        {"type": "input_audio", "input_audio": {"data": picture, "format": "wav"}},
    ):
        found = asked({"messages": [{"role": "user", "content": [content]}]})
        assert 4096 < found.prompt_bytes < 6000
    assert asked({"messages": [{"content": "what?", "images": [picture]}]}, "/api/chat").prompt_bytes < 6000


def test_a_text_that_looks_like_a_picture_counts_as_the_text_that_it_is() -> None:
    for text in ("data:image/png;base64," + "A" * 90_000, 'x "url":"data:;base64,' + "A" * 90_000 + '"'):
        assert asked({"messages": [{"role": "user", "content": text}]}).prompt_bytes > 90_000


async def test_a_body_goes_on_as_it_came_through_the_whole_application() -> None:
    gateway = Gateway()
    body = b'\n{"model" : "m",\t"messages":[ ], "seed":1e0, "messages":[{"content":"\\u00e9\xc3\xa9"}]}  '
    assert (await gateway.ask(body)).status == 200
    assert gateway.fake.asks[0].body == body
    assert gateway.fake.asks[0].model == "m"


async def test_a_body_that_is_too_large_or_no_object_is_refused_before_anybody_is_asked() -> None:
    gateway = Gateway()
    for body, status, code in (
        (b"{" + b" " * MAX_BODY_BYTES + b"}", 413, "body_too_large"),
        (b"[]", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
        (b'{"a":', 400, "invalid_json"),
        (b"\xff\xfe{", 400, "invalid_json"),
    ):
        answered = await gateway.ask(body)
        assert (answered.status, answered.error["code"]) == (status, code)
        assert answered.headers["x-request-id"]
    assert gateway.fake.asks == []
    gateway.assert_all_free()
