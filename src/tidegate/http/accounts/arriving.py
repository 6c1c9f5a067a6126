"""How everybody comes in, by whichever door: with a session, and with the one before ended."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import cookies
from tidegate.http.accounts.room import AccountsRoom, see_other, visitor
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.services.sessions import SignedIn


async def enter(room: AccountsRoom, request: Request, made: tuple[SignedIn, str], path: str) -> Response:
    """Send somebody on who has a session now, with its cookie; one that they had before ends."""
    before = visitor(request).signed_in
    if before is not None:
        await room.sessions.sign_out(before)
    response = see_other(path)
    cookies.write(response, request, cookies.SESSION, made[1], lasts_s=room.sessions.session_s)
    mark = room.sessions.mark(made[0].user, cookies.marks(request))
    cookies.write(response, request, cookies.DEVICE, mark, lasts_s=room.sessions.device_s)
    return response


def letter_sent(request: Request, email: str, *, again: str, needs_account: bool = False) -> Response:
    """The page that says that a letter is on its way, and what to do when it does not come."""
    return render(request, "letter_sent.html", email=email.strip(), again=again, needs_account=needs_account)


def closed() -> Refusal:
    """Say that strangers make no accounts here."""
    sentence = "Registration is closed here. The operator can make an account for you."
    return Refusal(Reason.SIGN_UP_CLOSED, sentence, page="/sign-in")
