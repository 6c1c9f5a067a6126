"""The gate's policy: tried dry first, changed while it runs, never one that shuts everybody out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.core.admission.gating import (
    AT,
    OTHER,
    PLAN,
    gate,
    genuine,
    passed,
    reason,
    stranger,
)
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Lane, Passed
from tidegate.core.admission.gate import GatePlan
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing


def test_a_dry_run_lets_an_account_beyond_its_budget_through_and_says_so() -> None:
    one = gate(is_dry_run=True)

    decisions = [one.decide(genuine(), AT) for _ in range(6)]

    assert decisions[:4] == [Passed(Standing.ESTABLISHED)] * 4
    assert decisions[4:] == [Passed(Standing.ESTABLISHED, would=Reason.SLOW_DOWN)] * 2


def test_a_dry_run_lets_the_denied_through_and_says_so() -> None:
    one = gate(is_dry_run=True, deny=Networks(["192.0.2.0/24"]))

    assert one.decide(stranger(), AT) == Passed(Standing.VISITOR, would=Reason.SOURCE_BLOCKED)


def test_another_plan_counts_at_once_and_keeps_what_was_taken() -> None:
    one = gate()
    assert passed(one, stranger()) == 3
    assert passed(one, stranger(lane=Lane.ACCOUNT)) == 2
    assert passed(one, genuine()) == 4
    one.note_dead(b"e" * 32, AT)

    wider = msgspec.structs.replace(
        PLAN, address_burst=5.0, account_address_burst=3.0, principal_burst=9.0, deny=Networks(["198.51.100.0/24"])
    )
    one.apply(wider)

    assert one.plan is wider
    assert passed(one, stranger()) == 2
    assert passed(one, stranger(lane=Lane.ACCOUNT)) == 1
    assert passed(one, genuine()) == 5
    assert reason(one.decide(stranger("198.51.100.1"), AT)) is Reason.SOURCE_BLOCKED
    assert one.remembered["revoked"] == 1

    one.apply(msgspec.structs.replace(wider, strangers_burst=1.0, network_burst=1000.0, revoked_s=1.0))
    assert passed(one, stranger("203.0.113.1")) == 0, "strangers together have used up what there is now"
    assert one.decide(genuine(OTHER, digest=b"e" * 32), AT + 2) == Passed(Standing.NEWCOMER)


def test_junk_keys_are_counted_by_the_new_plan_too() -> None:
    one = gate(strangers_burst=1.0)
    one.apply(PLAN)
    for number in range(30):
        one.decide(stranger(f"203.0.{number}.1", requires_credential=True), AT)

    assert one.remembered["addresses"] == 20


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("address_rate", 0.0),
        ("network_rate", -1.0),
        ("strangers_rate", float("nan")),
        ("principal_burst", 0.9),
        ("account_address_burst", float("nan")),
        ("most_sources", 0),
        ("revoked_s", 0.0),
        ("patience_s", -1.0),
    ],
)
def test_a_plan_by_which_nobody_would_ever_pass_cannot_be_made(name: str, told: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected .* not {told}"):
        GatePlan(**{name: told})
