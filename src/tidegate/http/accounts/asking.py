"""Leaving an address instead of waiting, and asking an operator to be let in."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.core.registration.requests import NOTE_LENGTH, Left, RequestKind
from tidegate.http import cookies
from tidegate.http.accounts.room import AccountsRoom
from tidegate.http.exchange import Exchange
from tidegate.http.pages import CHALLENGE_HEADERS, render
from tidegate.http.refusals import WIRE
from tidegate.services.joining import Shown, Step

ADDRESS: Final = "/sign-up/address"


def offered(room: AccountsRoom, shown: Shown, step: Step) -> dict[str, Any]:
    """What a page needs to offer what can be asked for at this step: `kinds`, none where nothing can be."""
    offer = None if room.asking is None else room.asking.offer(shown, step)
    if offer is None:
        return {"kinds": (), "work": None}
    values = {
        "kinds": offer.kinds,
        "kind": offer.kinds[0],
        "note": "",
        "note_length": NOTE_LENGTH,
        "work": offer.work,
        "script": room.script,
        "is_mail_on": room.asking is not None and room.asking.is_mail_on,
    }
    return values if offer.work is None else {**values, "headers": CHALLENGE_HEADERS}


def refused_to_keep(request: Request, left: Left) -> dict[str, Any]:
    """Why nothing was kept, for the same page again. It is the same for whichever address."""
    exchange: Exchange = request.state.exchange
    exchange.reason = Reason.SLOW_DOWN  # Shown as a page, but refused all the same: the log and the metrics count it.
    return {"errors": {"": _FULL[left]}, "status": WIRE[Reason.SLOW_DOWN].status, "headers": {"retry-after": _DAY_S}}


_DAY_S: Final = "86400"
_FULL: Final = {
    Left.NETWORK_FULL: "From your network as many people have asked today as can be kept. Please try again tomorrow.",
    Left.FULL: "As many people have asked as can be kept. Please try again in a few days.",
}


def asked(room: AccountsRoom, request: Request, email: str, kind: RequestKind) -> Response:
    """The page that says what happens next. The place in line was given for it."""
    is_mail_on = room.asking is not None and room.asking.is_mail_on
    response = render(request, "asked.html", email=email.strip(), kind=kind, is_mail_on=is_mail_on)
    cookies.clear(response, cookies.TICKET)
    return response
