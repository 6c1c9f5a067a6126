"""Whatever comes, the gate remembers no more than its plan says, and whom it knows passes."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register

AT = 1.8e9
SOURCES = 10_000_000
KNOWN = Facts(
    address=b"\xc0\0\2\7",
    lane=Lane.CALL,
    bearing=Bearing.GENUINE,
    principal=UserId("usr_" + "aa" * 8),
    digest=b"d" * 32,
    requires_credential=True,
)


@given(
    most=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    turns=st.lists(
        st.tuples(
            st.sampled_from(list(Lane)),
            st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)),
            st.integers(0, 20),
            st.booleans(),
            st.integers(1, 4),
        ),
        max_size=50,
    ),
)
def test_no_map_ever_holds_more_than_the_plan_says(
    most: tuple[int, int], turns: list[tuple[Lane, bytes, int, bool, int]]
) -> None:
    """
    Also when the plan changes to fewer.
    """
    gate = Gate(GatePlan(most_sources=most[0], most_principals=most[1]), Register(StandingPlan(), 10))
    for lane, address, who, is_new, most_now in turns:
        if is_new:
            most = (most_now, most_now)
            gate.apply(GatePlan(most_sources=most_now, most_principals=most_now))
        gate.note_dead(address, AT)
        gate.note_guess(address, AT)
        gate.decide(Facts(address=address, lane=lane), AT)
        principal = UserId.of(who.to_bytes(8, "big"))
        held = Facts(address=address, lane=lane, bearing=Bearing.GENUINE, principal=principal, digest=bytes(32))
        gate.decide(held, AT)
        gate.decide(msgspec.structs.replace(held, bearing=Bearing.DEVICE, digest=who.to_bytes(10, "big")), AT)
        gate.decide(Facts(address=address, lane=lane, bearing=Bearing.TURN, digest=who.to_bytes(8, "big")), AT)
        for name, count in gate.remembered.items():
            assert count <= most[name in {"principals", "revoked", "devices", "owners", "readers", "turns"}]


def distinct(count: int) -> Iterator[bytes]:
    """So many addresses, no two in one /32 or /64, by turns IPv4 and IPv6, in no order."""
    for number in range(count // 2):
        # An odd factor is a bijection modulo a power of two.
        yield (number * 2_654_435_761 & 0xFFFFFFFF).to_bytes(4, "big")
        yield (number * 0x9E37_79B9_7F4A_7C15 & 0xFFFFFFFF_FFFFFFFF).to_bytes(8, "big") + b"\0\0\0\0\0\0\0\1"


@pytest.mark.slow
def test_ten_million_sources_take_no_more_memory_than_the_first_two_million() -> None:
    """
    A million requests a second for ten seconds, half of them with forged keys, by
    a plan so wide that every map is full and churns. Somebody with an account is
    passed each time.
    """
    plan = GatePlan(
        strangers_rate=100_000.0,
        strangers_burst=1000.0,
        account_strangers_rate=100_000.0,
        account_strangers_burst=1000.0,
    )
    gate = Gate(plan, Register(StandingPlan(), 10))
    kinds = (
        (Lane.PAGE, Bearing.NOTHING, False),
        (Lane.CALL, Bearing.FORGED, True),
        (Lane.ACCOUNT, Bearing.NOTHING, False),
        (Lane.SIGN_IN, Bearing.NOTHING, False),
        (Lane.SIGN_UP, Bearing.NOTHING, False),
        (Lane.INFERENCE, Bearing.FORGED, True),
    )
    blocks_at_first = passed = 0
    for number, address in enumerate(distinct(SOURCES)):
        now = AT + number * 1e-6
        # In no rhythm: a bucket that falls into it would pass one kind only.
        lane, bearing, is_for_holders = kinds[crc32(address) % len(kinds)]
        facts = Facts(address=address, lane=lane, bearing=bearing, requires_credential=is_for_holders)
        passed += type(gate.decide(facts, now)) is Passed
        if number & 7 == 0:
            gate.note_guess(address, now)
        if number % 50_000 == 0:
            assert gate.decide(KNOWN, now) == Passed(Standing.NEWCOMER)
        if number == SOURCES // 5:
            gc.collect()
            blocks_at_first = sys.getallocatedblocks()
    gc.collect()

    assert passed > SOURCES // 6, "too few came in to prove anything"
    assert sys.getallocatedblocks() - blocks_at_first < 1000
    remembered = gate.remembered
    names = ("principals", "cohorts", "revoked", "doubts", "devices", "owners", "readers")
    assert [remembered.pop(name) for name in names] == [1, 0, 0, 0, 0, 0, 0]
    assert [remembered.pop(name) for name in ("turns", "call_knocks", "inference_knocks")] == [0, 0, 0]
    assert [remembered.pop(f"{lane}_knocks") for lane in (Lane.ASSET, Lane.HEALTH)] == [0, 0]
    assert set(remembered.values()) == {plan.most_sources}, "a map is too full, or was never full"
