"""What sealing promises, apart from any database."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.sql.sealing import SealingKey
from tidegate.ports.conversations import UnreadableContentError

PLACE = ("usr_1", "cnv_1", "msg_1", "content")


@given(plain=st.binary(max_size=300))
def test_what_was_sealed_opens_with_its_key_in_its_place(plain: bytes) -> None:
    key = SealingKey(bytes(32))

    assert key.unseal(key.seal(plain, *PLACE), *PLACE) == plain


@given(plain=st.binary(max_size=40), data=st.data())
def test_a_single_flipped_bit_anywhere_makes_it_unreadable(plain: bytes, data: st.DataObject) -> None:
    key = SealingKey(bytes(32))
    sealed = bytearray(key.seal(plain, *PLACE))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << (bit % 8)

    with pytest.raises(UnreadableContentError):
        key.unseal(bytes(sealed), *PLACE)


@given(length=st.integers(0, 40))
def test_a_cut_value_is_unreadable_and_not_a_crash(length: int) -> None:
    key = SealingKey(bytes(32))

    with pytest.raises(UnreadableContentError):
        key.unseal(key.seal(b"twelve bytes", *PLACE)[:length], *PLACE)


@pytest.mark.parametrize("part", range(4))
def test_a_value_moved_to_another_place_is_unreadable(part: int) -> None:
    key = SealingKey(bytes(32))
    elsewhere = list(PLACE)
    elsewhere[part] = "other"

    with pytest.raises(UnreadableContentError):
        key.unseal(key.seal(b"text", *PLACE), *elsewhere)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(UnreadableContentError):
        SealingKey(os.urandom(32)).unseal(SealingKey(os.urandom(32)).seal(b"text", *PLACE), *PLACE)


def test_equal_texts_do_not_look_equal() -> None:
    key = SealingKey(bytes(32))

    assert len({key.seal(b"yes", *PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SealingKey(bytes(length))
