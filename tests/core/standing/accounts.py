"""Accounts of any age that were served on so many days."""

from __future__ import annotations

from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import UserId
from tidegate.core.standing.history import DAY_S, SERVED_DAY_TOKENS
from tidegate.core.standing.record import Record, StandingPlan

NOW = 20_000 * DAY_S + DAY_S / 2
PLAN = StandingPlan()
ANA = UserId("usr_0000000000000001")


def a_user_aged(age_days: float, user_id: UserId = ANA) -> User:
    made_at_s = NOW - age_days * DAY_S
    return User(id=user_id, email="ana@example.org", role=Role.USER, created_at_s=made_at_s, member_since_s=made_at_s)


def served_daily(age_days: float, days: int) -> Record:
    """The record of an account of this age now, once it was served on so many days from now on."""
    record = Record.of(a_user_aged(age_days))
    for day in range(days):
        record = record.with_served(SERVED_DAY_TOKENS, 1, NOW + day * DAY_S, PLAN)
    return record
