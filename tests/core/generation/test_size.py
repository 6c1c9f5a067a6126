"""A prompt's size is known without counting its tokens, and without writing it out again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.generation.call import ChatCall, Sampling, TextCall, Turn
from tidegate.core.generation.size import most_tokens, prompt_bytes


def chat(*contents: str | None, **more: Any) -> ChatCall:
    return ChatCall(messages=[Turn(role="user", content=one) for one in contents], sampling=Sampling(), **more)


@given(st.lists(st.text()))
def test_texts_count_as_what_they_are_in_utf_8(contents: list[str]) -> None:
    assert prompt_bytes(chat(*contents)) == sum(len(one.encode()) for one in contents)


@pytest.mark.parametrize(
    ("call", "size_bytes"),
    [
        (chat("four"), 4),
        (chat(None), 0),
        (chat("a", tools=[{"name": "tide"}]), 1 + 8),
        (chat("a", response_format={"é": [1, None, True]}), 1 + 2 + 3),
        (ChatCall(messages=[Turn(role="assistant", reasoning_content="Hm", tool_calls=["x"])], sampling=Sampling()), 3),
        (TextCall(prompt="漢", sampling=Sampling()), 3),
        (TextCall(prompt=[1, 2, 3], sampling=Sampling()), 12),
    ],
)
def test_everything_that_the_engine_reads_counts(call: ChatCall | TextCall, size_bytes: int) -> None:
    assert prompt_bytes(call) == size_bytes


def test_no_depth_is_too_deep() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]

    assert prompt_bytes(chat("", tools=deep)) == 1
    assert most_tokens(chat("", tools=deep)) >= 200_000


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 62), 1 << 62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.lists(st.text()), st.dictionaries(st.text(), _JSON, min_size=1))
def test_a_prompt_has_no_more_tokens_than_bytes_when_it_is_written_out(contents: list[str], schema: Any) -> None:
    """No token is shorter than a byte; around each message a template may write its share."""
    written = len(msgspec.json.encode(schema))
    texts = sum(len(one.encode()) for one in contents)

    assert most_tokens(chat(*contents)) == texts + 512 + 32 * len(contents)
    assert most_tokens(chat(*contents, response_format=schema)) >= texts + written
    assert most_tokens(chat(*contents, tools=[schema])) >= texts + written


def test_a_text_to_continue_has_no_more_tokens_than_bytes_and_one_before_it() -> None:
    assert most_tokens(TextCall(prompt="\u00e9a", sampling=Sampling())) == 1 + 3
    assert most_tokens(TextCall(prompt=[7, 8], sampling=Sampling())) == 1 + 2
