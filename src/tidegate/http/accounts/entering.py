"""Signing in, up and out, and the first operator's setup."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.reasons import Reason
from tidegate.http import cookies, forms
from tidegate.http.accounts.room import CHAT, FORM_ERRORS, AccountsRoom, local_path, problem, see_other, trace, visitor
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.services.passwords import PASSWORD_LENGTH
from tidegate.services.sessions import SignedIn, SignUpClosedError
from tidegate.services.setup import SetupClosedError

_WRONG = ("password", "The address or the password is wrong.")


class Entry(msgspec.Struct, frozen=True):
    """Who somebody says to be, and where they wanted to go."""

    email: str
    password: str
    next: str = ""


async def sign_in_page(room: AccountsRoom, request: Request) -> Response:
    """The form; whoever is signed in already goes on."""
    path = local_path(request.query_params.get("next", ""))
    return see_other(path) if visitor(request).signed_in else _sign_in_form(room, request, path)


async def sign_in(room: AccountsRoom, request: Request) -> Response:
    """Begin a session."""
    entry = forms.decode(request.state.form, Entry)
    path = local_path(entry.next)
    try:
        made = await room.sessions.sign_in(entry.email, entry.password, trace(request))
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=_WRONG)
        shown = {"errors": found.errors, "email": entry.email, "status": found.status, "headers": found.headers}
        return _sign_in_form(room, request, path, **shown)
    return await _enter(room, request, made, path)


async def sign_up_page(room: AccountsRoom, request: Request) -> Response:
    """The form, if registration is open."""
    if visitor(request).signed_in:
        return see_other(CHAT)
    if not room.sessions.is_sign_up_open:
        raise _closed()
    return _sign_up_form(request)


async def sign_up(room: AccountsRoom, request: Request) -> Response:
    """Make an account and begin a session."""
    entry = forms.decode(request.state.form, Entry)
    try:
        made = await room.sessions.sign_up(entry.email, entry.password, trace(request))
    except SignUpClosedError:
        raise _closed() from None
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=_WRONG)
        shown = {"errors": found.errors, "email": entry.email, "status": found.status, "headers": found.headers}
        return _sign_up_form(request, **shown)
    return await _enter(room, request, made, CHAT)


async def sign_out(room: AccountsRoom, request: Request) -> Response:
    """End this session, here and in the browser."""
    found = visitor(request).signed_in
    if found is not None:
        await room.sessions.sign_out(found)
    return left()


async def setup_page(room: AccountsRoom, request: Request) -> Response:
    """The form for whoever has the link that the service printed when it started."""
    if not room.setup.matches(request.path_params["code"]):
        raise _nothing_to_set_up()
    return _setup_form(request)


async def setup(room: AccountsRoom, request: Request) -> Response:
    """Make the first operator and begin a session."""
    entry = forms.decode(request.state.form, Entry)
    try:
        made = await room.setup.make_operator(request.path_params["code"], entry.email, entry.password, trace(request))
    except SetupClosedError:
        raise _nothing_to_set_up() from None
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=_WRONG)
        shown = {"errors": found.errors, "email": entry.email, "status": found.status, "headers": found.headers}
        return _setup_form(request, **shown)
    return await _enter(room, request, made, CHAT)


def left() -> Response:
    """Send somebody away who is signed out, and have the browser forget what it kept for them."""
    response = see_other("/")
    response.headers["clear-site-data"] = '"cache", "storage"'
    cookies.clear(response, cookies.SESSION)
    return response


async def _enter(room: AccountsRoom, request: Request, made: tuple[SignedIn, str], path: str) -> Response:
    before = visitor(request).signed_in
    if before is not None:
        await room.sessions.sign_out(before)
    response = see_other(path)
    cookies.write(response, request, cookies.SESSION, made[1], lasts_s=room.sessions.session_s)
    return response


def _sign_in_form(room: AccountsRoom, request: Request, path: str, **shown: Any) -> Response:
    values = {"errors": {}, "email": "", **shown}
    return render(request, "sign_in.html", next=path, is_sign_up_open=room.sessions.is_sign_up_open, **values)


def _sign_up_form(request: Request, **shown: Any) -> Response:
    return _new_account_form(
        request, heading="Create an account", action="/sign-up", explanation="", is_sign_in_offered=True, **shown
    )


def _setup_form(request: Request, **shown: Any) -> Response:
    return _new_account_form(
        request,
        heading="Set up this service",
        action=request.url.path,
        explanation="Make the first operator's account. This link works once.",
        is_sign_in_offered=False,
        **shown,
    )


def _new_account_form(request: Request, **shown: Any) -> Response:
    least, most = PASSWORD_LENGTH
    return render(request, "sign_up.html", **{"errors": {}, "email": "", "least": least, "most": most, **shown})


def _closed() -> Refusal:
    sentence = "Registration is closed here. The operator can make an account for you."
    return Refusal(Reason.SIGN_UP_CLOSED, sentence, page="/sign-in")


def _nothing_to_set_up() -> Refusal:
    return Refusal(
        Reason.ROUTE_NOT_FOUND,
        "This link was used or is not valid: there is an operator already, or the service was started anew and printed "
        "another one. If you have an account, sign in.",
        page="/sign-in",
    )
