"""Invitations, and those who ask to be let in, in memory."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tidegate.core.identifiers import InviteId, JoinRequestId, UserId
from tidegate.core.registration.invites import HELD_S, Invite
from tidegate.core.registration.names import canonical
from tidegate.core.registration.requests import JoinRequest, RequestKind
from tidegate.ports.accounts import AccountStore
from tidegate.ports.invitations import QuotaSpentError, Waiting, Wanted


class MemoryInvitationStore:
    """Invitations for as long as the object lives."""

    def __init__(self, accounts: AccountStore) -> None:
        """Start empty; `accounts` says which users there are."""
        self.kept: dict[bytes, Invite] = {}
        self._accounts = accounts

    async def add(self, invite: Invite, digest: bytes, *, most: int | None = None, since_s: float = 0.0) -> None:
        """Keep a new invitation. Raises QuotaSpentError, or LookupError without its maker."""
        if invite.made_by is not None:
            if await self._accounts.user(invite.made_by) is None:
                msg = "invite: there is no such user"
                raise LookupError(msg)
            if most is not None and await self.made_since(invite.made_by, since_s) >= most:
                raise QuotaSpentError
        self.kept[digest] = invite

    async def find(self, digest: bytes) -> Invite | None:
        """The invitation with this digest."""
        return self.kept.get(digest)

    async def use(self, digest: bytes, user_id: UserId, email: str, now: float) -> Invite | None:
        """Use an invitation that is open, for an account of that id and address; None when it is not."""
        invite = self.kept.get(digest)
        if invite is None or invite.revoked_at_s is not None or invite.expires_at_s <= now or not invite.is_for(email):
            return None
        if invite.used_by is not None:
            is_left = (invite.used_at_s or 0.0) < now - HELD_S and await self._accounts.user(invite.used_by) is None
            if not is_left or self.kept[digest] is not invite:
                return None
        self.kept[digest] = used = msgspec.structs.replace(invite, used_by=user_id, used_at_s=now)
        return used

    async def give_back(self, digest: bytes, user_id: UserId) -> bool:
        """Open it again, unless there is an account of that id. False when it was not used for that id."""
        invite = self.kept.get(digest)
        if invite is None or invite.used_by != user_id or await self._accounts.user(user_id) is not None:
            return False
        self.kept[digest] = msgspec.structs.replace(invite, used_by=None, used_at_s=None)
        return True

    async def invites(self, made_by: UserId | None, limit: int) -> list[Invite]:
        """At most so many, newest first: all, or one person's."""
        found = [invite for invite in self.kept.values() if made_by in {None, invite.made_by}]
        return sorted(found, key=lambda invite: (-invite.made_at_s, invite.id))[:limit]

    async def made_since(self, made_by: UserId, since_s: float) -> int:
        """How many somebody has made since then that were not revoked unused."""
        return sum(
            invite.made_by == made_by
            and invite.made_at_s >= since_s
            and (invite.revoked_at_s is None or invite.used_by is not None)
            for invite in self.kept.values()
        )

    async def invited(self, made_by: UserId, limit: int) -> list[UserId]:
        """At most `limit` accounts that somebody's invitations were used for, the latest first."""
        mine = [one for one in self.kept.values() if one.made_by == made_by and one.used_by is not None]
        ordered = sorted(mine, key=lambda invite: (-(invite.used_at_s or 0.0), invite.id))
        used = [invite.used_by for invite in ordered if invite.used_by is not None]
        return [user_id for user_id in used if await self._accounts.user(user_id) is not None][:limit]

    async def inviter(self, user_id: UserId) -> UserId | None:
        """Who invited an account."""
        return next((invite.made_by for invite in self.kept.values() if invite.used_by == user_id), None)

    async def revoke(self, invite_id: InviteId, now: float, *, made_by: UserId | None = None) -> bool:
        """End an invitation, of `made_by` only where that is given. False when there is no such unused one."""
        for digest, invite in self.kept.items():
            is_unused = invite.used_by is None and invite.revoked_at_s is None
            if invite.id == invite_id and is_unused and made_by in {None, invite.made_by}:
                self.kept[digest] = msgspec.structs.replace(invite, revoked_at_s=now)
                return True
        return False

    async def remove_old(self, before_s: float) -> int:
        """Forget invitations that nobody used and that expired before that."""
        old = [
            digest
            for digest, invite in self.kept.items()
            if invite.expires_at_s < before_s
            and (invite.used_by is None or await self._accounts.user(invite.used_by) is None)
        ]
        for digest in old:
            del self.kept[digest]
        return len(old)


