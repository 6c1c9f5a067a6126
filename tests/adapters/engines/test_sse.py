"""Event streams are read line by line, however they are cut into pieces; anything else is none."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.engines.sse import MOST_LINE_BYTES, payloads


async def _heard(pieces: Iterable[bytes]) -> list[bytes]:
    left = iter(pieces)

    async def read() -> bytes:
        return next(left, b"")

    return [payload async for payload in payloads(read)]


STREAM = (
    b': hello\r\n\r\ndata: {"a":1}\n\nevent: x\nid: 3\nretry: 5\n'
    b'data:{"b":2}\r\n\r\ndata: \n\ndata: [DONE]\n\ndata: no\n'
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
async def test_pieces_may_be_cut_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(edges) if end > start]
    assert await _heard(pieces) == [b'{"a":1}', b'{"b":2}']


async def test_a_last_line_without_an_end_counts() -> None:
    assert await _heard([b"data: 1\n\ndata: 2"]) == [b"1", b"2"]
    assert await _heard([b"data: 1\n\ndata: [DONE]"]) == [b"1"]


@pytest.mark.parametrize("body", [b"<html>\n", b'{"choices":[]}\n', b"data: 1\nnonsense\n", b"x"])
async def test_what_is_no_event_stream_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="no line of an event stream"):
        await _heard([body])


async def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    with pytest.raises(ValueError, match="a line without an end"):
        await _heard(b"data: " + b"x" * 65536 for _ in range(MOST_LINE_BYTES // 65536 + 2))
