"""What a search in one's own words looks for, and what of a text it shows.

Two texts are the same when they differ only in case and in how their letters
are composed (The Unicode Standard, section 3.13, canonical caseless matching,
with NFC for NFD: a word without an accent is another word). Everything here
takes time linear in the text, whatever the text: normalising alone would take
the square of the longest run of marks, so what has more than 30 in a row is
parted first, as the Stream-Safe Text Format does (UAX #15 section 13).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final

MAX_QUERY_CHARACTERS: Final = 200
MAX_WORDS: Final = 16
_BEFORE, _AFTER = 40, 120
_LONGEST_RUN = 30
_JOINER = "\u034f"
"""Combining grapheme joiner: nothing to see, and no mark passes it."""
_UNMARKED_MARKS = "\u0f73\u0f75\u0f81"
"""Of no combining class themselves, but decomposed they are two marks."""


def words_of(query: str) -> tuple[str, ...]:
    """Take a query apart: different words, in one case and one composition, at most 16.

    Raises ValueError naming the field when nothing is left to look for, or the
    query has more than 200 characters.
    """
    if len(query) > MAX_QUERY_CHARACTERS:
        msg = f"q: at most {MAX_QUERY_CHARACTERS} characters"
        raise ValueError(msg)
    words = tuple(dict.fromkeys(_caseless(_composed(query)).split()))[:MAX_WORDS]
    if not words:
        msg = "q: a word to look for is needed"
        raise ValueError(msg)
    return words


def excerpt(text: str, words: Sequence[str]) -> str | None:
    """Some of `text` around the first of `words`, on one line; None unless all of them are in it.

    `words` are as `words_of` gives them. An excerpt begins and ends between
    words where it can, and says with "…" that there is more.
    """
    # What is shown is composed too, so that an accent is not cut from its letter.
    composed = _composed(text)
    folded = _caseless(composed)
    if not all(word in folded for word in words):
        return None
    found_at, word = min((folded.find(word), word) for word in words)
    starts_at = _unfolded(composed, folded, found_at)
    ends_at = min(_unfolded(composed, folded, found_at + len(word) - 1) + 1, len(composed))
    start, end = max(0, starts_at - _BEFORE), min(len(composed), ends_at + _AFTER)
    before, found, after = composed[start:starts_at], composed[starts_at:ends_at], composed[ends_at:end]
    if start:
        before = _from_a_space(before)
    if end < len(composed):
        after = _from_a_space(after[::-1])[::-1]
    shown = " ".join(f"{before}{found}{after}".split())
    return f"{'…' if start else ''}{shown}{'…' if end < len(composed) else ''}"


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", _long_runs().sub(_parted, text))


def _caseless(composed: str) -> str:
    if composed.isascii():
        return composed.lower()  # The same, several times as fast.
    # Folding takes some letters apart (ΐ, ǰ), hence composed once more; what is composed already costs a glance.
    return unicodedata.normalize("NFC", composed.casefold())


@cache
def _long_runs() -> re.Pattern[str]:
    """What may be too many marks in a row. Beyond U+FFFF all is taken for marks: to tell them apart costs a search."""
    marks = "".join(filter(_is_mark, map(chr, range(0x300, 0x10000))))
    mark = f"[{marks}\U00010000-\U0001efff]"
    # The first stands alone: by it the search passes quickly over what has no marks at all.
    return re.compile(f"{mark}{mark}{{{_LONGEST_RUN},}}")


def _parted(run: re.Match[str]) -> str:
    parted, marks = [], 0
    for letter in run[0]:
        marks = marks + 1 if _is_mark(letter) else 0
        if marks > _LONGEST_RUN:
            parted.append(_JOINER)
            marks = 1
        parted.append(letter)
    return "".join(parted)


def _is_mark(letter: str) -> bool:
    return unicodedata.combining(letter) > 0 or letter in _UNMARKED_MARKS


def _unfolded(composed: str, folded: str, place: int) -> int:
    """Where in `composed` the letter stands that became the one at `place` of `folded`."""
    if len(folded) == len(composed):
        return place
    passed = accumulate(len(_caseless(letter)) for letter in composed)
    return next((index for index, until in enumerate(passed) if until > place), len(composed) - 1)


def _from_a_space(text: str) -> str:
    space = next((index for index, letter in enumerate(text) if letter.isspace()), 0)
    return text[space:]
