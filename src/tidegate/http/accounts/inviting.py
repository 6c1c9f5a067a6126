"""Inviting people on one's own account page, and answering on the operators' those who asked to be let in."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.identifiers import InviteId
from tidegate.core.reasons import Reason
from tidegate.core.registration.requests import RequestKind
from tidegate.http import forms
from tidegate.http.accounts.room import AccountsRoom, Problem, problem, see_other, signed_in
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.ports.invitations import QuotaSpentError
from tidegate.services.sessions import SignedIn
from tidegate.services.usher import Answered, AnswerRequests, Usher

_MOST_INVITES: Final = 100
_MOST_REQUESTS: Final = 200
NO_INVITES: Final[dict[str, Any]] = {"invites": [], "invite_quota": None, "invite_email": ""}
NO_REQUESTS: Final[dict[str, Any]] = {"requests": [], "waiting": 0, "answered": None, "error": ""}


class NewInvite(msgspec.Struct, frozen=True):
    """For whom an invitation is to be; empty is anybody."""

    email: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What an operator says to one, to a domain's, or to a network's. Empty is none."""

    answer: str
    id: str = ""
    domain: str = ""
    net: str = ""


async def shown_invites(usher: Usher | None, here: SignedIn, now: float) -> dict[str, Any]:
    """What the account page shows of one's own invitations."""
    if usher is None:
        return NO_INVITES
    invites = await usher.invitations.listed(here.user.id, _MOST_INVITES)
    return {
        **NO_INVITES,
        "invites": [(invite, invite.state(now)) for invite in invites],
        "invite_quota": await usher.invitations.quota(here.user),
    }


async def made_invite(room: AccountsRoom, request: Request) -> Response | Problem:
    """Make an invitation and show it, this once; or why not."""
    email = forms.decode(request.state.form, NewInvite).email.strip()
    try:
        invite, text = await _usher(room).invitations.create(signed_in(request).user, email or None)
    except QuotaSpentError:
        return problem(request, ValueError("invites: you can make no more invitations for now"), wrong=("", ""))
    except ValueError as error:
        field, _, sentence = str(error).partition(": ")
        return problem(request, ValueError(f"{_FIELDS.get(field, field)}: {sentence}"), wrong=("", ""))
    # As it was asked for: whoever reads it here is the one who asked.
    link = f"{request.url.scheme}://{request.url.netloc}/invitation/{text}"
    return render(request, "new_invite.html", invite=invite, link=link)


async def revoke_invite(room: AccountsRoom, request: Request) -> Response:
    """End one of one's own invitations."""
    try:
        invite_id = InviteId(request.path_params["invite"])
    except ValueError:
        raise _no_such_invite() from None
    if not await _usher(room).invitations.revoke(invite_id, by=signed_in(request).user.id):
        raise _no_such_invite()
    return see_other("/account?done=invite#invites")


async def shown_requests(usher: Usher | None) -> dict[str, Any]:
    """What the operators' page shows of those who asked to be let in."""
    if usher is None:
        return NO_REQUESTS
    return {
        **NO_REQUESTS,
        "requests": await usher.requests.listed(limit=_MOST_REQUESTS),
        "waiting": await usher.requests.count(RequestKind.WAITING),
    }


async def answered(room: AccountsRoom, request: Request) -> tuple[Answered | None, str]:
    """Answer requests; what was done, or a sentence about why nothing was."""
    asked = forms.decode(request.state.form, Answer)
    act = AnswerRequests(
        is_approved=asked.answer == "approve",
        ids=(asked.id,) if asked.id else (),
        domain=asked.domain.strip() or None,
        net=asked.net or None,
    )
    try:
        result = await _usher(room).perform(act)
    except ValueError as error:
        found = problem(request, error, wrong=("", ""))
        return None, next(iter(found.errors.values()))
    assert isinstance(result, Answered), "that is what the act answers"
    return result, ""


_FIELDS: Final = {"email": "invite-email"}
"""The page has other forms with fields of these names."""


def _usher(room: AccountsRoom) -> Usher:
    if room.usher is None:
        raise _no_such_invite()
    return room.usher


# One sentence for what never was, what is over and what is another's.
def _no_such_invite() -> Refusal:
    return Refusal(Reason.ROUTE_NOT_FOUND, "You have no such open invitation.", page="/account")
