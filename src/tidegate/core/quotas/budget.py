"""How much somebody may use, and what was kept of how much they have used."""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.quotas.windows import Window

MOST_TOKENS = 10**15
"""No budget is larger: every store and every wire can tell such a number exactly."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, prompt and answer together, for each window; 0 is no limit, None leaves it to what else applies."""

    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    per_month: int | None = None

    def limit(self, window: Window, default: Budget | None = None) -> int:
        """The tokens of one window, by the default where this leaves it open; 0 is no limit."""
        found: int | None = getattr(self, _FIELDS[window])
        if found is None and default is not None:
            return default.limit(window)
        return found or 0


_FIELDS: Final = {window: f"per_{window}" for window in Window}


class Payer(msgspec.Struct, frozen=True):
    """Whose budget something is charged to. Without `has_defaults` only limits of its own count.

    `owner` is for whoever keeps what was used: whose the payer is.
    """

    name: str
    has_defaults: bool = True
    owner: str = ""


class Used(msgspec.Struct, frozen=True):
    """So many tokens in the window of that number."""

    number: int = 0
    tokens: int = 0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a payer: the limits of its own, and what it has used in its last window of each kind."""

    payer: str
    budget: Budget = Budget()
    use: dict[Window, Used] = msgspec.field(default_factory=lambda: dict.fromkeys(Window, Used()))


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a payer stands in a window: `used` by what has ended, `held` for what has not. `limit` 0 is none.

    `is_probation`: it is the limit of a new account.
    """

    payer: str
    window: Window
    limit: int
    used: int
    held: int
    resets_at_s: float
    is_probation: bool = False

    @property
    def remaining(self) -> int:
        """What is left to begin with; what runs may use more than that in the end."""
        return max(0, self.limit - self.used - self.held)


def tightest(states: list[State]) -> State | None:
    """The limit that will be felt first; None where there is none."""
    limited = [state for state in states if state.limit]
    return min(limited, key=lambda state: (state.remaining, -state.resets_at_s), default=None)
