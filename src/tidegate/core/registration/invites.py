"""Invitations: one person's word for another, good for one account.

    (made) -> open -> used        by the one account that it was good for
                   -> revoked     by whoever made it, or an operator
                   -> expired     by itself

An invitation is used just before its account is made, for an account of a given
id. If none was made under that id within HELD_S, it is open again: whoever was
refused for a weak password, or by a crash, still has it. So it never leads to
two accounts, and none is lost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.identifiers import InviteId, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S

HELD_S: Final = 120.0
"""So long an invitation is kept for an account that is being made. A password waits for no longer to be hashed."""

MONTH_S: Final = 30 * DAY_S


class InviteState(StrEnum):
    """What has become of an invitation."""

    OPEN = "open"
    USED = "used"
    REVOKED = "revoked"
    EXPIRED = "expired"


class InvitePlan(msgspec.Struct, frozen=True, kw_only=True):
    """`per_month`: made by one established account in MONTH_S; `lasts_s`: how long one can be used."""

    per_month: int = 3
    lasts_s: float = 7 * DAY_S


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, without its text. `made_by` nobody: by an operator's command. With `email`, for that address only.

    Times are Unix seconds.
    """

    id: InviteId
    made_by: UserId | None
    email: str | None
    made_at_s: float
    expires_at_s: float
    used_by: UserId | None = None
    used_at_s: float | None = None
    revoked_at_s: float | None = None

    def state(self, now: float) -> InviteState:
        """What has become of it. One that is held for an account counts as used."""
        if self.used_by is not None:
            return InviteState.USED
        if self.revoked_at_s is not None:
            return InviteState.REVOKED
        return InviteState.OPEN if now < self.expires_at_s else InviteState.EXPIRED

    def is_for(self, email: str) -> bool:
        """Whether somebody with this normalised address may use it."""
        return self.email is None or self.email == email


def may_make(standing: Standing, plan: InvitePlan, findings: int) -> int | None:
    """How many invitations somebody may make in MONTH_S; None is any number.

    Against so many of the accounts that they invited lately there are `findings`:
    each takes one away, for whoever brings abusers brings no more of them.
    """
    if standing is Standing.OPERATOR:
        return None
    if standing is not Standing.ESTABLISHED:
        return 0
    return max(0, plan.per_month - findings)
