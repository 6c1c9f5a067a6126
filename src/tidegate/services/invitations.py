"""One person's word for another: making invitations, looking at them, and using each once.

What cannot be an invitation of this service is told from its text alone, before
the store is asked. The text is shown to whoever made it, once, and not kept.

`use` comes right before the account is made, for the id that it will have, and
`give_back` if it was not; a process that dies in between loses no invitation
(core/registration/invites.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core import credentials
from tidegate.core.accounts import User, normalise_email
from tidegate.core.credentials import Genuine, Kind, ServerKeys
from tidegate.core.events import InviteChanged, Tag
from tidegate.core.identifiers import Fingerprint, InviteId, UserId
from tidegate.core.registration.invites import MONTH_S, Invite, InvitePlan, InviteState, may_make
from tidegate.core.standing.record import standing_of
from tidegate.ports.invitations import InvitationStore
from tidegate.ports.journal import Journal
from tidegate.services.reputation import Reputation

LONGEST_S: Final = 90 * 86_400.0
_LOOKED_BACK_ON: Final = 100
_KEPT_S: Final = MONTH_S
"""So long after it expired an unused one is still listed, and counts as made."""

# In the text there is a place for who made it; the store knows that, and the text tells it nobody.
_NOBODY: Final = UserId.of(bytes(8))


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """How many invitations somebody may make in 30 days, None for any number, and how many of them are left."""

    most: int | None
    left: int | None

    @property
    def is_left(self) -> bool:
        """Whether they may make one now."""
        return self.left is None or self.left > 0


class Invitations:
    """Makes, shows and ends invitations. `plan` may be replaced at any time; `clock` tells Unix seconds."""

    def __init__(
        self,
        store: InvitationStore,
        server_keys: ServerKeys,
        reputation: Reputation,
        plan: InvitePlan,
        journal: Journal,
        fingerprint: Callable[[str], Fingerprint],
        clock: Callable[[], float],
    ) -> None:
        """Keep them in `store`; `reputation` says who may make how many."""
        self.plan = plan
        self._store = store
        self._server_keys = server_keys
        self._reputation = reputation
        self._journal = journal
        self._fingerprint = fingerprint
        self._clock = clock

    # ------------------------------------------------------------ for whoever was invited

    async def look(self, text: str) -> Invite | None:
        """The invitation that this is, if it can be used now. Anything else is nothing, whyever."""
        digest = self._digest(text)
        if digest is None:
            return None
        found = await self._store.find(digest)
        return found if found is not None and found.state(self._clock()) is InviteState.OPEN else None

    async def use(self, text: str, user_id: UserId, email: str) -> Invite | None:
        """Use it for the account of that id, about to be made with that normalised address; None when it cannot be."""
        digest = self._digest(text)
        if digest is None:
            return None
        used = await self._store.use(digest, user_id, email, self._clock())
        if used is not None:
            self._tell(Tag.INVITE_USED, used.made_by, user_id)
        return used

    async def give_back(self, text: str, user_id: UserId) -> None:
        """Open it again: no account of that id was made. With one there nothing changes."""
        digest = self._digest(text)
        if digest is not None and await self._store.give_back(digest, user_id):
            self._tell(Tag.INVITE_GIVEN_BACK, None, user_id)

    # ------------------------------------------------------------ for whoever invites

    async def quota(self, by: User) -> Quota:
        """How many invitations somebody may make, and how many are left. Raises StorageUnavailableError."""
        most = await self._most(by)
        if most is None:
            return Quota(most=None, left=None)
        made = await self._store.made_since(by.id, self._clock() - MONTH_S) if most else 0
        return Quota(most=most, left=max(0, most - made))

    async def create(
        self, by: User | None, email: str | None = None, lasts_s: float | None = None
    ) -> tuple[Invite, str]:
        """Make an invitation; `by` nobody is an operator's command. The text is shown this once.

        Raises QuotaSpentError, LookupError without the maker, or ValueError naming the field.
        """
        most = None if by is None else await self._most(by)
        invite, text = self.written(None if by is None else by.id, email, lasts_s)
        await self._store.add(invite, credentials.digest(text), most=most, since_s=invite.made_at_s - MONTH_S)
        self._tell(Tag.INVITE_MADE, invite.made_by)
        await self.sweep()  # Whatever comes in here goes out here as well: nothing else needs to think of it.
        return invite, text

    def written(self, by: UserId | None, email: str | None = None, lasts_s: float | None = None) -> tuple[Invite, str]:
        """Write an invitation that nobody keeps yet. Raises ValueError naming the field."""
        lasts_s = self.plan.lasts_s if lasts_s is None else lasts_s
        if not 60.0 <= lasts_s <= LONGEST_S:  # noqa: PLR2004 - a minute; also what is not a number
            msg = "days: expected from a minute to 90 days"
            raise ValueError(msg)
        now = self._clock()
        entropy = secrets.token_bytes(credentials.RANDOM_BYTES)
        text = credentials.issue(Kind.INVITE, _NOBODY, self._server_keys, now=now, entropy=entropy)
        invite = Invite(
            id=InviteId.of(secrets.token_bytes(8)),
            made_by=by,
            email=None if email is None else normalise_email(email),
            made_at_s=now,
            expires_at_s=now + lasts_s,
        )
        return invite, text

    async def listed(self, by: UserId | None = None, limit: int = 100) -> list[Invite]:
        """At most so many, newest first: all, or one person's."""
        return await self._store.invites(by, limit)

    async def revoke(self, invite_id: InviteId, *, by: UserId | None = None) -> bool:
        """End one, of that person's only where that is given. False when there is no such unused one."""
        is_revoked = await self._store.revoke(invite_id, self._clock(), made_by=by)
        if is_revoked:
            self._tell(Tag.INVITE_REVOKED, by)
        return is_revoked

    async def inviter(self, user_id: UserId) -> UserId | None:
        """Who invited an account, if somebody did."""
        return await self._store.inviter(user_id)

    async def sweep(self) -> int:
        """Forget what nobody used in time; answers how many."""
        return await self._store.remove_old(self._clock() - _KEPT_S)

    async def _most(self, by: User) -> int | None:
        record = await self._reputation.meet(by)
        standing = standing_of(record, self._reputation.register.plan, self._clock())
        allowed = may_make(standing, self.plan, 0)
        return may_make(standing, self.plan, await self._findings(by.id)) if allowed else allowed

    async def _findings(self, by: UserId) -> int:
        """How many of those whom somebody invited lately are suspects now."""
        now, found = self._clock(), 0
        for user_id in await self._store.invited(by, _LOOKED_BACK_ON):
            record = await self._reputation.find(user_id)
            found += record is not None and record.is_suspect(now)
        return found

    def _digest(self, text: str) -> bytes | None:
        read = credentials.read(text, Kind.INVITE, self._server_keys)
        return read.digest if isinstance(read, Genuine) else None

    def _tell(self, tag: Tag, by: UserId | None, acct: UserId | None = None) -> None:
        self._journal.record(
            InviteChanged(
                t=self._clock(),
                event=tag,
                inviter=None if by is None else self._fingerprint(by),
                acct=None if acct is None else self._fingerprint(acct),
            )
        )
