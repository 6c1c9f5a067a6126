"""How many tokens a new account may use in a day, until it is known.

Whoever makes an account is given enough for an evening of talk, so that nobody
who means to use it notices. It grows with age, to twice as much, and by as much
again with each day on which the account was served answers (`history.py`); once
it is a member, and no sooner than after `days`, there is no such limit any more.
A hundred thousand accounts that were made to be used up once come to no more
than each is worth on its first day, and those that nobody uses stay below twice
that for ever. Where the address was not proved it is half.

On probation are only those who made their account themselves: never operators,
nor whom one vouches for or made an account for, imports among them. A finding
takes back what was earned, and the age does not count while it stands.
"""

from __future__ import annotations

import msgspec

from tidegate.core.accounts import Role
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S
from tidegate.core.standing.record import Record, StandingPlan, standing_of
from tidegate.core.standing.register import Register

_PROVEN = frozenset({Standing.OPERATOR, Standing.ESTABLISHED, Standing.MEMBER})
_DIGITS = 3
_OPERATOR = Role.OPERATOR


class ProbationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`tokens` of the first day, 0 is no probation; and how many days it lasts at the least."""

    tokens: int = 200_000
    days: float = 3.0


def allowance(record: Record, probation: ProbationPlan, plan: StandingPlan, now: float) -> int:
    """The tokens of one day at `now` (Unix s), rounded down to three digits, or 0 for who is not on probation."""
    if not record.is_self_made or record.role is _OPERATOR or not probation.tokens:
        return 0
    standing = standing_of(record, plan, now)
    age_days = max(0.0, now - record.created_at_s) / DAY_S
    if standing in _PROVEN and (record.is_vouched or age_days >= probation.days):
        return 0
    by_age = min(1.0, age_days / probation.days) if standing is not Standing.SUSPECT else 0.0
    by_use = record.history.days_at(now, plan.half_life_days)
    proved = 1.0 if record.is_verified else 0.5
    return _even(max(1, int(probation.tokens * proved * (1.0 + by_age + by_use))))


def _even(tokens: int) -> int:
    # People read it: it grows by the second, and 100,045 would look like a mistake.
    step: int = 10 ** max(0, len(str(tokens)) - _DIGITS)
    return tokens // step * step


class Probation:
    """Tells it of those whom a register knows; of others it says nothing. `plan` may be replaced at any time."""

    def __init__(self, register: Register, plan: ProbationPlan) -> None:
        """Ask this register, under whatever plan of standing it has at that moment."""
        self.plan = plan
        self._register = register

    def of(self, record: Record, now: float) -> int:
        """The tokens that this account may use in one day; 0 where it is not on probation."""
        return allowance(record, self.plan, self._register.plan, now)

    def __call__(self, payer: str, now: float) -> int:
        """The tokens that this account may use in one day; 0 where it is not on probation, or not known."""
        record = self._register.record(UserId(payer))
        # Open: only a store that fails leaves somebody who calls unknown, and old friends are among those.
        return 0 if record is None else self.of(record, now)
