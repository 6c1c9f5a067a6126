"""A gate with small numbers, those who come to it, and how tests ask it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import msgspec
from hypothesis import strategies as st

from tidegate.core.accounts import Role
from tidegate.core.admission.claims import Shed
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register

AT = 1.8e9
LANES = [lane for lane in Lane if lane is not Lane.HEALTH]
ABOUT_ACCOUNTS = frozenset({Lane.SIGN_IN, Lane.SIGN_UP, Lane.ACCOUNT})
OF_PASSWORDS = frozenset({Lane.SIGN_IN, Lane.ACCOUNT})
KNOWN = UserId("usr_" + "aa" * 8)
OTHER = UserId("usr_" + "bb" * 8)
DIGEST = b"d" * 32
PLAN = GatePlan(
    address_rate=1.0,
    address_burst=3.0,
    network_rate=2.0,
    network_burst=6.0,
    strangers_rate=10.0,
    strangers_burst=20.0,
    account_address_rate=0.5,
    account_address_burst=2.0,
    account_strangers_rate=5.0,
    account_strangers_burst=15.0,
    principal_rate=2.0,
    principal_burst=4.0,
    device_rate=0.1,
    device_burst=2.0,
    most_sources=100,
    most_principals=100,
    revoked_s=60.0,
)


def register() -> Register:
    """Knows one account, whose word an operator has given."""
    known = Register(StandingPlan(), 100)
    known.know(Record(principal=KNOWN, role=Role.USER, created_at_s=0, member_since_s=0, cohort=KNOWN, is_vouched=True))
    return known


def gate(plan: GatePlan = PLAN, **changes: Any) -> Gate:
    return Gate(msgspec.structs.replace(plan, **changes), register())


def stranger(address: str | None = "192.0.2.7", lane: Lane = Lane.PAGE, **told: Any) -> Facts:
    return Facts(address=ip_address(address).packed if address else None, lane=lane, **told)


def genuine(
    principal: UserId | None = KNOWN, lane: Lane = Lane.CALL, digest: bytes | None = DIGEST, **told: Any
) -> Facts:
    default: dict[str, Any] = {"address": ip_address("192.0.2.7").packed, "requires_credential": True}
    return Facts(lane=lane, bearing=Bearing.GENUINE, principal=principal, digest=digest, **default | told)


def passed(gate: Gate, facts: Facts, times: int = 50, now: float = AT) -> int:
    return sum(isinstance(gate.decide(facts, now), Passed) for _ in range(times))


def reason(decision: Passed | Refused) -> Reason:
    assert isinstance(decision, Refused)
    return decision.reason


class Full:
    """A scheduler's preview without any room, that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[UserId | None, Standing, int, float, float]] = []

    def __call__(
        self, principal: UserId | None, standing: Standing, size_bytes: int, patience_s: float, now: float
    ) -> Shed:
        self.asked.append((principal, standing, size_bytes, patience_s, now))
        return Shed(8.0)


SOURCES = st.one_of(
    st.builds(bytes, st.tuples(*[st.sampled_from([1, 2])] * 4)),
    st.builds(lambda head: head.ljust(16, b"\0"), st.binary(min_size=8, max_size=8)),
)
BARE = st.builds(
    Facts,
    address=st.one_of(SOURCES, st.none()),
    lane=st.sampled_from(list(Lane)),
    bearing=st.sampled_from([Bearing.NOTHING, Bearing.FORGED]),
    requires_credential=st.booleans(),
)
MARKED = st.builds(
    Facts,
    address=st.one_of(SOURCES, st.none()),
    lane=st.sampled_from(list(Lane)),
    bearing=st.just(Bearing.DEVICE),
    principal=st.sampled_from([KNOWN, OTHER]),
    digest=st.sampled_from([b"d" * 10, b"e" * 10]),
    requires_credential=st.booleans(),
)
HELD = st.builds(
    genuine,
    st.sampled_from([KNOWN, OTHER]),
    st.sampled_from(list(Lane)),
    st.sampled_from([DIGEST, b"e" * 32]),
    address=st.one_of(SOURCES, st.none()),
)
CLOCK = st.one_of(st.floats(0, 2), st.floats(-0.5, 0.5), st.floats(-1e4, 1e4))
TURNS = st.lists(st.tuples(st.one_of(BARE, MARKED, HELD), CLOCK), max_size=50)
