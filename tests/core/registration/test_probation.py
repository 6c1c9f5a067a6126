"""How many tokens a new account may use in a day."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.accounts import Role
from tidegate.core.identifiers import UserId
from tidegate.core.registration.probation import Probation, ProbationPlan, allowance
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, History
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.testing.standing import a_record

NOW = 1_790_000_000.0
PLAN = StandingPlan()
PROBATION = ProbationPlan(tokens=1000, days=4.0)


def _new(age_days: float = 0.0, *, days: float = 0.0, is_verified: bool = True) -> Record:
    made = a_record(UserId.of(os.urandom(8)), Standing.NEWCOMER, NOW - age_days * DAY_S)
    return msgspec.structs.replace(
        made, is_self_made=True, is_verified=is_verified, history=History(days=days, counted_at_s=NOW)
    )


def _allowed(record: Record, probation: ProbationPlan = PROBATION) -> int:
    return allowance(record, probation, PLAN, NOW)


def test_the_first_day_is_the_plans() -> None:
    """And half of it where nobody proved the address."""
    assert _allowed(_new()) == 1000
    assert _allowed(_new(is_verified=False)) == 500


@pytest.mark.parametrize(("age_days", "expected"), [(1.0, 1250), (4.0, 2000), (400.0, 2000)])
def test_age_alone_doubles_it_and_no_more(age_days: float, expected: int) -> None:
    """Accounts that are kept for later stay small."""
    assert _allowed(_new(age_days)) == expected


def test_each_served_day_adds_as_much_again() -> None:
    """Whoever uses the service hardly notices."""
    assert _allowed(_new(1.0, days=1.0)) == 2250


@pytest.mark.parametrize(
    ("tokens", "age_s", "expected"), [(200_000, 58.0, 100_000), (200_000, 86_400.0, 125_000), (2_000, 3_600.0, 1_010)]
)
def test_it_is_a_round_number(tokens: int, age_s: float, expected: int) -> None:
    """It grows by the second, and people read it."""
    young = _new(age_s / DAY_S, is_verified=False)

    assert _allowed(young, ProbationPlan(tokens=tokens, days=4.0)) == expected


def test_it_ends_for_members_and_not_before_its_days() -> None:
    """Two days of use make a member by default, but the plan may want more."""
    assert _allowed(_new(3.0, days=2.0)) == 3750
    assert _allowed(_new(4.0, days=2.0)) == 0
    assert _allowed(_new(400.0, days=1.9)) > 0


@pytest.mark.parametrize(
    "changed",
    [{"is_self_made": False}, {"role": Role.OPERATOR}, {"is_vouched": True}],
    ids=["made by an operator", "operator", "vouched for"],
)
def test_whom_an_operator_brought_is_never_on_probation(changed: dict[str, object]) -> None:
    """Imports among them."""
    assert _allowed(msgspec.structs.replace(_new(), **changed)) == 0


def test_without_a_plan_nobody_is() -> None:
    assert _allowed(_new(), ProbationPlan(tokens=0)) == 0


def test_a_finding_takes_back_what_was_earned() -> None:
    """Also an operator's word, and age counts for nothing meanwhile."""
    found = msgspec.structs.replace(_new(9.0, days=50.0), is_vouched=True).with_finding(NOW + DAY_S)

    assert _allowed(found) == 1000


@given(
    st.floats(0, 4000),
    st.floats(0, 1.5),
    st.booleans(),
    st.integers(1, 10**15),
    st.floats(0.1, 400),
)
def test_whoever_is_on_probation_has_something(
    age_days: float, days: float, is_verified: bool, tokens: int, lasts_days: float
) -> None:
    """Never nothing, which would be no limit; never more than its days and its age make it."""
    found = _allowed(_new(age_days, days=days, is_verified=is_verified), ProbationPlan(tokens=tokens, days=lasts_days))

    assert 1 <= found <= tokens * (2 + days) + 1


def test_it_is_told_of_those_who_are_known() -> None:
    """Of others nothing, whatever the payer is called."""
    register = Register(PLAN, 10)
    record = _new()
    register.know(record)
    probation = Probation(register, PROBATION)

    assert probation(record.principal, NOW) == 1000
    assert probation(UserId.of(os.urandom(8)), NOW) == 0
    probation.plan = ProbationPlan(tokens=0)
    assert probation(record.principal, NOW) == 0
