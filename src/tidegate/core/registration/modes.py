"""The modes of registration, what moves between them, and the record of a move.

Sign-in, password reset, sessions, keys and export know no mode: none of them asks.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.core.registration.signals import Signals


class RegistrationMode(StrEnum):
    """How far the gate has closed, the widest first."""

    OPEN = "open"
    THROTTLED = "throttled"
    WAITING_ROOM = "waiting_room"
    INVITE = "invite"
    CLOSED = "closed"

    @property
    def rank(self) -> int:
        """0 is open; the higher, the more is closed."""
        return _LADDER.index(self)

    @property
    def raised(self) -> RegistrationMode:
        """One step further closed; closed has none."""
        return _LADDER[min(self.rank + 1, len(_LADDER) - 1)]

    @property
    def lowered(self) -> RegistrationMode:
        """One step further open; open has none."""
        return _LADDER[max(self.rank - 1, 0)]

    def at_most(self, limit: RegistrationMode) -> RegistrationMode:
        """This one, or the limit where it is beyond that."""
        return self if self.rank <= limit.rank else limit


_LADDER = tuple(RegistrationMode)


class MovedBy(StrEnum):
    """Whose decision a move was: `auto` or `operator`, as in the event log."""

    AUTO = "auto"
    OPERATOR = "operator"


class Cause(StrEnum):
    """What a move, or staying, rests on."""

    SIGN_UP_RATE = "sign_up_rate"
    SIGN_UP_FLOOD = "sign_up_flood"
    ABUSE = "abuse"
    DIAGNOSIS = "diagnosis"
    LOW_HEADROOM = "low_headroom"
    EXHAUSTED = "exhausted"
    LONG_QUEUE = "long_queue"
    MAIL_BUDGET = "mail_budget"
    UNVERIFIED = "unverified"
    CALM = "calm"
    SETTINGS = "settings"
    OPERATOR = "operator"
    OVERRIDE_ENDED = "override_ended"


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """One move: from where to where, on whose decision, why, and what was known.

    `unjudged` are causes about which too little was known to count for or against
    the move. `is_dry` says that it was decided and not done. `evidence` is absent
    where an operator moved before anything was sampled.
    """

    was: RegistrationMode
    to: RegistrationMode
    by: MovedBy
    at: float
    causes: tuple[Cause, ...]
    unjudged: tuple[Cause, ...] = ()
    evidence: Signals | None = None
    is_dry: bool = False


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What would move the mode next, and in how many seconds if nothing changes.

    `in_s` is absent where nothing moves as things are; `causes` then say what holds the mode.
    """

    to: RegistrationMode
    causes: tuple[Cause, ...]
    in_s: float | None
