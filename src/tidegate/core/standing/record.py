"""What is known of an account, and the standing that it leads to.

No standing is bought: it takes days of being served (`history.py`), so neither
many accounts nor an old one that slept rise above `newcomer`. Only being served
raises a standing; the age that counts is the one at which the last served day
was counted, so that waiting alone raises nothing, except that a finding runs
out. The best that an account can become is `established`, and a finding takes
that at once.

An operator's word (`is_vouched`) makes an account established on the spot; what
it may do is bounded by its usual behaviour as for everybody. Operators are so by
their role, whatever is found: no rule that acts by itself locks them out.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, History

_VERIFIED_AGE: Final = 0.5
# Python 3.11 takes as long for a member of an enumeration as for a call, and everybody is judged by these.
_OPERATOR: Final = Role.OPERATOR
_ESTABLISHED: Final = Standing.ESTABLISHED
_NEWCOMER: Final = Standing.NEWCOMER
_PROVEN: Final = frozenset({Standing.OPERATOR, Standing.ESTABLISHED, Standing.MEMBER})


class StandingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How accounts come to be known; all in days, as the settings of the same names."""

    member_days: float = 2.0
    member_age_days: float = 2.0
    established_days: float = 5.0
    established_age_days: float = 14.0
    half_life_days: float = 60.0


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one account.

    `cohort` names the group of linked sign-ups that it belongs to: those from
    one network (`net:` and its fingerprint) or by one person's invitations
    (`inv:` and who that is); its own id when it stands alone.
    `is_verified`: its address has been proved, and half the age is enough to be a
    member. `is_born_in_flood`: it was made while a flood ran, and has not been a
    member since. `is_self_made`: its owner made it, and no operator for them.
    There is a finding against it until `suspect_until_s` (Unix s).
    """

    principal: UserId
    role: Role
    created_at_s: float
    member_since_s: float
    cohort: str
    is_verified: bool = False
    is_vouched: bool = False
    is_born_in_flood: bool = False
    is_self_made: bool = False
    suspect_until_s: float | None = None
    history: History = History()

    @classmethod
    def of(
        cls,
        user: User,
        net: Fingerprint | None = None,
        *,
        is_born_in_flood: bool = False,
        is_self_made: bool = False,
        inviter: UserId | None = None,
    ) -> Record:
        """What is known of an account that was just made, from the network `net` if that is known.

        Whoever came by somebody's invitation is of that one's cohort, wherever they came from.
        """
        linked = user.id if net is None else f"net:{net}"
        return cls(
            principal=user.id,
            role=user.role,
            created_at_s=user.created_at_s,
            member_since_s=user.member_since_s,
            cohort=linked if inviter is None else f"inv:{inviter}",
            is_born_in_flood=is_born_in_flood,
            is_self_made=is_self_made,
        )

    @classmethod
    def of_caller(cls, principal: UserId, now: float, net: Fingerprint | None = None) -> Record:
        """What is known of a caller without an account who is seen for the first time."""
        return cls(
            principal=principal,
            role=Role.USER,
            created_at_s=now,
            member_since_s=now,
            cohort=principal if net is None else f"net:{net}",
        )

    def is_suspect(self, now: float) -> bool:
        """Whether there is a finding against it that has not run out."""
        return self.suspect_until_s is not None and now < self.suspect_until_s

    def with_served(self, cost_tokens: float, in_flight: int, now: float, plan: StandingPlan) -> Record:
        """The record with one request more. Suspects earn nothing by being served."""
        is_counting = not self.is_suspect(now)
        history = self.history.with_served(cost_tokens, in_flight, now, plan.half_life_days, is_counting=is_counting)
        served = msgspec.structs.replace(self, history=history)
        if served.is_born_in_flood and standing_of(served, plan, now) in _PROVEN:
            return msgspec.structs.replace(served, is_born_in_flood=False)
        return served

    def with_finding(self, until_s: float) -> Record:
        """The record of a suspect: all that was earned is lost, also an operator's word."""
        if self.suspect_until_s is not None:
            until_s = max(until_s, self.suspect_until_s)
        return msgspec.structs.replace(self, suspect_until_s=until_s, is_vouched=False, history=self.history.lost())

    def with_word(self, *, is_vouched: bool) -> Record:
        """The record with an operator's word, which ends a finding; or without it."""
        until_s = None if is_vouched else self.suspect_until_s
        return msgspec.structs.replace(self, is_vouched=is_vouched, suspect_until_s=until_s)


def standing_of(record: Record, plan: StandingPlan, now: float) -> Standing:
    """How well an account is known. The same record, plan and moment lead to the same standing."""
    if record.role is _OPERATOR:
        return Standing.OPERATOR
    if record.suspect_until_s is not None and record.is_suspect(now):
        return Standing.SUSPECT
    if record.is_vouched:
        return Standing.ESTABLISHED
    history = record.history
    served_at_age_days = (history.counted_at_s - record.member_since_s) / DAY_S
    days = history.days_at(now, plan.half_life_days)
    if days >= plan.established_days and served_at_age_days >= plan.established_age_days:
        return _ESTABLISHED
    member_age_days = plan.member_age_days * (_VERIFIED_AGE if record.is_verified else 1.0)
    if days >= plan.member_days and served_at_age_days >= member_age_days:
        return Standing.MEMBER
    return Standing.VISITOR if record.is_born_in_flood else _NEWCOMER