class MemoryJoinRequestStore:
    """Requests for as long as the object lives; approved ones become invitations in `invitations`."""

    def __init__(self, accounts: AccountStore, invitations: MemoryInvitationStore) -> None:
        """Start empty."""
        self._accounts = accounts
        self._invitations = invitations
        self._kept: dict[tuple[str, RequestKind], JoinRequest] = {}

    async def leave(self, request: JoinRequest, *, most: int) -> bool:
        """Keep a request, or renew the one of its kind and box; False when there are `most` that have not expired."""
        now = request.asked_at_s
        self._kept = {key: one for key, one in self._kept.items() if one.expires_at_s > now}
        if len(self._kept) >= most:
            return False
        key = canonical(request.email), request.kind
        is_refused = any(one.is_refused for (box, _), one in self._kept.items() if box == key[0])
        before = self._kept.get(key, msgspec.structs.replace(request, is_refused=is_refused))
        self._kept[key] = msgspec.structs.replace(before, expires_at_s=request.expires_at_s)
        return True

    async def requests(self, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """At most `limit` that nobody has answered, in their order."""
        return await self._told(self._open(kind, now)[:limit])

    async def wanted(self, wanted: Wanted, kind: RequestKind, now: float, limit: int) -> list[Waiting]:
        """Those of them that are meant, in their order."""
        found = [
            one
            for one in self._open(kind, now)
            if one.id in wanted.ids
            or (wanted.domain is not None and one.email.endswith(f"@{wanted.domain}"))
            or (wanted.net is not None and one.net == wanted.net)
        ]
        return await self._told(found[:limit])

    async def count(self, kind: RequestKind, now: float) -> int:
        """How many nobody has answered."""
        return len(self._open(kind, now))

    async def approve(self, made: Sequence[tuple[JoinRequestId, Invite, bytes]]) -> list[JoinRequestId]:
        """Put an invitation, under its digest, in the place of each request that is still there; answers which."""
        there = {one.id for one in self._kept.values()}
        for request_id, invite, digest in made:
            if request_id in there:
                await self._invitations.add(invite, digest)
        await self.remove([request_id for request_id, _, _ in made])
        return [request_id for request_id, _, _ in made if request_id in there]

    async def remove(self, ids: Sequence[JoinRequestId]) -> None:
        """Forget requests."""
        self._kept = {key: one for key, one in self._kept.items() if one.id not in ids}

    async def refuse(self, ids: Sequence[JoinRequestId]) -> int:
        """Say no; answers to how many."""
        refused = [box for (box, _), one in self._kept.items() if one.id in ids and not one.is_refused]
        for key, one in list(self._kept.items()):
            if key[0] in refused:
                self._kept[key] = msgspec.structs.replace(one, is_refused=True)
        return len(refused)

    async def _told(self, found: list[JoinRequest]) -> list[Waiting]:
        has_account = [await self._accounts.user_by_email(request.email) is not None for request in found]
        return [Waiting(request=one, has_account=has) for one, has in zip(found, has_account, strict=True)]

    def _open(self, kind: RequestKind, now: float) -> list[JoinRequest]:
        found = [one for one in self._kept.values() if one.kind is kind and not one.is_refused]
        return sorted((one for one in found if one.expires_at_s > now), key=lambda one: (one.place, one.id))
