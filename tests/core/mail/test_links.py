"""A link proves what it was written for, until its end, and nothing that was not written here proves anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.credentials import ServerKeys
from tidegate.core.mail.links import (
    LASTS_S,
    MOST_CHARACTERS,
    Broken,
    Link,
    Purpose,
    binding_of,
    is_bound,
    read,
    write,
)

KEYS = ServerKeys(current=1, keys={1: b"k" * 32})
NOW = 1_700_000_000.0
BOUND = binding_of("the hash", KEYS)
PURPOSES = st.sampled_from(list(Purpose))


@given(purpose=PURPOSES, subject=st.binary(min_size=1, max_size=320), later_s=st.floats(0, 800))
def test_a_link_brings_back_what_it_was_written_with(purpose: Purpose, subject: bytes, later_s: float) -> None:
    token = write(purpose, subject, BOUND, KEYS, NOW)
    found = read(purpose, token, KEYS, NOW + later_s)

    assert isinstance(found, Link)
    assert (found.subject, found.written_at_s, found.good_until_s) == (subject, NOW, NOW + LASTS_S[purpose])
    assert is_bound(found, "the hash", KEYS)
    assert not is_bound(found, "another hash", KEYS)
    assert len(token) <= MOST_CHARACTERS


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_ends(purpose: Purpose) -> None:
    token = write(purpose, b"ana", BOUND, KEYS, NOW)

    assert isinstance(read(purpose, token, KEYS, NOW + LASTS_S[purpose] - 1), Link)
    assert read(purpose, token, KEYS, NOW + LASTS_S[purpose]) is Broken.EXPIRED


def test_a_link_for_one_thing_is_none_for_another() -> None:
    for purpose in Purpose:
        token = write(purpose, b"ana", BOUND, KEYS, NOW)
        others = [read(other, token, KEYS, NOW) for other in Purpose if other is not purpose]
        assert others == [Broken.FORGED] * len(others)


@given(at=st.integers(0, 200), flip=st.integers(1, 255), purpose=PURPOSES)
def test_a_link_that_was_changed_anywhere_is_forged(at: int, flip: int, purpose: Purpose) -> None:
    token = write(purpose, b"ana@example.org", BOUND, KEYS, NOW)
    at %= len(token)
    changed = token[:at] + chr((ord(token[at]) ^ flip) & 0x7F) + token[at + 1 :]

    assert changed == token or read(purpose, changed, KEYS, NOW) is Broken.FORGED


@given(text=st.one_of(st.text(max_size=80), st.from_regex(r"[A-Za-z0-9_-]{1,120}", fullmatch=True)))
def test_any_other_text_is_forged_and_no_crash(text: str) -> None:
    assert read(Purpose.RESET, text, KEYS, NOW) is Broken.FORGED


@pytest.mark.parametrize("text", ["", "A" * (MOST_CHARACTERS + 1), "é", "=", "A", "AAAA=", "AA\n"])
def test_what_has_not_the_shape_of_a_link_is_forged(text: str) -> None:
    assert read(Purpose.RESET, text, KEYS, NOW) is Broken.FORGED


def test_a_link_has_one_spelling() -> None:
    token = write(Purpose.RESET, b"ana!", BOUND, KEYS, NOW)
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(token) % 4 != 0, "the last letter has unused bits"
    twin = token[:-1] + digits[digits.index(token[-1]) ^ 1]

    assert read(Purpose.RESET, twin, KEYS, NOW) is Broken.FORGED
    assert read(Purpose.RESET, token + "=", KEYS, NOW) is Broken.FORGED


def test_a_link_lives_as_long_as_the_key_that_it_was_written_under() -> None:
    token = write(Purpose.RESET, b"ana", BOUND, KEYS, NOW)
    rotated = ServerKeys(current=2, keys={1: b"k" * 32, 2: b"n" * 32})

    found = read(Purpose.RESET, token, rotated, NOW)
    assert isinstance(found, Link)
    assert is_bound(found, "the hash", rotated)
    assert read(Purpose.RESET, token, ServerKeys(current=2, keys={2: b"n" * 32}), NOW) is Broken.FORGED
    assert read(Purpose.RESET, token, ServerKeys(current=1, keys={1: b"x" * 32}), NOW) is Broken.FORGED


@pytest.mark.parametrize(("subject", "binding"), [(b"", BOUND), (b"a" * 321, BOUND), (b"ana", b"short")])
def test_a_link_of_another_form_is_not_written(subject: bytes, binding: bytes) -> None:
    with pytest.raises(ValueError, match="a link needs"):
        write(Purpose.RESET, subject, binding, KEYS, NOW)


def test_two_links_of_two_versions_are_not_mixed_up() -> None:
    token = write(Purpose.RESET, b"ana", BOUND, KEYS, NOW)

    assert read(Purpose.RESET, "Ag" + token[2:], KEYS, NOW) is Broken.FORGED
