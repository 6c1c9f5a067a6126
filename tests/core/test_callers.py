"""A caller's name is made of its key: always the same, and telling nothing of the key."""

from __future__ import annotations

from hashlib import blake2s

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.core.callers import principal_of

SECRET = bytes(range(32))
KEY = "sk-proj-AbC123_def"


def test_a_key_has_one_name_in_one_instance_and_keeps_it_for_ever() -> None:
    """The name is what everything known of a caller is kept under: another one would make strangers of all."""
    assert principal_of(KEY, SECRET) == "usr_17e3c6bcf6cc3b39"


@pytest.mark.parametrize(
    "text",
    [f"  {KEY}\r\n", f"Bearer {KEY}", f"bearer {KEY}", f" BEARER\t {KEY} "],
    ids=["blanks", "header", "lower case", "both"],
)
def test_blanks_and_the_scheme_do_not_count(text: str) -> None:
    assert principal_of(text, SECRET) == principal_of(KEY, SECRET)


@pytest.mark.parametrize(
    "text", [KEY.lower(), f"{KEY}x", f"Bearer{KEY}", f"x Bearer {KEY}", f"Bearer Bearer {KEY}", ""]
)
def test_any_other_key_has_another_name(text: str) -> None:
    assert principal_of(text, SECRET) != principal_of(KEY, SECRET)


def test_a_scheme_without_a_key_is_an_empty_key() -> None:
    assert principal_of("Bearer ", SECRET) == principal_of("", SECRET)


def test_another_instance_gives_another_name_and_no_log_line_shows_it() -> None:
    assert principal_of(KEY, SECRET) != principal_of(KEY, SECRET[::-1])
    assert blake2s(KEY.encode(), key=SECRET, digest_size=8).hexdigest() not in principal_of(KEY, SECRET)


@given(st.text())
@example("\ud800")
def test_whatever_is_shown_has_a_name(text: str) -> None:
    """Also what no text encoding can write: headers are anybody's bytes."""
    assert len(principal_of(text, SECRET).entropy) == 8
