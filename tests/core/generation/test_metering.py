"""An answer is passed on byte for byte, and what it comes to is counted on the way."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.generation.call import Usage
from tidegate.core.generation.metering import EVENT_LIMIT_BYTES, WHOLE_LIMIT_BYTES, Meter, Metered, NotAStreamError

SSE, LINES, WHOLE = "text/event-stream; charset=utf-8", "application/x-ndjson", "application/json"
FIGURES = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
USAGE = Usage(prompt_tokens=7, completion_tokens=3, cached_tokens=2)


def sse(*bodies: Any, end: str = "\n\n") -> bytes:
    return "".join(f"data: {body if body == '[DONE]' else json.dumps(body)}{end}" for body in bodies).encode()


def delta(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}], "usage": None}


ANSWER = (
    delta("one"),
    delta('"usage":{"prompt_tokens":9}\n\ndata: [DONE]'),
    {"choices": [], "usage": FIGURES},
    "[DONE]",
)


def through(meter: Meter, data: bytes, cuts: list[int]) -> tuple[bytes, int, Usage | None]:
    """Feed it cut at these places; answer all that was passed on, its pieces and the last figures."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    told = [meter.feed(data[start:end]) for start, end in pairwise(places)]
    told.append(meter.close())
    usages = [one.usage for one in told if one.usage is not None]
    return b"".join(one.data for one in told), sum(one.pieces for one in told), usages[-1] if usages else None


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@given(cuts=st.lists(st.integers(0, 1 << 16)))
def test_however_it_comes_a_stream_is_passed_on_whole_and_its_pieces_are_counted(end: str, cuts: list[int]) -> None:
    data = sse(*ANSWER, end=end)
    passed, pieces, usage = through(Meter(SSE), data, cuts)
    assert passed == data
    assert usage == USAGE
    assert pieces in {3, 4}, "the mark at the end is no piece, unless it came apart from what is before it"


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@given(cuts=st.lists(st.integers(0, 1 << 16)))
def test_usage_that_nobody_asked_for_is_counted_and_all_else_is_passed_on(end: str, cuts: list[int]) -> None:
    passed, _, usage = through(Meter(SSE, hides_usage=True), sse(*ANSWER, end=end), cuts)
    assert passed == sse(*ANSWER[:2], "[DONE]", end=end)
    assert usage == USAGE


def test_usage_beside_a_piece_of_the_answer_stays_with_it() -> None:
    data = sse({"choices": [{"delta": {"content": "x"}}], "usage": FIGURES})
    assert Meter(SSE, hides_usage=True).feed(data) == Metered(data, 1, USAGE)


def test_an_event_that_is_not_complete_is_kept_until_it_is() -> None:
    meter = Meter(SSE)
    assert meter.feed(b"data: {}\n") == Metered(b"")
    assert meter.feed(b"\ndata") == Metered(b"data: {}\n\n", 1)
    assert meter.close() == Metered(b"data")
    assert meter.close() == Metered(b"")


def test_anthropics_figures_come_in_two_events() -> None:
    meter = Meter(SSE)
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 5, "cache_read_input_tokens": 4}}}
    meter.feed(b"event: message_start\n" + sse(begun))
    told = meter.feed(sse({"type": "message_delta", "usage": {"output_tokens": 8}}))
    assert told.usage == Usage(prompt_tokens=5, completion_tokens=8, cached_tokens=4)


def test_the_responses_dialect_tells_its_figures_inside_of_the_response() -> None:
    figures = {"input_tokens": 5, "output_tokens": 6, "input_tokens_details": {"cached_tokens": 1}}
    told = Meter(SSE).feed(sse({"type": "response.completed", "response": {"usage": figures}}))
    assert told.usage == Usage(prompt_tokens=5, completion_tokens=6, cached_tokens=1)


def test_llama_cpps_own_rates_are_taken() -> None:
    timings = {"prompt_per_second": 100.5, "predicted_per_second": 20.0}
    told = Meter(SSE).feed(sse({"choices": [], "usage": FIGURES, "timings": timings}))
    assert told.usage is not None
    assert (told.usage.prefill_tok_s, told.usage.decode_tok_s) == (100.5, 20.0)


def test_ollamas_lines_are_pieces_and_the_last_tells_the_figures() -> None:
    data = b'{"message":{"content":"a"}}\n{"message":{"content":"b"}}\n'
    last = b'{"done":true,"prompt_eval_count":11,"eval_count":2}\n'
    meter = Meter(LINES)
    assert meter.feed(data + last[:9]) == Metered(data, 2)
    assert meter.feed(last[9:]) == Metered(last, 1, Usage(prompt_tokens=11, completion_tokens=2))
    assert meter.feed(b'"eval_count" {\n') == Metered(b'"eval_count" {\n', 1)


@given(cuts=st.lists(st.integers(0, 1 << 16)))
def test_an_answer_in_one_piece_is_passed_on_as_it_comes_and_read_at_its_end(cuts: list[int]) -> None:
    data = json.dumps({"choices": [{"message": {"content": "x" * 99}}], "usage": FIGURES}).encode()
    assert through(Meter(WHOLE), data, cuts) == (data, 0, USAGE)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"usage": 3}', b'{"usage": {"prompt_tokens": "many"}}', b"\xff", b"{}"]
)
def test_figures_that_cannot_be_read_are_none_and_what_came_is_passed_on(data: bytes) -> None:
    assert through(Meter(WHOLE), data, []) == (data, 0, None)
    event = b"data: " + data + b"\n\n"
    passed, _, usage = through(Meter(SSE, hides_usage=True), event, [])
    assert (passed, usage) == (event, None)


def test_figures_below_nothing_are_nothing() -> None:
    told = Meter(SSE).feed(sse({"usage": {"prompt_tokens": -5, "completion_tokens": -1}}))
    assert told.usage == Usage(prompt_tokens=0, completion_tokens=0)


def test_deep_nonsense_is_passed_on() -> None:
    data = b'data: {"usage":' + b"[" * 100_000 + b"\n\n"
    assert Meter(SSE).feed(data) == Metered(data, 1)


def test_what_is_neither_a_stream_nor_json_is_passed_on_uncounted() -> None:
    assert through(Meter("audio/mpeg"), b"\x00" * 100, [50]) == (b"\x00" * 100, 0, None)


def test_an_event_without_an_end_is_refused_and_a_huge_answer_is_not_kept() -> None:
    with pytest.raises(NotAStreamError):
        Meter(SSE).feed(b"x" * (EVENT_LIMIT_BYTES + 1))
    meter = Meter(WHOLE)
    assert meter.feed(b" " * (WHOLE_LIMIT_BYTES + 1)).pieces == 0
    meter.feed(b'{"usage":{"prompt_tokens":1}}')
    assert meter.close().usage is None
