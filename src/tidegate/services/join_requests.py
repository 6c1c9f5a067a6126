"""Those who asked to be let in: leaving an address, and an operator's answer or one's turn.

What is answered does not tell whether an address is here already or has an
account: everybody counts against their network and the room that there is, and
who has an account is found out only when it is their turn. Requests are deleted
in the same step that makes their invitations.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tidegate.core import credentials
from tidegate.core.accounts import normalise_email
from tidegate.core.events import JoinRequestsAnswered, Tag
from tidegate.core.identifiers import Fingerprint, JoinRequestId
from tidegate.core.registration.requests import JoinRequest, Left, Nets, RequestKind, RequestPlan, noted, place_of
from tidegate.ports.invitations import JoinRequestStore, Waiting, Wanted
from tidegate.ports.journal import Journal
from tidegate.services.invitations import Invitations

WAITING_INVITE_S: Final = 86_400.0
"""So long whoever left an address has to come once it is their turn."""

MOST_ANSWERED: Final = 1000
"""At once."""


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody may join with the invitation `text`, until then (Unix s); None for whoever has an account by now."""

    email: str
    text: str | None
    expires_at_s: float


class Requests:
    """Takes and answers requests. `plan` may be replaced at any time; `clock` tells Unix seconds."""

    def __init__(
        self,
        store: JoinRequestStore,
        invitations: Invitations,
        plan: RequestPlan,
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        """Keep them in `store`; invitations are written by `invitations`."""
        self.plan = plan
        self._store = store
        self._invitations = invitations
        self._journal = journal
        self._clock = clock
        self._nets = Nets()

    async def leave(
        self, email: str, kind: RequestKind, net: Fingerprint | None = None, now: float | None = None, *, note: str = ""
    ) -> Left:
        """Take somebody's wish, from the network `net`. Raises ValueError naming the field; StorageUnavailableError."""
        now = self._clock() if now is None else now
        address, plan = normalise_email(email), self.plan
        written = noted(note)
        if not self._nets.count(net, plan.per_network, now):
            return Left.NETWORK_FULL
        request = JoinRequest(
            id=JoinRequestId.of(secrets.token_bytes(8)),
            kind=kind,
            email=address,
            net=net,
            note=written,
            asked_at_s=now,
            expires_at_s=now + plan.lasts_s,
            place=place_of(now, secrets.randbelow(1 << 24) / (1 << 24)),
        )
        return Left.LEFT if await self._store.leave(request, most=plan.most) else Left.FULL

    async def count(self, kind: RequestKind) -> int:
        """How many of a kind nobody has answered."""
        return await self._store.count(kind, self._clock())

    async def listed(self, kind: RequestKind = RequestKind.APPROVAL, limit: int = MOST_ANSWERED) -> list[Waiting]:
        """At most so many of them, in their order."""
        return await self._store.requests(kind, self._clock(), limit)

    async def waiting_next(self, most: int, *, lasts_s: float = WAITING_INVITE_S) -> list[Approved]:
        """Those whose turn it is, at most so many; each is answered once, also by several processes.

        Whoever has an account by now is among them, without an invitation.
        """
        found = await self._store.requests(RequestKind.WAITING, self._clock(), most)
        return await self._let_in(found, lasts_s)

    async def approve(self, wanted: Wanted, kind: RequestKind = RequestKind.APPROVAL) -> list[Approved]:
        """Say yes to those who are meant, at most MOST_ANSWERED at once."""
        return await self._let_in(await self._wanted(wanted, kind), None)

    async def refuse(self, wanted: Wanted, kind: RequestKind = RequestKind.APPROVAL) -> int:
        """Say no to those who are meant; answers to how many. Nobody is told, and asking again changes nothing."""
        meant = await self._wanted(wanted, kind)
        refused = await self._store.refuse([one.request.id for one in meant])
        self._tell(Tag.JOIN_REQUESTS_REFUSED, refused)
        return refused

    async def _wanted(self, wanted: Wanted, kind: RequestKind) -> list[Waiting]:
        return await self._store.wanted(wanted, kind, self._clock(), MOST_ANSWERED)

    async def _let_in(self, found: Sequence[Waiting], lasts_s: float | None) -> list[Approved]:
        written = {
            one.request.id: self._invitations.written(None, one.request.email, lasts_s)
            for one in found
            if not one.has_account
        }
        made = [(request_id, invite, credentials.digest(text)) for request_id, (invite, text) in written.items()]
        approved = set(await self._store.approve(made))
        known = [one.request for one in found if one.has_account]
        await self._store.remove([request.id for request in known])
        self._tell(Tag.JOIN_REQUESTS_APPROVED, len(approved))
        invited = [written[one.request.id] for one in found if one.request.id in approved]
        return [
            *(
                Approved(email=invite.email or "", text=text, expires_at_s=invite.expires_at_s)
                for invite, text in invited
            ),
            *(Approved(email=request.email, text=None, expires_at_s=request.expires_at_s) for request in known),
        ]

    def _tell(self, tag: Tag, number: int) -> None:
        if number:
            self._journal.record(JoinRequestsAnswered(t=self._clock(), event=tag, number=number))
