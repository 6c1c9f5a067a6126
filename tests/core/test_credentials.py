"""What a credential promises: only this service can make one, and nothing can be turned into one."""

from __future__ import annotations

import re
from hashlib import blake2s, sha256
from zlib import crc32

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tidegate.core.credentials import (
    SCANNER_PATTERN,
    Forged,
    Genuine,
    Kind,
    ServerKeys,
    digest,
    issue,
    label,
    read,
)
from tidegate.core.identifiers import UserId

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
KEYS = ServerKeys(3, {3: b"k" * 32})
ANA = UserId.of(b"\1" * 8)

principals = st.binary(min_size=8, max_size=8).map(UserId.of)
entropies = st.binary(min_size=16, max_size=16)
kinds = st.sampled_from(Kind)


def base36(number: int, width: int) -> str:
    return "".join(DIGITS[number // 36**place % 36] for place in reversed(range(width)))


def forged_text(kind: str, body: int) -> str:
    """What an attacker writes who knows the format and the checksum: any body, and a check that fits."""
    stem = f"tg_{kind}_{base36(body, 72)}"
    return stem + base36(crc32(stem.encode()), 7)


@given(
    principals, entropies, kinds, st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(min_size=32, max_size=32)
)
def test_what_was_issued_is_genuine_and_says_whose_it_is(
    principal: UserId, entropy: bytes, kind: Kind, now: int, number: int, server_key: bytes
) -> None:
    keys = ServerKeys(number, {number: server_key})

    text = issue(kind, principal, keys, now=now + 0.25, entropy=entropy)

    assert read(text, kind, keys) == Genuine(principal, now, digest(text))
    assert digest(text) == sha256(text.encode()).digest()


@given(principals, entropies, kinds)
def test_a_secret_scanner_finds_it_in_any_text(principal: UserId, entropy: bytes, kind: Kind) -> None:
    text = issue(kind, principal, KEYS, now=1e9, entropy=entropy)

    assert re.findall(f"({SCANNER_PATTERN})", f"token={text}; and more") == [(text, kind.value)]


@given(st.data(), principals, entropies, kinds)
def test_changing_any_single_character_makes_it_a_forgery(
    data: st.DataObject, principal: UserId, entropy: bytes, kind: Kind
) -> None:
    text = issue(kind, principal, KEYS, now=1e9, entropy=entropy)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.one_of(st.sampled_from(DIGITS + DIGITS.upper() + "_ \n"), st.characters()))
    assume(other != text[at])

    changed = text[:at] + other + text[at + 1 :]

    assert isinstance(read(changed, kind, KEYS), Forged)


@given(st.integers(0, 36**72 - 1), kinds)
def test_knowing_the_format_and_the_checksum_is_not_enough(body: int, kind: Kind) -> None:
    assert isinstance(read(forged_text(kind.value, body), kind, KEYS), Forged)


@given(principals, entropies, kinds, st.integers(0, 46 * 8 - 1))
def test_flipping_any_bit_and_mending_the_checksum_is_caught_by_the_mac(
    principal: UserId, entropy: bytes, kind: Kind, bit: int
) -> None:
    body = int(issue(kind, principal, KEYS, now=1e9, entropy=entropy)[8:-7], 36)

    verdict = read(forged_text(kind.value, body ^ 1 << bit), kind, KEYS)

    # The two first bytes name the version and the server's key; all others only the MAC protects.
    assert verdict == Forged("unknown_key" if bit >= 44 * 8 else "mac")


@given(principals, entropies, st.binary(min_size=32, max_size=32))
def test_a_mac_under_any_other_key_is_a_forgery(principal: UserId, entropy: bytes, guess: bytes) -> None:
    assume(guess != KEYS.keys[3])

    text = issue(Kind.API_KEY, principal, ServerKeys(3, {3: guess}), now=1e9, entropy=entropy)

    assert read(text, Kind.API_KEY, KEYS) == Forged("mac")


@given(principals, entropies, kinds)
def test_one_kind_is_never_taken_for_the_other(principal: UserId, entropy: bytes, kind: Kind) -> None:
    other = Kind.SESSION if kind is Kind.API_KEY else Kind.API_KEY
    text = issue(kind, principal, KEYS, now=1e9, entropy=entropy)

    relabelled = forged_text(other.value, int(text[8:-7], 36))

    assert isinstance(read(text, other, KEYS), Forged)
    assert read(relabelled, other, KEYS) == Forged("mac")


def test_a_key_number_that_this_service_never_had_is_a_forgery() -> None:
    text = issue(Kind.API_KEY, ANA, ServerKeys(9, KEYS.keys | {9: b"x" * 32}), now=1e9, entropy=b"e" * 16)

    assert read(text, Kind.API_KEY, KEYS) == Forged("unknown_key")


def test_another_version_of_the_layout_is_not_guessed_at() -> None:
    payload = bytes((2, 3)) + b"p" * 8 + b"t" * 4 + b"e" * 16
    mac = blake2s(payload, key=KEYS.keys[3], digest_size=16, person=b"live").digest()

    assert read(forged_text("live", int.from_bytes(payload + mac, "big")), Kind.API_KEY, KEYS) == Forged("unknown_key")


def test_credentials_outlive_the_rotation_of_server_keys_until_their_key_is_dropped() -> None:
    old = ServerKeys(1, {1: b"1" * 32})
    both = ServerKeys(2, {1: b"1" * 32, 2: b"2" * 32})
    new = ServerKeys(2, {2: b"2" * 32})
    before = issue(Kind.SESSION, ANA, old, now=1e9, entropy=b"e" * 16)
    after = issue(Kind.SESSION, ANA, both, now=1e9, entropy=b"e" * 16)

    assert isinstance(read(before, Kind.SESSION, both), Genuine)
    assert isinstance(read(after, Kind.SESSION, both), Genuine)
    assert read(before, Kind.SESSION, new) == Forged("unknown_key")
    assert isinstance(read(after, Kind.SESSION, new), Genuine)


@given(st.text())
@example("")
@example("tg_live_")
@example("tg_live_" + "z" * 79)
@example("tg_live_" + "٣" * 79)
def test_any_other_text_is_a_forgery(text: str) -> None:
    assert isinstance(read(text, Kind.API_KEY, KEYS), Forged)


def test_a_body_too_large_for_its_bytes_is_not_a_second_way_to_write_one() -> None:
    """Numbers from 2^368 up still fit into 72 digits; they must not wrap around."""
    assert read(forged_text("live", 2**368), Kind.API_KEY, KEYS) == Forged("malformed")


def test_a_line_break_behind_a_genuine_credential_spoils_it() -> None:
    text = issue(Kind.API_KEY, ANA, KEYS, now=1e9, entropy=b"e" * 16)

    assert isinstance(read(text + "\n", Kind.API_KEY, KEYS), Forged)


@given(principals, entropies, kinds)
def test_the_label_shows_the_kind_and_no_digit_of_what_is_secret(principal: UserId, entropy: bytes, kind: Kind) -> None:
    text = issue(kind, principal, KEYS, now=1e9, entropy=entropy)

    head, _, tail = label(text).partition("...")

    assert head == f"tg_{kind.value}_"
    # Only digits of the checksum: the random part and the MAC stay whole.
    assert len(tail) == 4
    assert text[-7:].endswith(tail)
    assert isinstance(read(label(text), kind, KEYS), Forged)


@pytest.mark.parametrize(("principal", "entropy"), [(ANA, b"short"), (UserId.of(b"1" * 9), b"e" * 16)])
def test_a_credential_of_other_sizes_is_not_issued(principal: UserId, entropy: bytes) -> None:
    with pytest.raises(ValueError, match="8-byte principal and 16 random bytes"):
        issue(Kind.API_KEY, principal, KEYS, now=1e9, entropy=entropy)
