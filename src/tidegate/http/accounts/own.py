"""The page of one's own account: sessions, API keys, the password. And who there is, for operators."""

from __future__ import annotations

import secrets
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import Scope
from tidegate.core.identifiers import SessionId
from tidegate.core.quotas.budget import tightest
from tidegate.core.quotas.windows import Window
from tidegate.core.reasons import Reason
from tidegate.http import forms
from tidegate.http.accounts import inviting
from tidegate.http.accounts.entering import left
from tidegate.http.accounts.room import FORM_ERRORS, AccountsRoom, Problem, problem, see_other, signed_in
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.services.accounts import KeyMadeError, NotFoundError
from tidegate.services.allowances import sheets, used_in
from tidegate.services.passwords import PASSWORD_LENGTH
from tidegate.services.quotas import of_key, of_user

_MOST_PEOPLE = 500
_SCOPES: Final = {Scope.CHAT: "ask the model", Scope.MODELS: "list the models"}
_DONE: Final = {
    "password": "Your password is changed, and you are signed out everywhere else.",
    "session": "The session is ended.",
    "sessions": "All other sessions are ended.",
    "made": "This key was made already, and is shown only once. If you did not copy it, revoke it and make another.",
    "key": "The key is revoked. It stopped working at once.",
    "invite": "The invitation is revoked. Nobody can use it any more.",
}


class NewKey(msgspec.Struct, frozen=True):
    """What a key is to be called. Its scopes come as a checkbox each; `wish` is this very form's name."""

    name: str = ""
    wish: str | None = None


class NewPassword(msgspec.Struct, frozen=True):
    """The password now, and the one from now on."""

    current: str
    password: str


async def account_page(room: AccountsRoom, request: Request) -> Response:
    """Whatever belongs to one's account."""
    return await _page(room, request, done=_DONE.get(request.query_params.get("done", ""), ""))


async def create_key(room: AccountsRoom, request: Request) -> Response:
    """Make a key and show it, this once."""
    asked = forms.decode(request.state.form, NewKey)
    name = asked.name.strip()
    scopes = frozenset(scope for scope in Scope if f"scope_{scope}" in request.state.form)
    try:
        made = await room.sessions.clerk.create_key(signed_in(request).user.email, name, scopes, asked.wish)
    except KeyMadeError:
        # The answering page was loaded anew, or the button pressed twice.
        return see_other("/account?done=made#keys")
    except ValueError as error:
        found = problem(request, error, wrong=("", ""))
        shown = {"errors": found.errors, "status": found.status, "key_name": name, "chosen_scopes": scopes}
        return await _page(room, request, **shown)
    return render(request, "new_key.html", key=made.key, text=made.text)


async def revoke_key(room: AccountsRoom, request: Request) -> Response:
    """End one of one's own keys."""
    try:
        await room.sessions.clerk.revoke_key(signed_in(request).user.email, request.path_params["key"])
    except (NotFoundError, ValueError):
        raise _no_such_key() from None
    return see_other("/account?done=key#keys")


async def end_session(room: AccountsRoom, request: Request) -> Response:
    """End one of one's own sessions."""
    here = signed_in(request)
    try:
        session_id = SessionId(request.path_params["session"])
        await room.sessions.end(here, session_id)
    except (NotFoundError, ValueError):
        raise _no_such_session() from None
    return left() if session_id == here.session.id else see_other("/account?done=session#sessions")


async def end_other_sessions(room: AccountsRoom, request: Request) -> Response:
    """End all of one's own sessions but this one."""
    await room.sessions.end_others(signed_in(request))
    return see_other("/account?done=sessions#sessions")


async def change_password(room: AccountsRoom, request: Request) -> Response:
    """Replace one's password; a letter says so, for it may have been somebody else who knew the old one."""
    asked = forms.decode(request.state.form, NewPassword)
    try:
        await room.sessions.change_password(signed_in(request), asked.current, asked.password)
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=("current", "This is not your current password."))
        return await _page(room, request, errors=found.errors, status=found.status, headers=found.headers)
    if room.mail is not None:
        room.mail.letters.password_changed(signed_in(request).user)
    return see_other("/account?done=password#password")


async def create_invite(room: AccountsRoom, request: Request) -> Response:
    """Make an invitation and show it, this once."""
    made = await inviting.made_invite(room, request)
    if not isinstance(made, Problem):
        return made
    shown = {"errors": made.errors, "status": made.status, "invite_email": request.state.form.get("email", "")}
    return await _page(room, request, **shown)


async def people_page(room: AccountsRoom, request: Request) -> Response:
    """Who asked to be let in, and the newest accounts, for operators."""
    return await _people(room, request)


async def answer_requests(room: AccountsRoom, request: Request) -> Response:
    """Let people in, or not; their invitations are shown this once where none is mailed."""
    answered, error = await inviting.answered(room, request)
    return await _people(room, request, answered=answered, error=error, status=400 if error else 200)


async def _people(room: AccountsRoom, request: Request, status: int = 200, **shown: Any) -> Response:
    clerk = room.sessions.clerk
    people = await clerk.accounts.newest_users(_MOST_PEOPLE)
    states = await clerk.quotas.described([of_user(person.id) for person in people])
    use = [(used_in(Window.DAY, windows), used_in(Window.MONTH, windows), tightest(windows)) for windows in states]
    values = {
        "people": list(zip(people, use, strict=True)),
        "most": _MOST_PEOPLE,
        "origin": f"{request.url.scheme}://{request.url.netloc}",
        **await inviting.shown_requests(room.usher),
    }
    return render(request, "people.html", status=status, **{**values, **shown})


async def _page(room: AccountsRoom, request: Request, **shown: Any) -> Response:
    here = signed_in(request)
    least, most = PASSWORD_LENGTH
    clerk = room.sessions.clerk
    keys = await clerk.accounts.keys(here.user.id)
    live = [key for key in keys if key.revoked_at_s is None]
    own, *of_keys = await sheets(clerk.quotas, here.user, [of_user(here.user.id), *map(of_key, live)])
    values = {
        "budget": own,
        "key_budgets": {sheet.key: sheet for sheet in of_keys if sheet.is_limited},
        "in_flight": room.admission.in_flight(here.user),
        "sessions": await room.sessions.live(here),
        # Live ones first, the newest of each first.
        "keys": sorted(keys, key=lambda key: (key.revoked_at_s is not None, -key.created_at_s)),
        "scopes": _SCOPES.items(),
        "chosen_scopes": frozenset(Scope),
        "wish": secrets.token_hex(8),
        "key_name": "",
        "errors": {},
        "done": "",
        **await inviting.shown_invites(room.usher, here, clerk.clock()),
        "least": least,
        "most": most,
    }
    errors = shown.get("errors", {})
    own_errors = {"email": errors["invite-email"]} if "invite-email" in errors else {}
    return render(request, "account.html", **{**values, "invite_errors": own_errors, **shown})


# One sentence for what never was, what is over and what is another's.
def _no_such_key() -> Refusal:
    return Refusal(Reason.ROUTE_NOT_FOUND, "You have no such live key.", page="/account")


def _no_such_session() -> Refusal:
    return Refusal(Reason.ROUTE_NOT_FOUND, "You have no such live session.", page="/account")
