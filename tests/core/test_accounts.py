"""Addresses have one form, so that one person is one account."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.accounts import normalise_email


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ana@example.org", "ana@example.org"),
        ("  Ana@Example.ORG\n", "ana@example.org"),
        ("ANA.B+tag@sub.example.co", "ana.b+tag@sub.example.co"),
        ("Ana@xn--bcher-kva.example", "ana@xn--bcher-kva.example"),
        ("ÅSA@bücher.example", "åsa@bücher.example"),
        ("o'neil@example.org", "o'neil@example.org"),
        ('"a@b"@example.org', '"a@b"@example.org'),
    ],
)
def test_an_address_is_kept_in_one_form(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *("", "ana", "@example.org", "ana@", "ana@localhost", "ana@.org", "ana@org.", "ana@.", "a b@example.org"),
        *("ana@exa mple.org", "ana\0@example.org", "ana@example.org\u200b", "ana\ud83d@example.org"),
        *("a\tb@example.org", "a" * 243 + "@example.org", "ß" * 150 + "@example.org"),
    ],
)
def test_what_is_no_address_is_refused_by_name(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^email: "):
        normalise_email(typed)


def test_an_address_of_accents_without_end_is_refused_at_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalising takes the square of a run of accents, and everybody waits meanwhile."""
    normalised: list[int] = []
    real = unicodedata.normalize

    def noting(form: Literal["NFC"], text: str) -> str:
        normalised.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", noting)
    for accents in (243, 60_000):
        with pytest.raises(ValueError, match=r"^email: at most 254"):
            normalise_email("a" + "\u0301\u0323" * accents + "@example.org")
    normalise_email("ana@example.org")
    assert normalised == [15]


def test_the_longest_address_there_may_be_is_taken() -> None:
    assert len(normalise_email("a" * 242 + "@example.org")) == 254


@given(st.one_of(st.text(), st.text().map("{}@example.org".format), st.emails()))
def test_normalising_again_changes_nothing_and_the_bound_holds(typed: str) -> None:
    try:
        kept = normalise_email(typed)
    except ValueError:
        return  # Its words are promised above.
    assert normalise_email(kept) == kept
    assert len(kept) <= 254
    assert kept.isprintable()
    assert not any(c.isspace() for c in kept)


@given(st.emails())
def test_letter_case_makes_no_second_account(typed: str) -> None:
    assert normalise_email(typed.upper()) == normalise_email(typed.lower())
