"""A letter says the same as text and as a page, and what a stranger typed is only text in it."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.mail.writing import NOW, SITE, URL, accounts_letter, strangers_letter
from tidegate.core.mail import wording
from tidegate.core.mail.letter import Letter, LetterKind

ALL = (
    strangers_letter(),
    accounts_letter(),
    wording.have_account("ana@example.org", URL, SITE, NOW),
    wording.password_changed("ana@example.org", URL, SITE, NOW),
    wording.sign_in_link("ana@example.org", URL, SITE, NOW),
    wording.new_device("ana@example.org", URL, SITE, "22 November", NOW),
    wording.invitation("ana@example.org", URL, SITE, "23 November", NOW, NOW + 5),
    wording.turn_came("ana@example.org", URL, SITE, "23 November", NOW, NOW + 5),
)


def test_there_is_a_letter_of_each_kind() -> None:
    assert {letter.kind for letter in ALL} == set(LetterKind)


@pytest.mark.parametrize("letter", ALL, ids=lambda letter: letter.kind)
def test_the_link_stands_on_a_line_of_its_own_and_all_sentences_in_both_forms(letter: Letter) -> None:
    page = unescape(letter.page())

    assert URL in letter.text().splitlines()
    assert f'href="{URL}"' in page
    assert SITE in letter.text()
    assert all(line in page and line in letter.text() for line in (*letter.before, letter.label, *letter.after))


@pytest.mark.parametrize("letter", ALL, ids=lambda letter: letter.kind)
def test_a_letter_is_short_kind_and_says_what_to_do_when_it_was_not_asked_for(letter: Letter) -> None:
    assert len(letter.text()) < 700
    assert letter.text().startswith("Hello,")
    assert re.search(r"you need not do anything|choose a new password", letter.text())
    assert letter.good_until_s > NOW


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {tag, *(name for name, _ in attrs)}


@given(typed=st.text(max_size=60))
def test_whatever_stands_in_a_letter_it_gets_no_markup_of_its_own(typed: str) -> None:
    plain, told = Tags(), Tags()
    plain.feed(strangers_letter().page())
    told.feed(wording.confirm("ana@example.org", URL + typed, SITE + typed, NOW).page())

    assert told.seen == plain.seen
    assert not plain.seen & {"script", "img", "link", "iframe", "src"}


def test_a_letter_that_is_printed_gives_nothing_away() -> None:
    assert repr(accounts_letter()) == "Letter(reset)"
