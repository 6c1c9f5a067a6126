"""What somebody may use and has used, as operators and the people themselves see it, and how it is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tidegate.core.accounts import User
from tidegate.core.quotas.budget import MOST_TOKENS, Budget, Payer, State
from tidegate.core.quotas.windows import Window
from tidegate.services.quotas import Quotas


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """One window of a payer: tokens `used` in it, and its limit (0 is none), which `is_own` or the default.

    `is_probation`: it is that of a new account.
    """

    window: Window
    limit: int
    is_own: bool
    used: int
    remaining: int | None
    resets_at_s: float
    is_probation: bool = False


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All windows of a user, or of a key of theirs."""

    email: str
    key: str | None
    windows: list[Allowance]

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(window.limit for window in self.windows)

    @property
    def is_on_probation(self) -> bool:
        """Whether a limit is that of a new account."""
        return any(window.is_probation for window in self.windows)


async def sheets(quotas: Quotas, owner: User, payers: Sequence[Payer]) -> list[Sheet]:
    """What these payers of an owner's may use and have used. Raises StorageUnavailableError."""
    described, owns = await quotas.described(payers), await quotas.limits(payers)
    return [
        Sheet(
            email=owner.email,
            key=None if payer.name == owner.id else payer.name,
            windows=[_allowance(state, own) for state in states],
        )
        for payer, own, states in zip(payers, owns, described, strict=True)
    ]


def limits_of(limits: Mapping[Window, int | None]) -> dict[str, int | None]:
    """Limits by the names that a budget has for them. Raises ValueError naming the one that nobody can mean."""
    named = {f"per_{window}": limit for window, limit in limits.items()}
    check(named)
    return named


def check(limits: Mapping[str, int | None]) -> None:
    """Raise ValueError naming a limit that nobody can mean."""
    for name, limit in limits.items():
        if limit is not None and not 0 <= limit <= MOST_TOKENS:
            msg = f"{name}: expected a number of tokens from 0 (no limit) to {MOST_TOKENS}"
            raise ValueError(msg)


def used_in(window: Window, states: Sequence[State]) -> int:
    """The tokens used in one of the windows."""
    return next(state.used for state in states if state.window is window)


def _allowance(state: State, own: Budget) -> Allowance:
    return Allowance(
        window=state.window,
        limit=state.limit,
        is_own=getattr(own, f"per_{state.window}") is not None,
        used=state.used,
        remaining=state.remaining if state.limit else None,
        resets_at_s=state.resets_at_s,
        is_probation=state.is_probation,
    )
