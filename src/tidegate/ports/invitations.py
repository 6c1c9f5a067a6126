"""Where it is kept who invited whom, and who asked to be let in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from tidegate.core.identifiers import Fingerprint, InviteId, JoinRequestId, UserId
from tidegate.core.registration.invites import Invite
from tidegate.core.registration.requests import JoinRequest, RequestKind


class QuotaSpentError(Exception):
    """Whoever wants to invite has made as many invitations as they may."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which requests are meant: those with these ids, or of this domain, or from this network."""

    ids: tuple[JoinRequestId, ...] = ()
    domain: str | None = None
    net: Fingerprint | None = None


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and whether somebody with its address has an account by now."""

    request: JoinRequest
    has_account: bool


class InvitationStore(Protocol):
    """Invitations under the SHA-256 digests of their texts. Every write is durable when it returns."""

    async def add(self, invite: Invite, digest: bytes, *, most: int | None = None, since_s: float = 0.0) -> None:
        """Keep a new invitation.

        Raises QuotaSpentError when its maker has made `most` already since then (Unix s) that were not revoked
        unused, counted so that no two made at once are both the last; LookupError without the maker.
        """

    async def find(self, digest: bytes) -> Invite | None:
        """The invitation with this digest, whatever became of it."""

    async def use(self, digest: bytes, user_id: UserId, email: str, now: float) -> Invite | None:
        """Use an invitation that is open, for an account of that id and address; None when it is not.

        Of two who do so at once one has it. It counts as open again HELD_S after it was used for an account
        that there is not.
        """

    async def give_back(self, digest: bytes, user_id: UserId) -> bool:
        """Open it again, unless there is an account of that id. False when it was not used for that id."""

    async def invites(self, made_by: UserId | None, limit: int) -> list[Invite]:
        """At most so many, newest first: all, or one person's."""

    async def made_since(self, made_by: UserId, since_s: float) -> int:
        """How many somebody has made since then (Unix s) that were not revoked unused."""

    async def invited(self, made_by: UserId, limit: int) -> list[UserId]:
        """At most `limit` accounts that somebody's invitations were used for, the latest first."""

    async def inviter(self, user_id: UserId) -> UserId | None:
        """Who invited an account; None for nobody, an operator's command, or whoever is gone."""

    async def revoke(self, invite_id: InviteId, now: float, *, made_by: UserId | None = None) -> bool:
        """End an invitation, of `made_by` only where that is given. False when there is no such unused one."""

    async def remove_old(self, before_s: float) -> int:
        """Forget invitations that nobody used and that expired before that (Unix s); answers how many."""


class JoinRequestStore(Protocol):
    """Requests, one for each box (`canonical` of an address). Every write is durable when it returns."""

    async def leave(self, request: JoinRequest, *, most: int) -> bool:
        """Keep a request, or renew the one of its kind and box; False when there are `most` that have not expired.

        Renewed, a request keeps its id, place and note, and lasts as long as the new one. One kind takes nothing from
        the other: anybody can ask in anybody's name. An operator's no counts for all that the box asks for, as long as
        it is kept.
        """

    async def requests(self, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """At most `limit` that nobody has answered, in their order."""

    async def wanted(self, wanted: Wanted, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """Those of them that are meant, in their order."""

    async def count(self, kind: RequestKind, now: float) -> int:
        """How many nobody has answered."""

    async def approve(self, made: Sequence[tuple[JoinRequestId, Invite, bytes]]) -> list[JoinRequestId]:
        """Put an invitation, under its digest, in the place of each request that is still there; answers which.

        All or nothing, and of two who answer the same request one does.
        """

    async def remove(self, ids: Sequence[JoinRequestId]) -> None:
        """Forget requests."""

    async def refuse(self, ids: Sequence[JoinRequestId]) -> int:
        """Say no, also to what the same boxes asked for otherwise; answers to how many of these."""
