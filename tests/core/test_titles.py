"""What a new conversation is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.titles import MOST_CHARACTERS, checked, title_of


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("\n \n  First\tline \nsecond", "First line"),
        ("word " * 40, ("word " * 12)[:59].rstrip() + "…"),
        ("漢" * 100, "漢" * 59 + "…"),
        ("x" * 60, "x" * 60),
        (" \n ", "…"),
        ("\u202etxt.exe\u202c and\x1b[31m more", "txt.exe and[31m more"),
        ("\u200b\n\u2066\u2069\nSecond", "Second"),
    ],
)
def test_a_title_is_the_first_line_cut_at_a_word(question: str, title: str) -> None:
    assert title_of(question) == title


@given(st.text(max_size=300))
def test_a_title_is_one_short_line_that_is_never_empty(question: str) -> None:
    title = title_of(question)

    assert 1 <= len(title) <= MOST_CHARACTERS
    assert len(title.splitlines()) == 1
    assert checked(title) == title


@pytest.mark.parametrize("title", ["Sky", " a b ", "Ξ 漢 🌊", "👩‍👩‍👧", "می‌خواهم", "שלום \u200f!", "é", "-"])
def test_what_people_call_things_is_a_title(title: str) -> None:
    """Also with the invisible letters that joined emoji, Persian and Hebrew need."""
    assert checked(title) == title.strip()


@pytest.mark.parametrize(
    "character", [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u202a\u202b\u202c\u202d\u202e",
                  *"\u2066\u2067\u2068\u2069\u2028\u2029"],
    ids=lambda character: f"U+{ord(character):04X}",
)  # fmt: skip
@pytest.mark.parametrize("where", ["{}a", "a{}b", "a{}"])
def test_what_would_change_how_the_page_around_a_title_reads_is_refused(character: str, where: str) -> None:
    with pytest.raises(ValueError, match="title: it contains") as refused:
        checked(where.format(character))

    assert f"U+{ord(character):04X}" in str(refused.value), "the person cannot see which one it is"


@pytest.mark.parametrize(
    "title", ["", " ", "\u00a0", "\u200b", "\u200d\ufeff", "\u2800", "\u3164", "\u115f\u1160", "\ufe0f"]
)
def test_a_title_that_nobody_can_see_is_refused(title: str) -> None:
    with pytest.raises(ValueError, match="title: "):
        checked(title)
