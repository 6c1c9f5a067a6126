"""Only our own page, in the same session, has the token."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.credentials import ServerKeys
from tidegate.core.csrf import is_token, token

OLD, NEW, OTHER = bytes(32), bytes(range(32)), bytes(range(1, 33))


def _keys(current: int, **keys: bytes) -> ServerKeys:
    return ServerKeys(current=current, keys={int(name[1:]): key for name, key in keys.items()})


@given(seed=st.binary(max_size=64))
def test_a_token_is_good_for_its_seed(seed: bytes) -> None:
    keys = _keys(1, k1=NEW)

    assert is_token(token(seed, keys), seed, keys)
    assert token(seed, keys) == token(seed, keys)
    assert len(token(seed, keys)) == 32


@given(seeds=st.lists(st.binary(max_size=64), min_size=2, max_size=2, unique=True))
def test_a_token_is_worthless_in_another_session(seeds: list[bytes]) -> None:
    keys = _keys(1, k1=NEW)

    assert not is_token(token(seeds[0], keys), seeds[1], keys)


def test_a_token_under_a_key_that_was_replaced_is_good_until_that_key_goes() -> None:
    made = token(b"seed", _keys(0, k0=OLD))

    assert is_token(made, b"seed", _keys(1, k0=OLD, k1=NEW))
    assert not is_token(made, b"seed", _keys(1, k1=NEW))


@given(text=st.text(max_size=40))
def test_any_other_text_is_no_token_and_no_crash(text: str) -> None:
    keys = _keys(1, k1=NEW)

    assert not is_token(text, b"seed", keys)
    assert not is_token("\ud800", b"seed", keys)
    assert not is_token(token(b"seed", keys) + text + "0", b"seed", keys)
    assert not is_token(token(b"seed", keys).upper() + text, b"seed", _keys(1, k1=OTHER))
