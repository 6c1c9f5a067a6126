"""The numbers that the mode machine goes by; what is usual, what is too much, and for how long."""

from __future__ import annotations

import msgspec

from tidegate.core.registration.modes import RegistrationMode


class ModePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds come in pairs, the first to rise and a milder one to fall: between them nothing moves.

    Rates are multiples of the baseline. A rise acts `..._after_s` after its onset, a
    fall after its dwell of calm; a dwell doubles on each rise within `memory_s` of a
    fall, up to `dwell_limit_s`.
    """

    max_automatic_mode: RegistrationMode = RegistrationMode.CLOSED
    is_dry_run: bool = False

    surge: float = 3.0
    surge_over: float = 1.5
    flood: float = 20.0
    flood_over: float = 10.0
    crowd: float = 1.0
    crowd_over: float = 0.75

    abuse_throttles: float = 0.20
    abuse_throttles_over: float = 0.10
    abuse_invites: float = 0.60
    abuse_invites_over: float = 0.30
    abuse_invites_least: int = 50
    least_judged: int = 10
    unverified_least: int = 50
    verified_low: float = 0.10
    verified_low_over: float = 0.20

    headroom_low: float = 0.25
    headroom_low_over: float = 0.40
    headroom_gone: float = 0.05
    headroom_gone_over: float = 0.25
    queue_long_s: float = 60.0
    queue_long_over_s: float = 45.0
    mail_half: float = 0.50
    mail_half_over: float = 0.60
    mail_scarce: float = 0.25
    mail_scarce_over: float = 0.35
    mail_low: float = 0.10
    mail_low_over: float = 0.20

    throttle_after_s: float = 30.0
    wait_after_s: float = 60.0
    invite_after_s: float = 180.0
    close_after_s: float = 180.0
    step_s: float = 30.0

    throttled_dwell_s: float = 600.0
    waiting_room_dwell_s: float = 900.0
    invite_dwell_s: float = 1800.0
    closed_dwell_s: float = 1800.0
    dwell_limit_s: float = 14400.0
    memory_s: float = 3600.0
    longest_gap_s: float = 15.0

    def dwell_s(self, mode: RegistrationMode) -> float:
        """How long it must be calm before the first step down from this mode."""
        return {
            RegistrationMode.OPEN: 0.0,
            RegistrationMode.THROTTLED: self.throttled_dwell_s,
            RegistrationMode.WAITING_ROOM: self.waiting_room_dwell_s,
            RegistrationMode.INVITE: self.invite_dwell_s,
            RegistrationMode.CLOSED: self.closed_dwell_s,
        }[mode]
