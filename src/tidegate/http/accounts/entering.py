"""Signing in, up and out, and the first operator's setup."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.challenge.challenges import Scope
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.http import cookies, forms
from tidegate.http.accounts.arriving import enter, letter_sent
from tidegate.http.accounts.room import (
    CHAT,
    FORM_ERRORS,
    AccountsRoom,
    local_path,
    mail_of,
    problem,
    see_other,
    trace,
    visitor,
)
from tidegate.http.challenge.wire import Answered
from tidegate.http.exchange import Exchange
from tidegate.http.pages import CHALLENGE_HEADERS, render
from tidegate.http.refusals import WIRE, Refusal
from tidegate.services.passwords import PASSWORD_LENGTH
from tidegate.services.sessions import NO_PROOF, ChallengeNeededError, Proof
from tidegate.services.setup import SetupClosedError
from tidegate.services.work import Answer, WorkRefusedError

_WRONG = ("password", "The address or the password is wrong.")


class Entry(msgspec.Struct, frozen=True):
    """Who somebody says to be, and where they wanted to go."""

    email: str
    password: str
    next: str = ""
    challenge: str = ""
    answer: str = ""
    solve_ms: str = ""


class Asked(msgspec.Struct, frozen=True):
    """To whom a letter shall go that signs them in."""

    email: str


async def sign_in_page(room: AccountsRoom, request: Request) -> Response:
    """The form; whoever is signed in already goes on."""
    path = local_path(request.query_params.get("next", ""))
    if visitor(request).signed_in:
        return see_other(path)
    # Whoever has signed in on this device before is asked for nothing, unless it turns out to be another's.
    effort = 0 if cookies.marks(request) else room.sessions.effort_asked(trace(request))
    return _sign_in_form(room, request, path, effort)


async def sign_in(room: AccountsRoom, request: Request) -> Response:
    """Begin a session."""
    entry = forms.decode(request.state.form, Entry)
    path = local_path(entry.next)
    try:
        proof = _proof(room, request, entry)
        made = await room.sessions.sign_in(
            entry.email, entry.password, trace(request), marks=cookies.marks(request), proof=proof
        )
    except (ChallengeNeededError, WorkRefusedError) as error:
        exchange: Exchange = request.state.exchange
        exchange.reason = Reason.CHALLENGE_REQUIRED  # As `problem` does it.
        needed = error.effort if isinstance(error, ChallengeNeededError) else 0
        effort = max(1, needed, room.sessions.effort_asked(trace(request)))
        shown = {"errors": {"": _GUARDED}, "email": entry.email, "status": WIRE[Reason.CHALLENGE_REQUIRED].status}
        return _sign_in_form(room, request, path, effort, **shown)
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=_WRONG)
        shown = {"errors": found.errors, "email": entry.email, "status": found.status, "headers": found.headers}
        effort = room.sessions.effort_asked(trace(request)) if entry.challenge else 0
        return _sign_in_form(room, request, path, effort, **shown)
    return await enter(room, request, made, path)


async def sign_in_letter(room: AccountsRoom, request: Request) -> Response:
    """Send a link that signs somebody in, to those who have an account; the answer is the same for everybody."""
    letters = mail_of(room).letters
    asked = forms.decode(request.state.form, Asked)
    await letters.sign_in_link(asked.email, trace(request).net or "")
    return letter_sent(request, asked.email, again="/sign-in", needs_account=True)


def _proof(room: AccountsRoom, request: Request, entry: Entry) -> Proof:
    """What a try brings. Raises WorkRefusedError for what does not count."""
    read = Answered.of_fields(entry.challenge, entry.answer, entry.solve_ms)
    if not read.challenge:
        return NO_PROOF
    answer = Answer(challenge=read.challenge, answer=read.answer, took_s=read.solve_ms / 1000.0)
    found = room.joining.works.spend(Scope.SIGN_IN, visitor(request).seed, answer, trace(request))
    return Proof(effort=found.effort)


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
    return await enter(room, request, made, CHAT)


def left() -> Response:
    """Send somebody away who is signed out, and have the browser forget what it kept for them."""
    response = see_other("/")
    response.headers["clear-site-data"] = '"cache", "storage"'
    cookies.clear(response, cookies.SESSION)
    return response


def _sign_in_form(room: AccountsRoom, request: Request, path: str, effort: int, **shown: Any) -> Response:
    work = room.joining.works.issue(Scope.SIGN_IN, visitor(request).seed, effort) if effort else None
    headers = {**(CHALLENGE_HEADERS if work else {}), **shown.pop("headers", {})}
    values = {"errors": {}, "email": "", **shown}
    return render(
        request,
        "sign_in.html",
        headers=headers,
        next=path,
        work=work,
        script=room.script,
        is_sign_up_open=room.joining.mode is not RegistrationMode.CLOSED,
        is_mail_on=room.mail is not None,
        **values,
    )


_GUARDED: Final = (
    "Many wrong passwords are being tried here just now. So your device does a little work before yours is looked at; "
    "please type it again and send the form once more."
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


def _nothing_to_set_up() -> Refusal:
    return Refusal(
        Reason.ROUTE_NOT_FOUND,
        "This link was used or is not valid: there is an operator already, or the service was started anew and printed "
        "another one. If you have an account, sign in.",
        page="/sign-in",
    )
