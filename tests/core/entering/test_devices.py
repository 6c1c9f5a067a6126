"""A device's mark says where its account has signed in before; nobody else can make one, and it opens nothing."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core import credentials
from tidegate.core.credentials import Forged, Kind, ServerKeys
from tidegate.core.entering.devices import DEVICE_BYTES, MOST_MARKS, issue, read, renewed
from tidegate.core.identifiers import UserId

KEYS = ServerKeys(1, {1: b"k" * 32})
ROTATED = ServerKeys(2, {1: b"k" * 32, 2: b"n" * 32})
OTHERS = ServerKeys(1, {1: b"o" * 32})
AT, LASTS_S = 1.8e9, 1000.0
ANA, BO = UserId("usr_" + "aa" * 8), UserId("usr_" + "bb" * 8)
DEVICE = b"d" * DEVICE_BYTES
MARK = issue(ANA, "ana@example.org", KEYS, now=AT, entropy=DEVICE)


def account(number: int) -> UserId:
    return UserId.of(number.to_bytes(8, "big"))


@given(
    principal=st.binary(min_size=8, max_size=8).map(UserId.of),
    address=st.text(max_size=40),
    other=st.text(max_size=40),
    device=st.binary(min_size=DEVICE_BYTES, max_size=DEVICE_BYTES),
)
def test_a_mark_tells_whose_it_is_and_of_which_address(
    principal: UserId, address: str, other: str, device: bytes
) -> None:
    mark = issue(principal, address, KEYS, now=AT, entropy=device)
    (found,) = read(mark, KEYS, now=AT, lasts_s=LASTS_S)

    assert (found.principal, found.issued_at, found.id) == (principal, int(AT), device)
    assert found.is_of(address, KEYS)
    assert found.is_of(other, KEYS) is (other == address)
    assert len(mark) == 64
    assert mark.replace("-", "").replace("_", "").isalnum()


@given(position=st.integers(0, 47), change=st.integers(1, 255))
def test_a_changed_mark_is_none(position: int, change: int) -> None:
    raw = bytearray(urlsafe_b64decode(MARK))
    raw[position] ^= change

    assert read(urlsafe_b64encode(raw).decode(), KEYS, now=AT, lasts_s=LASTS_S) == ()


@given(text=st.text(max_size=300))
def test_anything_else_is_no_mark(text: str) -> None:
    assert read(text, KEYS, now=AT, lasts_s=LASTS_S) == ()


@pytest.mark.parametrize("text", ["", "A" * 64, "!" * 64, "A" * 63 + "=", "\u0661" * 64, MARK + "." + MARK[:-1] + "!"])
def test_what_looks_like_one_and_is_none_leaves_the_others_standing(text: str) -> None:
    assert [device.id for device in read(text, KEYS, now=AT, lasts_s=LASTS_S)] == [DEVICE] * text.startswith(MARK)


def test_a_mark_is_worth_nothing_elsewhere_and_outlives_a_change_of_keys() -> None:
    assert read(MARK, OTHERS, now=AT, lasts_s=LASTS_S) == ()
    (found,) = read(MARK, ROTATED, now=AT, lasts_s=LASTS_S)
    assert found.is_of("ana@example.org", ROTATED)
    assert not found.is_of("ana@example.org", ServerKeys(2, {2: b"n" * 32})), "its key is gone meanwhile"
    assert not found.is_of("ana@example.org", OTHERS)


def test_a_mark_ends_with_its_time() -> None:
    assert read(MARK, KEYS, now=AT + LASTS_S - 1, lasts_s=LASTS_S)
    assert read(MARK, KEYS, now=AT + LASTS_S, lasts_s=LASTS_S) == ()


def test_neither_a_session_nor_a_key_is_a_mark_nor_the_other_way_round() -> None:
    for kind in Kind:
        text = credentials.issue(kind, ANA, KEYS, now=AT, entropy=bytes(16))
        assert read(text[:64], KEYS, now=AT, lasts_s=LASTS_S) == ()
        assert isinstance(credentials.read(MARK, kind, KEYS), Forged)


@pytest.mark.parametrize(("principal", "device"), [(UserId.of(bytes(9)), DEVICE), (ANA, bytes(9))])
def test_what_does_not_fit_is_no_mark(principal: UserId, device: bytes) -> None:
    with pytest.raises(ValueError, match="8-byte principal"):
        issue(principal, "ana@example.org", KEYS, now=AT, entropy=device)


@given(signing_in=st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_a_browser_remembers_the_last_few_who_signed_in_each_as_the_device_it_was(signing_in: list[int]) -> None:
    """
    Whoever is forgotten and comes back is a new device.
    """
    cookie, kept = "", list[int]()
    devices: dict[int, bytes] = {}
    for turn, who in enumerate(signing_in):
        fresh = turn.to_bytes(DEVICE_BYTES, "big")
        cookie = renewed(cookie, account(who), f"{who}@example.org", KEYS, now=AT, lasts_s=LASTS_S, entropy=fresh)
        devices[who] = devices[who] if who in kept else fresh
        kept = [who, *(one for one in kept if one != who)][:MOST_MARKS]

        found = read(cookie, KEYS, now=AT, lasts_s=LASTS_S)
        assert [device.principal for device in found] == [account(one) for one in kept]
        assert [device.id for device in found] == [devices[one] for one in kept]


def test_a_mark_lasts_from_the_last_sign_in_on() -> None:
    text = renewed(MARK, ANA, "ana@example.org", ROTATED, now=AT + 900, lasts_s=LASTS_S, entropy=bytes(DEVICE_BYTES))

    (found,) = read(text, ROTATED, now=AT + 1800, lasts_s=LASTS_S)
    assert (found.id, found.key) == (DEVICE, 2)
