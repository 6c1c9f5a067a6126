"""What closes the gate further, and what must be over before it opens: two tables.

Each condition reads the signals as True, False, or None where too little is known.
What costs nothing leads as far as the waiting room and no further: a rate is noise,
letters that nobody answers make no account, and `invite` shuts honest newcomers out.
To shut a door is an attack as well. What leads there is accounts that were made in
spite of the present mode, or mail that is nearly used up; what closes from there is a
crowd while nothing is left for it. Low headroom without a crowd is an evening on which
people use what they have: closing the door would help none of them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.signals import Share, Signals, Verdict


class Rise(msgspec.Struct, frozen=True):
    """Leads up to `to`, when it was so for long enough, from modes that are `least` limited or more."""

    to: RegistrationMode
    cause: Cause
    after_s: Callable[[ModePlan], float]
    reads: Callable[[Signals, ModePlan], bool | None]
    least: RegistrationMode = RegistrationMode.OPEN

    def leads_on(self, mode: RegistrationMode) -> bool:
        """Whether it leads further than this mode."""
        return self.least.rank <= mode.rank < self.to.rank

    @property
    def name(self) -> str:
        """What its timer is kept under."""
        return f"{self.to}:{self.cause}"


class Fall(msgspec.Struct, frozen=True):
    """Reads whether `cause` is over. A witness speaks for calm and never against it."""

    cause: Cause
    reads: Callable[[Signals, ModePlan], bool | None]
    is_witness: bool = False


def _below(value: float | None, limit: float) -> bool | None:
    return None if value is None else value < limit


def _above(value: float | None, limit: float) -> bool | None:
    return None if value is None else value > limit


def _surely_above(share: Share | None, limit: float, least: int) -> bool | None:
    return None if share is None or share.of < least else share.least > limit


def _surely_below(share: Share | None, limit: float, least: int) -> bool | None:
    return None if share is None or share.of < least else share.most < limit


def _part_below(share: Share | None, limit: float, least: int) -> bool | None:
    return None if share is None or share.of < least else share.part < limit


def _part_above(share: Share | None, limit: float, least: int) -> bool | None:
    return None if share is None or share.of < least else share.part > limit


def _names(verdict: Verdict | None, *wanted: Verdict) -> bool | None:
    return None if verdict is None else verdict in wanted


def _spares(verdict: Verdict | None, *unwanted: Verdict) -> bool | None:
    return None if verdict is None else verdict not in unwanted


def _short_of(signals: Signals, limit: float, crowd: float) -> bool | None:
    # No crowd, no case: how much is free need not even be known.
    return _below(signals.headroom, limit) if signals.crowding > crowd else False


def _room_again(signals: Signals, limit: float, crowd: float) -> bool | None:
    return True if signals.crowding < crowd else _above(signals.headroom, limit)


RISES = (
    Rise(
        RegistrationMode.THROTTLED,
        Cause.SIGN_UP_RATE,
        lambda plan: plan.throttle_after_s,
        lambda seen, plan: seen.crowding > plan.surge,
    ),
    Rise(
        RegistrationMode.THROTTLED,
        Cause.ABUSE,
        lambda plan: plan.throttle_after_s,
        lambda seen, plan: _surely_above(seen.abuse, plan.abuse_throttles, plan.least_judged),
    ),
    Rise(
        RegistrationMode.THROTTLED,
        Cause.DIAGNOSIS,
        lambda plan: plan.throttle_after_s,
        lambda seen, _: _names(seen.verdict, Verdict.FLOOD, Verdict.SIGNUP_ABUSE),
    ),
    # Letters are spent by whoever asks: before they run out, who asks pays with work, and then waits.
    Rise(
        RegistrationMode.THROTTLED,
        Cause.MAIL_BUDGET,
        lambda plan: plan.throttle_after_s,
        lambda seen, plan: _below(seen.mail_left, plan.mail_half),
    ),
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.MAIL_BUDGET,
        lambda plan: plan.wait_after_s,
        lambda seen, plan: _below(seen.mail_left, plan.mail_scarce),
    ),
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.SIGN_UP_FLOOD,
        lambda plan: plan.wait_after_s,
        lambda seen, plan: seen.crowding > plan.flood,
    ),
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.LOW_HEADROOM,
        lambda plan: plan.wait_after_s,
        lambda seen, plan: _short_of(seen, plan.headroom_low, plan.crowd),
    ),
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.LONG_QUEUE,
        lambda plan: plan.wait_after_s,
        lambda seen, plan: _above(seen.queue_s, plan.queue_long_s),
    ),
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.DIAGNOSIS,
        lambda plan: plan.wait_after_s,
        lambda seen, _: _names(seen.verdict, Verdict.SIGNUP_ABUSE),
    ),
    # No further: whoever waits in line pays nothing for letters to nobody, and no account comes of them.
    Rise(
        RegistrationMode.WAITING_ROOM,
        Cause.UNVERIFIED,
        lambda plan: plan.wait_after_s,
        lambda seen, plan: _surely_below(seen.verified, plan.verified_low, plan.unverified_least),
    ),
    Rise(
        RegistrationMode.INVITE,
        Cause.ABUSE,
        lambda plan: plan.invite_after_s,
        lambda seen, plan: _surely_above(seen.abuse, plan.abuse_invites, plan.abuse_invites_least),
    ),
    Rise(
        RegistrationMode.INVITE,
        Cause.MAIL_BUDGET,
        lambda plan: plan.invite_after_s,
        lambda seen, plan: _below(seen.mail_left, plan.mail_low),
    ),
    Rise(
        RegistrationMode.CLOSED,
        Cause.EXHAUSTED,
        lambda plan: plan.close_after_s,
        lambda seen, plan: _short_of(seen, plan.headroom_gone, plan.surge),
        # A crowd is noise, and on a busy evening it would close by itself: what costs something comes first.
        least=RegistrationMode.INVITE,
    ),
)
"""Each with the mode that it leads to."""

_USUAL_RATE = Fall(Cause.SIGN_UP_RATE, lambda seen, plan: seen.crowding < plan.surge_over, is_witness=True)

FALLS: dict[RegistrationMode, tuple[Fall, ...]] = {
    RegistrationMode.OPEN: (),
    RegistrationMode.THROTTLED: (
        Fall(Cause.SIGN_UP_RATE, lambda seen, plan: seen.crowding < plan.surge_over),
        Fall(Cause.ABUSE, lambda seen, plan: _part_below(seen.abuse, plan.abuse_throttles_over, plan.least_judged)),
        Fall(Cause.DIAGNOSIS, lambda seen, _: _spares(seen.verdict, Verdict.FLOOD, Verdict.SIGNUP_ABUSE)),
        Fall(Cause.MAIL_BUDGET, lambda seen, plan: _above(seen.mail_left, plan.mail_half_over)),
    ),
    RegistrationMode.WAITING_ROOM: (
        Fall(Cause.SIGN_UP_FLOOD, lambda seen, plan: seen.crowding < plan.flood_over),
        Fall(Cause.LOW_HEADROOM, lambda seen, plan: _room_again(seen, plan.headroom_low_over, plan.crowd_over)),
        Fall(Cause.LONG_QUEUE, lambda seen, plan: _below(seen.queue_s, plan.queue_long_over_s)),
        Fall(Cause.DIAGNOSIS, lambda seen, _: _spares(seen.verdict, Verdict.SIGNUP_ABUSE)),
        Fall(Cause.MAIL_BUDGET, lambda seen, plan: _above(seen.mail_left, plan.mail_scarce_over)),
        Fall(
            Cause.UNVERIFIED, lambda seen, plan: _part_above(seen.verified, plan.verified_low_over, plan.least_judged)
        ),
    ),
    # Hardly any account is made in these two, so their shares are seldom judged: somebody else must speak for calm.
    RegistrationMode.INVITE: (
        Fall(Cause.ABUSE, lambda seen, plan: _part_below(seen.abuse, plan.abuse_invites_over, plan.least_judged)),
        Fall(Cause.MAIL_BUDGET, lambda seen, plan: _above(seen.mail_left, plan.mail_low_over)),
        Fall(Cause.LOW_HEADROOM, lambda seen, plan: _above(seen.headroom, plan.headroom_low_over), is_witness=True),
        _USUAL_RATE,
    ),
    RegistrationMode.CLOSED: (
        Fall(Cause.EXHAUSTED, lambda seen, plan: _room_again(seen, plan.headroom_gone_over, plan.surge_over)),
        _USUAL_RATE,
    ),
}
"""What must not be otherwise before the step down from each mode, and of which one at least must be known to be so."""
