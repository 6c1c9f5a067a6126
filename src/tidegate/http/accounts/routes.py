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
from tidegate.http.accounts import confirming, entering, inviting, joining, own, recovering
from tidegate.http.accounts.room import AccountsRoom
from tidegate.http.routes import Route

_Endpoint = Callable[[AccountsRoom, Request], Awaitable[Response]]
_ENTERING = (Reason.INVALID_VALUE, Reason.SIGN_IN_BUSY)
_LINKED = (Reason.ROUTE_NOT_FOUND, Reason.LINK_INVALID)
_JOINING = (*_ENTERING, Reason.EMAIL_TAKEN)
_LIMITED = (Reason.CHALLENGE_REQUIRED, Reason.INVITATION_REQUIRED, Reason.SIGN_UP_CLOSED)
_INVITED = (Reason.LINK_INVALID, Reason.SIGN_UP_CLOSED)


def _page(
    path: str, summary: str, endpoint: _Endpoint, *reasons: Reason, role: Role | None = None
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
    *reasons: Reason,
    role: Role | None = None,
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
        Reason.WRONG_CREDENTIALS,
        Reason.CHALLENGE_REQUIRED,
        *_ENTERING,
        lane=Lane.SIGN_IN,
    ),
    _form(
        "/sign-in/letter",
        "Ask for a letter that signs in",
        entering.sign_in_letter,
        Reason.ROUTE_NOT_FOUND,
        lane=Lane.ACCOUNT,
    ),
    _page("/sign-up", "The form to make an account, or what there is instead", joining.sign_up_page, *_LIMITED),
    _form("/sign-up", "Make an account", joining.sign_up, *_LIMITED, *_JOINING, lane=Lane.SIGN_UP),
    _page("/sign-up/line", "One's place in line", joining.line_page),
    _form("/sign-up/line", "Get in line", joining.line_up, *_LIMITED, lane=Lane.SIGN_UP),
    _form("/sign-up/leave", "Leave the line", joining.leave_line),
    _page("/sign-up/address", "The form to leave an address instead of waiting", joining.address_page),
    _form(
        "/sign-up/address",
        "Leave an address, or ask the operator",
        joining.leave_address,
        Reason.ROUTE_NOT_FOUND,
        Reason.INVALID_VALUE,
        Reason.SLOW_DOWN,
        *_LIMITED,
        lane=Lane.SIGN_UP,
    ),
    Route(
        method="GET",
        path="/api/sign-up",
        summary="What there is to do for an account now",
        endpoint=joining.sign_up_state,
        kind=RouteKind.PAGE,
        response=joining.SignUpState,
    ),
    _page("/invitation/{code}", "The form that an invitation leads to", joining.invitation_page, *_INVITED),
    _form(
        "/invitation/{code}",
        "Make an account by invitation",
        joining.accept_invitation,
        *_INVITED,
        *_JOINING,
        lane=Lane.ACCOUNT,
    ),
    _page(
        "/sign-up/confirm/{token}",
        "The form that a letter leads to",
        confirming.confirm_page,
        Reason.EMAIL_TAKEN,
        *_LINKED,
    ),
    _form(
        "/sign-up/confirm/{token}",
        "Make an account by letter",
        confirming.confirm,
        Reason.SIGN_UP_CLOSED,
        *_LINKED,
        *_JOINING,
        lane=Lane.ACCOUNT,
    ),
    _page("/forgot", "The form to ask for a new password", recovering.forgot_page, Reason.ROUTE_NOT_FOUND),
    _form(
        "/forgot",
        "Ask for a new password by letter",
        recovering.forgot,
        Reason.ROUTE_NOT_FOUND,
        Reason.INVALID_VALUE,
        lane=Lane.ACCOUNT,
    ),
    _page("/reset/{token}", "The form for a new password", recovering.reset_page, *_LINKED),
    _form(
        "/reset/{token}",
        "Replace a forgotten password",
        recovering.reset,
        *_LINKED,
        *_ENTERING,
        lane=Lane.ACCOUNT,
    ),
    _page("/sign-in/link/{token}", "The button to sign in by letter", recovering.sign_in_link_page, *_LINKED),
    _form(
        "/sign-in/link/{token}",
        "Sign in by letter",
        recovering.sign_in_by_link,
        *_LINKED,
        lane=Lane.ACCOUNT,
    ),
    _page("/sessions/end/{token}", "The button to end all sessions", recovering.end_sessions_page, *_LINKED),
    _form(
        "/sessions/end/{token}",
        "End all sessions by letter",
        recovering.end_sessions_by_link,
        *_LINKED,
        lane=Lane.ACCOUNT,
    ),
    _form("/sign-out", "Sign out", entering.sign_out),
    _page("/setup/{code}", "The form for the first operator", entering.setup_page, Reason.ROUTE_NOT_FOUND),
    _form(
        "/setup/{code}",
        "Make the first operator",
        entering.setup,
        Reason.ROUTE_NOT_FOUND,
        *_JOINING,
        lane=Lane.ACCOUNT,
    ),
    _page("/account", "One's own account", own.account_page, role=Role.USER),
    _form("/account/keys", "Make a key", own.create_key, Reason.INVALID_VALUE, role=Role.USER),
    _form("/account/keys/{key}/revoke", "Revoke a key", own.revoke_key, Reason.ROUTE_NOT_FOUND, role=Role.USER),
    _form("/account/sessions/end-others", "End all other sessions", own.end_other_sessions, role=Role.USER),
    _form("/account/sessions/{session}/end", "End a session", own.end_session, Reason.ROUTE_NOT_FOUND, role=Role.USER),
    _form(
        "/account/password",
        "Change the password",
        own.change_password,
        Reason.WRONG_CREDENTIALS,
        *_ENTERING,
        lane=Lane.ACCOUNT,
        role=Role.USER,
    ),
    _form(
        "/account/invites",
        "Make an invitation",
        own.create_invite,
        Reason.INVALID_VALUE,
        Reason.ROUTE_NOT_FOUND,
        role=Role.USER,
    ),
    _form(
        "/account/invites/{invite}/revoke",
        "Revoke an invitation",
        inviting.revoke_invite,
        Reason.ROUTE_NOT_FOUND,
        role=Role.USER,
    ),
    _page("/people", "Who asked to be let in, and the newest accounts", own.people_page, role=Role.OPERATOR),
    _form(
        "/people/requests",
        "Answer those who asked to be let in",
        own.answer_requests,
        Reason.INVALID_VALUE,
        Reason.ROUTE_NOT_FOUND,
        role=Role.OPERATOR,
    ),
)
