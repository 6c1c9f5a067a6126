"""Signing up by letter: first an address, then what the link in the letter asks for, and only then an account.

Opening a link changes nothing: programs that look through mail open every link.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import forms
from tidegate.http.accounts.arriving import enter
from tidegate.http.accounts.room import (
    CHAT,
    FORM_ERRORS,
    AccountsRoom,
    link_invalid,
    mail_of,
    problem,
    trace,
)
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.passwords import PASSWORD_LENGTH
from tidegate.services.verification import LinkInvalidError

WRONG = ("password", "The address or the password is wrong.")


class Chosen(msgspec.Struct, frozen=True):
    """The password that somebody chose."""

    password: str


async def confirm_page(room: AccountsRoom, request: Request) -> Response:
    """The form that finishes a sign-up."""
    try:
        pending = await mail_of(room).verification.pending(request.path_params["token"])
    except LinkInvalidError as error:
        raise link_invalid(error, "/sign-up") from None
    except EmailTakenError:
        raise _taken() from None
    return _password_form(request, pending.email)


async def confirm(room: AccountsRoom, request: Request) -> Response:
    """Make the account and begin a session."""
    verification, token = mail_of(room).verification, request.path_params["token"]
    chosen = forms.decode(request.state.form, Chosen)
    try:
        made = await verification.finish(token, chosen.password, trace(request))
    except LinkInvalidError as error:
        raise link_invalid(error, "/sign-up") from None
    except EmailTakenError:
        raise _taken() from None
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=WRONG)
        shown = {"errors": found.errors, "status": found.status, "headers": found.headers}
        return _password_form(request, verification.read(token).email, **shown)
    room.joining.confirmed(made[0].user.email, trace(request))
    return await enter(room, request, made, CHAT)


def _taken() -> Refusal:
    return Refusal(
        Reason.EMAIL_TAKEN,
        "This address has an account already: the link was used, or it was made in another way. Sign in with it.",
        page="/sign-in",
    )


def new_password_form(request: Request, **shown: Any) -> Response:
    """A form that asks for a new password, of an account whose address it names for the browser to remember."""
    least, most = PASSWORD_LENGTH
    values = {"errors": {}, "least": least, "most": most, "action": request.url.path, **shown}
    return render(request, "new_password.html", **values)


def _password_form(request: Request, email: str, **shown: Any) -> Response:
    return new_password_form(
        request,
        email=email,
        heading="Choose a password",
        explanation="Your address is confirmed. One more step and your account is there.",
        label="Password",
        button="Create my account",
        **shown,
    )
