"""A flood from many addresses keeps neither a new network out nor anybody whose turn it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.admission.gating import AT, gate, passed, reason, stranger
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.reasons import Reason

PAGE_ROOMY: dict[str, Any] = {
    "address_rate": 20.0,
    "address_burst": 60.0,
    "network_rate": 100.0,
    "network_burst": 300.0,
}
ACCOUNT_ROOMY: dict[str, Any] = {"account_address_rate": 20.0, "account_address_burst": 60.0, "most_sources": 1000}
SECONDS = 120


def beset(lane: Lane, *, until_s: float = SECONDS) -> tuple[Gate, float]:
    """A gate at which 40 addresses of 8 networks have asked ten times a second each for two minutes."""
    crowded = gate(**PAGE_ROOMY, **ACCOUNT_ROOMY)
    now = AT
    for step in range(int(until_s * 10)):
        now = AT + step / 10
        for number in range(40):
            crowded.decide(stranger(f"198.51.{number % 8}.{number}", lane), now)
    return crowded, now


@pytest.mark.parametrize("lane", [Lane.SIGN_UP, Lane.SIGN_IN, Lane.ACCOUNT, Lane.PAGE])
def test_a_network_that_is_new_passes_while_hundreds_of_requests_from_others_do_not(lane: Lane) -> None:
    crowded, now = beset(lane)

    assert reason(crowded.decide(stranger("198.51.1.1", lane), now)) is Reason.SLOW_DOWN
    assert passed(crowded, stranger("203.0.113.9", lane), 3, now) == 3


def test_who_knocks_on_is_one_of_the_crowd() -> None:
    crowded, now = beset(Lane.SIGN_UP)
    newcomer = stranger("203.0.113.9", Lane.SIGN_UP)

    assert passed(crowded, newcomer, 50, now) == 4
    assert passed(crowded, stranger("203.0.113.10", Lane.SIGN_UP), 50, now) == 0, "its network has knocked"
    for number in range(2):  # What strangers share fills up again, and others use it up but for what is kept.
        passed(crowded, stranger(f"198.51.{number}.1", Lane.SIGN_UP), 50, now + 21)
    assert passed(crowded, newcomer, 50, now + 21) == 1, "once every 20 s"


def test_in_calm_nobody_knocks() -> None:
    quiet = gate(**ACCOUNT_ROOMY)
    passed(quiet, stranger(lane=Lane.SIGN_UP), 5)
    assert quiet.remembered["sign_up_knocks"] == 0


@pytest.mark.parametrize("lane", [Lane.SIGN_UP, Lane.PAGE])
def test_whose_turn_it_is_passes_whatever_strangers_and_their_own_network_do(lane: Lane) -> None:
    crowded, now = beset(lane)
    for number in range(30):
        passed(crowded, stranger(f"203.0.113.{number}", lane), 5, now)
    here = stranger("203.0.113.9", lane)
    assert reason(crowded.decide(here, now)) is Reason.SLOW_DOWN

    turn = stranger("203.0.113.9", lane, bearing=Bearing.TURN, digest=b"t" * 8)
    assert isinstance(crowded.decide(turn, now), Passed)


def test_a_turn_is_a_few_requests_and_counts_nowhere_but_where_accounts_are_made() -> None:
    small = gate(device_rate=0.001, device_burst=3.0)

    def turn(lane: Lane, ticket: bytes = b"t" * 8) -> Facts:
        return stranger(lane=lane, bearing=Bearing.TURN, digest=ticket)

    assert passed(small, turn(Lane.SIGN_UP)) == 3
    assert passed(small, turn(Lane.SIGN_UP, b"u" * 8)) == 3
    assert passed(small, turn(Lane.SIGN_IN)) == 2, "as many as an address may"
    asking = stranger(lane=Lane.CALL, bearing=Bearing.TURN, digest=b"t" * 8, requires_credential=True)
    assert reason(small.decide(asking, AT)) is Reason.INVALID_API_KEY


def test_who_is_denied_is_denied_with_a_turn_too_unless_allowed() -> None:
    turn = stranger("192.0.2.7", Lane.SIGN_UP, bearing=Bearing.TURN, digest=b"t" * 8)
    denied = Networks(["192.0.2.0/24"])

    assert reason(gate(deny=denied).decide(turn, AT)) is Reason.SOURCE_BLOCKED
    assert isinstance(gate(deny=denied, allow=denied).decide(turn, AT), Passed)
    unnamed = stranger(None, Lane.SIGN_UP, bearing=Bearing.TURN, digest=b"t" * 8)
    assert isinstance(gate(deny=denied).decide(unnamed, AT), Passed)


def test_knocks_and_turns_are_bounded_and_follow_the_plan() -> None:
    crowded, now = beset(Lane.SIGN_UP, until_s=10)
    assert 0 < crowded.remembered["sign_up_knocks"] <= 8
    crowded.decide(stranger(lane=Lane.SIGN_UP, bearing=Bearing.TURN, digest=b"t" * 8), now)
    crowded.decide(stranger(lane=Lane.SIGN_UP, bearing=Bearing.TURN, digest=b"u" * 8), now)
    crowded.apply(GatePlan(most_sources=1, most_principals=1))
    assert crowded.remembered["sign_up_knocks"] == 1
    assert crowded.remembered["turns"] == 1
