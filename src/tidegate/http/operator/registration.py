"""What the operator's page says of registration: the mode, what holds or moves it, how the line is."""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from tidegate.core.registration.modes import Cause, RegistrationMode
from tidegate.services.registration import Outlook

_MODES: Final = {
    RegistrationMode.OPEN: "Registration is open.",
    RegistrationMode.THROTTLED: "Registration is throttled: an account costs a little work or a wait.",
    RegistrationMode.WAITING_ROOM: "Registration has a waiting room: newcomers stand in line.",
    RegistrationMode.INVITE: "Registration is by invitation only.",
    RegistrationMode.CLOSED: "Registration is closed.",
}
_SAID_IN_MINUTES_S: Final = 120.0
_CAUSES: Final = {
    Cause.SIGN_UP_RATE: "more sign-ups than usual",
    Cause.SIGN_UP_FLOOD: "very many more sign-ups than usual",
    Cause.ABUSE: "new accounts that look as if nobody were behind them",
    Cause.DIAGNOSIS: "the diagnosis",
    Cause.LOW_HEADROOM: "little of the engine is left",
    Cause.EXHAUSTED: "nothing of the engine is left",
    Cause.LONG_QUEUE: "a long line",
    Cause.MAIL_BUDGET: "few letters are left",
    Cause.UNVERIFIED: "few letters are answered",
    Cause.CALM: "it is calm",
    Cause.SETTINGS: "the settings",
    Cause.OPERATOR: "your word",
    Cause.OVERRIDE_ENDED: "the end of your word",
}


class RegistrationWords(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence, and more of them."""

    indicator: Literal["none", "minor"]
    sentence: str
    since_s: float | None
    more: tuple[str, ...]


def words_of_registration(outlook: Outlook) -> RegistrationWords:
    """How registration is, in words."""
    more = []
    if outlook.said is not None:
        why = f" ({outlook.said.why})" if outlook.said.why else ""
        more.append(f"By your word{why}. By itself it would be: {_name(outlook.automatic)}.")
    elif outlook.moves and outlook.mode is not RegistrationMode.OPEN:
        more.append(f"For {told(outlook.moves[-1].causes)}.")
    if outlook.is_dry_run:
        more.append(f"A dry run. Otherwise it would be: {_name(outlook.automatic)}.")
    if outlook.floor is not RegistrationMode.OPEN:
        more.append(f'accounts.sign_up = "{outlook.floor}" in the settings: no mode counts that is more open.')
    if outlook.signals is not None:
        rate, usual = outlook.signals.attempts_per_min, outlook.signals.baseline_per_min
        more.append(f"Sign-ups tried: {rate:,.0f} in the last minute; usual at this hour are up to {usual:,.0f}.")
    line = outlook.line
    if line.places:
        wait = "" if line.queue_s is None else f"; whoever comes last waits about {math.ceil(line.queue_s / 60)} min"
        more.append(f"{line.places:,} in line{wait}.")
    if line.kept + line.missed:
        more.append(
            f"Of {line.kept + line.missed} people who were told how long it takes, {line.kept} were in by then."
        )
    for pending in outlook.next:
        when = "is held off" if pending.in_s is None else f"in {_span(pending.in_s)}"
        more.append(f"Next: {_name(pending.to)} {when}, for {told(pending.causes)}.")
    return RegistrationWords(
        indicator="none" if outlook.mode is RegistrationMode.OPEN else "minor",
        sentence=_MODES[outlook.mode],
        since_s=outlook.since if outlook.mode is not RegistrationMode.OPEN else None,
        more=tuple(more),
    )


def _name(mode: RegistrationMode) -> str:
    return mode.replace("_", " ")


def _span(seconds: float) -> str:
    return f"{math.ceil(seconds)} s" if seconds < _SAID_IN_MINUTES_S else f"{math.ceil(seconds / 60)} min"


def told(causes: tuple[Cause, ...]) -> str:
    """Causes in words."""
    return ", ".join(_CAUSES[cause] for cause in causes) or "no cause that is known"
