"""The account pages' routes. All of them work without JavaScript."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.accounts import Role
from tidegate.core.admission.facts import Lane
from tidegate.core.events import RouteKind
from tidegate.core.reasons import Reason
from tidegate.http.accounts import entering, own
from tidegate.http.accounts.room import AccountsRoom
from tidegate.http.routes import Route

_Endpoint = Callable[[AccountsRoom, Request], Awaitable[Response]]
_ENTERING = (Reason.INVALID_VALUE, Reason.SIGN_IN_BUSY)
_JOINING = (*_ENTERING, Reason.EMAIL_TAKEN)


def _page(
    path: str, summary: str, endpoint: _Endpoint, role: Role | None = None, *reasons: Reason
) -> Route[AccountsRoom]:
    return Route(
        method="GET",
        path=path,
        summary=summary,
        endpoint=endpoint,
        kind=RouteKind.PAGE,
        role=role,
        media_type="text/html",
        reasons=reasons,
    )


def _form(
    path: str,
    summary: str,
    endpoint: _Endpoint,
    role: Role | None = None,
    *reasons: Reason,
    lane: Lane | None = None,
) -> Route[AccountsRoom]:
    return Route(
        method="POST",
        path=path,
        summary=summary,
        endpoint=endpoint,
        kind=RouteKind.PAGE,
        lane=lane,
        role=role,
        is_form=True,
        media_type="text/html",
        statuses=(303,),
        reasons=reasons,
    )


TABLE: Final = (
    _page("/sign-in", "The form to sign in", entering.sign_in_page),
    _form(
        "/sign-in",
        "Sign in",
        entering.sign_in,
        None,
        Reason.WRONG_CREDENTIALS,
        *_ENTERING,
        lane=Lane.ACCOUNT,
    ),
    _page("/sign-up", "The form to make an account", entering.sign_up_page, None, Reason.SIGN_UP_CLOSED),
    _form(
        "/sign-up",
        "Make an account",
        entering.sign_up,
        None,
        Reason.SIGN_UP_CLOSED,
        *_JOINING,
        lane=Lane.ACCOUNT,
    ),
    _form("/sign-out", "Sign out", entering.sign_out),
    _page("/setup/{code}", "The form for the first operator", entering.setup_page, None, Reason.ROUTE_NOT_FOUND),
    _form(
        "/setup/{code}",
        "Make the first operator",
        entering.setup,
        None,
        Reason.ROUTE_NOT_FOUND,
        *_JOINING,
        lane=Lane.ACCOUNT,
    ),
    _page("/account", "One's own account", own.account_page, Role.USER),
    _form("/account/keys", "Make a key", own.create_key, Role.USER, Reason.INVALID_VALUE),
    _form("/account/keys/{key}/revoke", "Revoke a key", own.revoke_key, Role.USER, Reason.ROUTE_NOT_FOUND),
    _form("/account/sessions/end-others", "End all other sessions", own.end_other_sessions, Role.USER),
    _form("/account/sessions/{session}/end", "End a session", own.end_session, Role.USER, Reason.ROUTE_NOT_FOUND),
    _form(
        "/account/password",
        "Change the password",
        own.change_password,
        Role.USER,
        Reason.WRONG_CREDENTIALS,
        *_ENTERING,
        lane=Lane.ACCOUNT,
    ),
    _page("/people", "The newest accounts", own.people_page, Role.OPERATOR),
)
