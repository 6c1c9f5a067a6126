"""What a new conversation is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.titles import MOST_CHARACTERS, title_of


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("\n \n  First\tline \nsecond", "First line"),
        ("word " * 40, ("word " * 12)[:59].rstrip() + "…"),
        ("漢" * 100, "漢" * 59 + "…"),
        ("x" * 60, "x" * 60),
        (" \n ", "…"),
    ],
)
def test_a_title_is_the_first_line_cut_at_a_word(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(max_size=300))
def test_a_title_is_one_short_line_that_is_never_empty(question: str) -> None:
    title = title_of(question)

    assert 1 <= len(title) <= MOST_CHARACTERS
    assert len(title.splitlines()) == 1
