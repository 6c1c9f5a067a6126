"""What the account pages are made of, and what they share."""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tidegate.core.mail.links import Broken
from tidegate.core.reasons import Reason
from tidegate.http import cookies
from tidegate.http.exchange import Exchange
from tidegate.http.pages import HEADERS
from tidegate.http.refusals import WIRE, Refusal
from tidegate.http.visitors import Visitor
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.admission import Admission
from tidegate.services.asking import Asking
from tidegate.services.joining import Joining
from tidegate.services.letters import Letters
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.recovery import Recovery
from tidegate.services.sessions import Sessions, SignedIn, Trace, WrongCredentialsError
from tidegate.services.setup import Setup
from tidegate.services.usher import Usher
from tidegate.services.verification import LinkInvalidError, Verification

CHAT: Final = "/chat"


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What the pages do with letters, where letters are sent."""

    letters: Letters
    verification: Verification
    recovery: Recovery

    @classmethod
    def of(cls, letters: Letters, sessions: Sessions) -> Mail:
        """All that letters are good for."""
        return cls(letters=letters, verification=Verification(sessions, letters), recovery=Recovery(sessions, letters))


class AccountsRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The services behind the pages.

    `script` is where the one lies that does challenges. `public_status_url` is where the status page is,
    `local_status_url` where browsers on this machine find it. Without `mail` no letters are sent, and nobody's address
    is asked to be proved; without an `usher` nobody invites anybody, without `asking` nobody can ask to be let in.
    """

    sessions: Sessions
    setup: Setup
    admission: Admission
    joining: Joining
    asking: Asking | None = None
    usher: Usher | None = None
    mail: Mail | None = None
    script: str = ""
    public_status_url: str | None = None
    local_status_url: str = ""

    def status_url(self, request: Request) -> str:
        """Where whoever asks finds the status page; empty where nobody has said."""
        return self.public_status_url or (self.local_status_url if cookies.is_local(request) else "")


class Problem(msgspec.Struct, frozen=True):
    """Why a form is shown again: sentences by field, "" for the form as a whole."""

    status: int
    errors: dict[str, str]
    headers: dict[str, str]


FORM_ERRORS: Final = (ValueError, WrongCredentialsError, EmailTakenError, PasswordsBusyError)


def problem(request: Request, error: Exception, *, wrong: tuple[str, str]) -> Problem:
    """Put one of FORM_ERRORS beside its field; `wrong` is the field and the sentence for wrong credentials."""
    headers = {}
    match error:
        case WrongCredentialsError():
            reason, errors = Reason.WRONG_CREDENTIALS, dict([wrong])
        case EmailTakenError():
            reason, errors = Reason.EMAIL_TAKEN, {"email": "Another account already uses this address."}
        case PasswordsBusyError(retry_after_s=wait_s):
            reason = Reason.SIGN_IN_BUSY
            seconds = max(1, math.ceil(wait_s))
            again = f"Please try again in {seconds} second{'' if seconds == 1 else 's'}."
            errors = {"": f"Too many passwords are being checked at this moment. {again}"}
            headers["retry-after"] = str(seconds)
        case _:
            field, _, sentence = str(error).partition(": ")
            reason, errors = Reason.INVALID_VALUE, {field: f"{sentence[:1].upper()}{sentence[1:]}."}
    exchange: Exchange = request.state.exchange
    exchange.reason = reason  # Shown as a page, but refused all the same: the log and the metrics count it.
    return Problem(WIRE[reason].status, errors, headers)


def visitor(request: Request) -> Visitor:
    """Who came."""
    found: Visitor = request.state.visitor
    return found


def signed_in(request: Request) -> SignedIn:
    """Who came, on a route that only a role may take."""
    found = visitor(request).signed_in
    assert found is not None, "the door lets nobody else through"
    return found


def trace(request: Request) -> Trace:
    """What the log may know of the request."""
    exchange: Exchange = request.state.exchange
    return Trace(id=exchange.id, src=exchange.source, net=exchange.network)


def see_other(path: str) -> Response:
    """Go on with a GET there, so that reloading the page does not do it again."""
    return RedirectResponse(path, 303, HEADERS)


def local_path(text: str) -> str:
    r"""The path itself if it stays on this service, and otherwise the chat's.

    Browsers read `//host` and `/\host` as another host, and leave out tabs and
    line ends before they look (WHATWG URL, basic URL parser).
    """
    is_local = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return quote(text, safe="/?=&%#:@!$'()*+,;~-._") if is_local else CHAT


def mail_of(room: AccountsRoom) -> Mail:
    """What letters are good for here. Raises a Refusal where none are sent."""
    if room.mail is None:
        raise Refusal(
            Reason.ROUTE_NOT_FOUND,
            "This service sends no letters. Its operator can give you a new password.",
            page="/sign-in",
        )
    return room.mail


def link_invalid(error: LinkInvalidError, page: str) -> Refusal:
    """Say that a link does not work, and where to get another; one that was used leads on to signing in."""
    sentence = _LINK_SENTENCES[error.why]
    return Refusal(Reason.LINK_INVALID, sentence, page="/sign-in" if error.why is Broken.USED else page)


_LINK_SENTENCES: Final = {
    Broken.FORGED: "This link is not complete, or was not written here. Copy all of it from the letter: one line.",
    Broken.EXPIRED: "This link is too old. Ask for a new letter; it takes a minute.",
    Broken.USED: "This link was used already, or something has changed since it was written. Sign in; if you cannot, "
    "ask for a new letter there.",
}
