"""What letters do for people with an account: a new password, a sign-in by link, an end to all sessions.

Opening a link changes nothing: programs that look through mail open every link.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import normalise_email
from tidegate.http import forms
from tidegate.http.accounts.arriving import enter, letter_sent
from tidegate.http.accounts.confirming import WRONG, Chosen, new_password_form
from tidegate.http.accounts.room import CHAT, FORM_ERRORS, AccountsRoom, link_invalid, mail_of, problem, trace
from tidegate.http.pages import render
from tidegate.services.verification import LinkInvalidError

_AGAIN = "/forgot"


class Asked(msgspec.Struct, frozen=True):
    """To whom a letter shall go."""

    email: str


async def forgot_page(room: AccountsRoom, request: Request) -> Response:
    """The form that asks for an address."""
    mail_of(room)
    return _forgot_form(request)


async def forgot(room: AccountsRoom, request: Request) -> Response:
    """Send the letter, to those who have an account; the answer is the same for everybody."""
    letters = mail_of(room).letters
    asked = forms.decode(request.state.form, Asked)
    try:
        normalise_email(asked.email)
    except ValueError as error:
        found = problem(request, error, wrong=WRONG)
        return _forgot_form(request, errors=found.errors, email=asked.email, status=found.status)
    await letters.reset_password(asked.email, trace(request).net or "")
    return letter_sent(request, asked.email, again=_AGAIN, needs_account=True)


async def reset_page(room: AccountsRoom, request: Request) -> Response:
    """The form that asks for the new password."""
    try:
        user = await mail_of(room).recovery.resetting(request.path_params["token"])
    except LinkInvalidError as error:
        raise link_invalid(error, _AGAIN) from None
    return _reset_form(request, user.email)


async def reset(room: AccountsRoom, request: Request) -> Response:
    """Replace the password, end all sessions, and begin one."""
    recovery, token = mail_of(room).recovery, request.path_params["token"]
    chosen = forms.decode(request.state.form, Chosen)
    try:
        try:
            made = await recovery.reset(token, chosen.password, trace(request))
        except FORM_ERRORS as error:
            found = problem(request, error, wrong=WRONG)
            shown = {"errors": found.errors, "status": found.status, "headers": found.headers}
            return _reset_form(request, (await recovery.resetting(token)).email, **shown)
    except LinkInvalidError as error:
        raise link_invalid(error, _AGAIN) from None
    return await enter(room, request, made, CHAT)


async def sign_in_link_page(room: AccountsRoom, request: Request) -> Response:
    """A button that signs in."""
    try:
        user = await mail_of(room).recovery.signing_in(request.path_params["token"])
    except LinkInvalidError as error:
        raise link_invalid(error, "/sign-in") from None
    return render(request, "sign_in_link.html", email=user.email, action=request.url.path)


async def sign_in_by_link(room: AccountsRoom, request: Request) -> Response:
    """Begin a session."""
    try:
        made = await mail_of(room).recovery.sign_in(request.path_params["token"], trace(request))
    except LinkInvalidError as error:
        raise link_invalid(error, "/sign-in") from None
    return await enter(room, request, made, CHAT)


async def end_sessions_page(room: AccountsRoom, request: Request) -> Response:
    """A button that ends all sessions of the account that a letter was about."""
    try:
        user = await mail_of(room).recovery.ending(request.path_params["token"])
    except LinkInvalidError as error:
        raise link_invalid(error, _AGAIN) from None
    return render(request, "end_sessions.html", email=user.email, action=request.url.path, is_done=False)


async def end_sessions_by_link(room: AccountsRoom, request: Request) -> Response:
    """End them, and say what to do next."""
    try:
        user = await mail_of(room).recovery.end_sessions(request.path_params["token"])
    except LinkInvalidError as error:
        raise link_invalid(error, _AGAIN) from None
    return render(request, "end_sessions.html", email=user.email, action="", is_done=True)


def _forgot_form(request: Request, **shown: Any) -> Response:
    return render(request, "forgot.html", **{"errors": {}, "email": "", **shown})


def _reset_form(request: Request, email: str, **shown: Any) -> Response:
    return new_password_form(
        request,
        email=email,
        heading="Choose a new password",
        explanation="It replaces the old one, and your account is signed out everywhere else.",
        label="New password",
        button="Save and sign in",
        **shown,
    )
