"""What an operator does about who may join: makes, lists and ends invitations, and answers requests.

The same acts serve the command line directly and, while the service runs,
through its control socket. `deliver` mails an invitation where mail is set up;
otherwise its text is answered, for the operator to pass on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from tidegate.core.identifiers import Fingerprint, InviteId, JoinRequestId
from tidegate.core.registration.invites import Invite, InviteState
from tidegate.core.registration.requests import RequestKind
from tidegate.core.standing.history import DAY_S
from tidegate.ports.accounts import AccountStore
from tidegate.ports.invitations import Waiting, Wanted
from tidegate.services.accounts import NotFoundError
from tidegate.services.invitations import Invitations
from tidegate.services.join_requests import Approved, Requests

MOST_LISTED = 1000


class CreateInvite(msgspec.Struct, kw_only=True, tag_field="act", tag="create_invite"):
    """Make an invitation, for one address if that is given, that lasts `days` or as the settings say."""

    email: str | None = None
    days: float | None = None


class ListInvites(msgspec.Struct, kw_only=True, tag_field="act", tag="list_invites"):
    """The newest invitations."""

    limit: int = 100


class RevokeInvite(msgspec.Struct, kw_only=True, tag_field="act", tag="revoke_invite"):
    """End an invitation that nobody used."""

    invite_id: str


class ListRequests(msgspec.Struct, kw_only=True, tag_field="act", tag="list_requests"):
    """Those who asked to be let in, in their order."""

    kind: RequestKind = RequestKind.APPROVAL
    limit: int = 100


class AnswerRequests(msgspec.Struct, kw_only=True, tag_field="act", tag="answer_requests"):
    """Let in, or refuse, those with these ids, or of this domain, or from this network."""

    is_approved: bool
    ids: tuple[str, ...] = ()
    domain: str | None = None
    net: str | None = None
    kind: RequestKind = RequestKind.APPROVAL


UsherAct = CreateInvite | ListInvites | RevokeInvite | ListRequests | AnswerRequests


class MadeInvite(msgspec.Struct, frozen=True, kw_only=True):
    """A new invitation and, for this once, its text."""

    id: InviteId
    text: str
    email: str | None
    expires_at_s: float


class ListedInvite(Invite, frozen=True, kw_only=True):
    """An invitation, what became of it, and the addresses of whom it joins; None for an operator's command."""

    is_now: InviteState
    made_by_email: str | None = None
    used_by_email: str | None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered: who was let in, whether each was mailed, and how many were refused."""

    approved: list[Approved] = []
    mailed: list[str] = []
    refused: int = 0


class Usher(msgspec.Struct, frozen=True, kw_only=True):
    """Does the acts. `deliver` answers whether an invitation is on its way by mail; `clock` tells Unix seconds."""

    invitations: Invitations
    requests: Requests
    accounts: AccountStore
    clock: Callable[[], float]
    deliver: Callable[[Approved], Awaitable[bool]] | None = None

    async def perform(self, act: UsherAct) -> MadeInvite | list[ListedInvite] | list[Waiting] | Answered | None:
        """Do whichever act this is. Raises ValueError naming the field, or NotFoundError."""
        match act:
            case CreateInvite():
                return await self.create(act.email, act.days)
            case ListInvites():
                return await self.invites(limit=min(act.limit, MOST_LISTED))
            case RevokeInvite():
                await self.revoke(act.invite_id)
                return None
            case ListRequests():
                return await self.requests.listed(act.kind, min(act.limit, MOST_LISTED))
            case AnswerRequests():
                wanted = _wanted(act)
                if act.is_approved:
                    return await self.approve(wanted, act.kind)
                return Answered(refused=await self.requests.refuse(wanted, act.kind))

    async def create(self, email: str | None, days: float | None) -> MadeInvite:
        """Make an invitation on an operator's word. Raises ValueError naming the field."""
        invite, text = await self.invitations.create(None, email, None if days is None else days * DAY_S)
        return MadeInvite(id=invite.id, text=text, email=invite.email, expires_at_s=invite.expires_at_s)

    async def invites(self, *, limit: int) -> list[ListedInvite]:
        """The newest invitations, with whom each joins."""
        found = await self.invitations.listed(limit=limit)
        emails: dict[str, str] = {}
        for user_id in {one for invite in found for one in (invite.made_by, invite.used_by) if one is not None}:
            user = await self.accounts.user(user_id)
            if user is not None:
                emails[user_id] = user.email
        return [
            ListedInvite(
                **msgspec.structs.asdict(invite),
                is_now=invite.state(self.clock()),
                made_by_email=emails.get(invite.made_by or ""),
                used_by_email=emails.get(invite.used_by or ""),
            )
            for invite in found
        ]

    async def revoke(self, invite_id: str) -> None:
        """End an invitation. Raises ValueError for what is no id, NotFoundError."""
        try:
            known_as = InviteId(invite_id)
        except ValueError:
            msg = "invite: expected the id that 'invites list' shows, inv_ and hex digits; not the invitation itself"
            raise ValueError(msg) from None
        if not await self.invitations.revoke(known_as):
            msg = f"invite: there is no unused invitation {known_as}"
            raise NotFoundError(msg)

    async def approve(self, wanted: Wanted, kind: RequestKind = RequestKind.APPROVAL) -> Answered:
        """Let in those who are meant, and mail them where that is set up."""
        approved = await self.requests.approve(wanted, kind)
        deliver = self.deliver
        if deliver is None:
            return Answered(approved=approved)
        return Answered(approved=approved, mailed=[one.email for one in approved if await deliver(one)])


def _wanted(act: AnswerRequests) -> Wanted:
    try:
        ids = tuple(map(JoinRequestId, act.ids))
        net = None if act.net is None else Fingerprint(act.net)
    except ValueError:
        msg = "request: expected the id that 'requests list' shows, jrq_ and hex digits; a network as it shows that"
        raise ValueError(msg) from None
    if not ids and act.domain is None and net is None:
        msg = "request: say which: ids, a domain, or a network"
        raise ValueError(msg)
    if len(ids) > MOST_ANSWERED_BY_ID:
        msg = f"request: at most {MOST_ANSWERED_BY_ID} ids at once"
        raise ValueError(msg)
    return Wanted(ids=ids, domain=None if act.domain is None else act.domain.casefold(), net=net)


MOST_ANSWERED_BY_ID = 500
