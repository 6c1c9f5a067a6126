"""What people are told of registration: why it is limited, and how long it takes. Facts only, and never whose fault."""

from __future__ import annotations

from typing import Final

from tidegate.core.registration.estimate import Estimate
from tidegate.core.registration.modes import Cause, RegistrationMode

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0
_DAY_S: Final = 86_400.0

_CROWD: Final = "Far more people than usual are asking for an account just now."
_WHY: Final = {
    Cause.SIGN_UP_RATE: _CROWD,
    Cause.SIGN_UP_FLOOD: _CROWD,
    Cause.LONG_QUEUE: _CROWD,
    Cause.ABUSE: "Many of the accounts that were asked for lately look as if programs asked for them.",
    Cause.UNVERIFIED: "Many of the accounts that were asked for lately look as if programs asked for them.",
    Cause.LOW_HEADROOM: "Those who have an account use almost all that this service can do just now.",
    Cause.EXHAUSTED: "Those who have an account use all that this service can do just now.",
    Cause.MAIL_BUDGET: "As many letters as are right for one day have been sent to new people.",
    Cause.OPERATOR: "The operator of this service has limited new accounts for a while.",
}
_SO: Final = {
    RegistrationMode.OPEN: "So that everybody gets through, new accounts are let in one after the other.",
    RegistrationMode.THROTTLED: "So that everybody gets through, new accounts are let in one after the other.",
    RegistrationMode.WAITING_ROOM: "So that it goes on working for everybody, new accounts are let in one after the "
    "other.",
    RegistrationMode.INVITE: "So that it goes on working for everybody, new accounts need an invitation for now.",
    RegistrationMode.CLOSED: "So that it goes on working for those who are here, there are no new accounts for now.",
}


_ALWAYS: Final = {
    RegistrationMode.INVITE: "This service takes new people by invitation.",
    RegistrationMode.CLOSED: "The operator of this service makes accounts for people.",
}


def why(mode: RegistrationMode, causes: tuple[Cause, ...]) -> str:
    """Why registration is limited, in a sentence or two for anybody."""
    if causes == (Cause.SETTINGS,) and mode in _ALWAYS:
        return _ALWAYS[mode]
    told = next((_WHY[cause] for cause in causes if cause in _WHY), _CROWD)
    return f"{told} {_SO[mode]}"


def newcomers(mode: RegistrationMode, estimate: Estimate, *, is_calm: bool, in_line: int) -> str:
    """How it is for whoever wants an account, in one line for other pages; empty where nothing is limited."""
    if mode is RegistrationMode.CLOSED:
        return "There are no new accounts for now."
    if mode is RegistrationMode.INVITE:
        return "New accounts need an invitation for now."
    if is_calm:
        return ""
    told = span(estimate)
    if not in_line or told is None:
        return "New accounts are let in one after the other at present."
    return f"New accounts: there is a line at present, {told}."


def span(estimate: Estimate) -> str | None:
    """How long it should take, such as `3 to 8 minutes`; None where nobody can tell yet."""
    if not estimate.is_known:
        return None
    least, most = estimate.p50_s, estimate.p90_s
    if most <= _MINUTE_S:
        return "less than a minute"
    unit_s, name = (_HOUR_S, "hour") if most >= 2 * _HOUR_S else (_MINUTE_S, "minute")
    low, high = max(1, int(least // unit_s)), max(1, -int(-most // unit_s))
    if low >= high:
        return f"about {high} {name}{'' if high == 1 else 's'}"
    return f"{low} to {high} {name}s"


def length(seconds: float) -> str:
    """A time as people say it: `5 minutes`, `24 hours`, `7 days`."""
    for unit_s, least, name in ((_DAY_S, 2.0, "day"), (_HOUR_S, 1.5, "hour"), (_MINUTE_S, 1.0, "minute")):
        if seconds >= least * unit_s:
            number = round(seconds / unit_s)
            return f"{number} {name}{'' if number == 1 else 's'}"
    number = max(1, round(seconds))
    return f"{number} second{'' if number == 1 else 's'}"
