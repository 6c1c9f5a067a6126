"""What the waiting room goes by, and what it answers."""

from __future__ import annotations

import msgspec

from tidegate.core.registration.estimate import Estimate


class WaitingPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds. `network_free` tickets of a network stand in the window in which they came."""

    window_s: float = 300.0
    network_free: int = 4
    settle_s: float = 10.0
    waited_part: float = 0.2
    refresh_s: float = 20.0
    refresh_limit_s: float = 300.0
    most_polls_per_s: float = 200.0
    held_s: float = 300.0
    pass_s: float = 900.0
    longest_s: float = 86_400.0
    most_tickets: int = 100_000
    most_passes: int = 10_000
    least_seen: int = 10


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Not yet. Ask again in `refresh_s`.

    A ticket that `is_counted` has a place, and `ahead` get in before it as things are.
    One that is not shows the end of the line. `renewed` is a ticket to keep instead of
    the one that was shown: it says that work was proved.
    """

    position: int
    ahead: int
    estimate: Estimate
    refresh_s: float
    is_counted: bool
    is_full: bool = False
    renewed: str | None = None


class Admitted(msgspec.Struct, frozen=True):
    """May sign up, once, until then (Unix time)."""

    until: float


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What takes memory."""

    tickets: int
    passes: int
    used: int
