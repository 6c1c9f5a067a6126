"""What is looked for, and what is shown of where it stands."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.search import MAX_WORDS, excerpt, words_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_query_is_its_different_words_in_one_case_and_composition() -> None:
    assert words_of("  Tide TIDE\tStraße  cafe\u0301 ") == ("tide", "strasse", "café")


def test_a_query_has_a_word_and_is_not_too_long() -> None:
    for empty in ("", "  \t"):
        with pytest.raises(ValueError, match=r"^q: a word"):
            words_of(empty)
    assert words_of("x" * 200) == ("x" * 200,)
    with pytest.raises(ValueError, match=r"^q: at most 200"):
        words_of("x" * 201)
    assert len(words_of(" ".join(map(str, range(60))))) == MAX_WORDS


def test_all_words_must_be_there() -> None:
    assert excerpt("High water at noon", ("noon", "high")) == "High water at noon"
    assert excerpt("High water at noon", ("noon", "low")) is None


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("ΐ", "Ϊ\u0301"),
        ("J\u030c", "ǰ"),
        ("STRASSE", "straße"),
        ("ﬁn", "FIN"),
        ("I\u0307", "i\u0307"),
        ("가", "\u1100\u1161"),
    ],
)
def test_letters_that_are_the_same_in_another_case_or_composition_are_found(text: str, query: str) -> None:
    assert excerpt(text, words_of(query)) == unicodedata.normalize("NFC", text)


def test_a_letter_without_its_accent_is_another_letter() -> None:
    assert excerpt("cafe\u0301", ("cafe",)) is None


def test_a_long_text_is_cut_between_words_around_the_first_match() -> None:
    text = "before " * 50 + "the needle\nis here " + "after " * 50

    shown = excerpt(text, ("needle",))

    assert shown is not None
    assert shown.startswith("…before ")
    assert "before the needle is here after" in shown
    assert shown.endswith("after…")
    assert len(shown) < 200


@pytest.mark.parametrize("letters", ["ß", "İ", "ﬃ", "e\u0301", "ΐ", "漢"])
def test_the_match_is_shown_however_the_letters_before_it_change_their_number(letters: str) -> None:
    for text in (letters * 500 + "needle" + letters * 500, f"{letters} " * 500 + "needle" + f" {letters}" * 500):
        shown = excerpt(text, ("needle",))
        assert shown is not None
        assert "needle" in shown
        assert len(shown) <= 40 + 6 + 120 + 2


def test_a_word_as_long_as_a_query_is_shown_whole() -> None:
    shown = excerpt("a " * 90 + "x" * 200 + " b" * 90, ("x" * 200,))

    assert shown is not None
    assert f"a {'x' * 200} b" in shown


@given(before=TEXTS, word=st.sampled_from(["tide", "Straße", "ǰ", "море", "漢字"]), after=TEXTS)
def test_a_word_between_spaces_is_always_found_and_shown_on_one_line(before: str, word: str, after: str) -> None:
    shown = excerpt(f"{before} {word} {after}", words_of(word))

    assert shown is not None
    assert "\n" not in shown


@given(text=TEXTS, query=TEXTS.filter(lambda text: 0 < len(text) <= 60 and bool(text.strip())))
def test_any_query_on_any_text_has_an_answer(text: str, query: str) -> None:
    shown = excerpt(text, words_of(query))

    assert shown is None or shown.strip("…")
    assert excerpt(query.upper(), words_of(query.upper())) is not None
