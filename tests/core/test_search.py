"""What is looked for, and what is shown of where it stands."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections.abc import Callable

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


def _ends_soon(act: Callable[[], object]) -> bool:
    """What takes the square of its length would take minutes; nothing is waited for that ends in time."""
    acting = threading.Thread(target=act, daemon=True)
    began_at = time.monotonic()
    acting.start()
    acting.join(60)
    return not acting.is_alive() and time.monotonic() - began_at < 20


@pytest.mark.parametrize(
    "marks",
    [
        "\u0301" * 60_000 + "\u0323" * 60_000,
        "\u0344" * 60_000 + "\u0323" * 60_000,
        "\u0f73" * 120_000,
        "\U0001d165" * 60_000 + "\U0001e94a" * 60_000,
    ],
    ids=["accents", "double accents", "marks of no class", "beyond the first plane"],
)
def test_a_heap_of_marks_takes_no_longer_than_its_length(marks: str) -> None:
    """Normalising takes the square of a run of marks, and nobody else has the processor meanwhile."""
    assert _ends_soon(lambda: excerpt(f"a{marks} needle", ("needle",)))


@pytest.mark.parametrize("mark", ["\u0301", "\u0f73", "\U0001e94a"])
def test_a_letter_is_found_under_any_number_of_marks(mark: str) -> None:
    for count in (29, 30, 31, 59, 60, 61, 199):
        shown = excerpt(f"before a{mark * count} after", words_of(f"A{mark * count}"))
        assert shown is not None
        assert shown.startswith("before ")
        assert shown.endswith(" after")


def test_up_to_thirty_marks_on_a_letter_may_come_in_any_order() -> None:
    above, below = "\u0301" * 15, "\u0323" * 15

    assert excerpt(f"a{above}{below}", words_of(f"a{below}{above}")) is not None


def test_letters_beyond_the_first_plane_are_not_taken_for_marks() -> None:
    letters = "𝒕𝒊𝒅𝒆" * 20

    assert excerpt(letters, words_of(letters[:4])) == letters
    assert excerpt(letters, words_of(letters[26:70])) == letters


def test_every_mark_of_unicode_counts_into_a_run() -> None:
    """None that a newer Python knows may be beyond what is looked at."""
    for letter in map(chr, range(0x110000)):
        first = unicodedata.normalize("NFD", letter)[0]
        if not unicodedata.combining(first):
            continue
        shown = excerpt(f"x {'a' + letter * 31} x", ("x",))
        assert shown is not None
        assert "\u034f" in shown, hex(ord(letter))


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
