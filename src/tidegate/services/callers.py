"""What an operator does with callers of a gate: list them, vouch for those who are known from elsewhere, give keys.

The same acts serve the command line directly and, while the gate runs, through
its control socket. A caller is named by principal; the key that it shows stays
with whoever typed it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec

from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, standing_of
from tidegate.ports.journal import Journal
from tidegate.services.issuing import Issuing
from tidegate.services.reputation import Reputation

MOST_LISTED = 10_000
"""Callers in one answer."""


class UnknownCallerError(Exception):
    """Nothing is known of this caller."""


class NotIssuingError(Exception):
    """This gate passes its callers' keys on: keys of its own would count for nothing."""


class ListCallers(msgspec.Struct, kw_only=True, tag_field="act", tag="list_callers"):
    """Those who were served last, or came last."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED)] = 100


class VouchForCaller(msgspec.Struct, kw_only=True, tag_field="act", tag="vouch_for_caller"):
    """Give a caller an operator's word, or take it back; with `may_be_new` also to one who never called."""

    principal: str
    is_withdrawn: bool = False
    may_be_new: bool = False


class CreateCaller(msgspec.Struct, kw_only=True, tag_field="act", tag="create_caller"):
    """Make a caller with a key of the gate's own. `name` is for the operator's memory."""

    name: Annotated[str, msgspec.Meta(max_length=200)] = ""


class RevokeCaller(msgspec.Struct, kw_only=True, tag_field="act", tag="revoke_caller"):
    """End a caller's keys, and forget it."""

    principal: str


CallerAct = ListCallers | VouchForCaller | CreateCaller | RevokeCaller


class KnownCaller(msgspec.Struct, frozen=True, kw_only=True):
    """How well a caller is known now.

    `served_days` are those that still count. `last_served_at_s` is exact to the day; None: never served.
    `name` is what an operator called whom a key of the gate's own was made for; None: it has none.
    """

    principal: UserId
    standing: Standing
    is_vouched: bool
    served_days: float
    first_seen_at_s: float
    last_served_at_s: float | None
    name: str | None = None


class CreatedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller with its key, which is shown this once."""

    principal: UserId
    name: str
    key: str


class RevokedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller whose keys count no more: so many did."""

    principal: UserId
    keys: int


class Callers(msgspec.Struct, frozen=True, kw_only=True):
    """Does the acts. `recent` reads the store's latest records; `fingerprint` makes keyed hashes for the log.

    `issuing` makes keys of the gate's own, where they count.
    """

    reputation: Reputation
    recent: Callable[[int], Awaitable[list[Record]]]
    journal: Journal
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]
    issuing: Issuing | None = None

    async def perform(self, act: CallerAct) -> KnownCaller | list[KnownCaller] | CreatedCaller | RevokedCaller:
        """Do whichever act this is. Raises what its own method does, or ValueError naming the field."""
        match act:
            case ListCallers():
                return await self.latest(act.limit)
            case VouchForCaller():
                principal = principal_from(act.principal)
                return await self.vouch(principal, is_withdrawn=act.is_withdrawn, may_be_new=act.may_be_new)
            case CreateCaller():
                return await self.create(act.name)
            case RevokeCaller():
                return await self.revoke(principal_from(act.principal))

    async def latest(self, limit: int) -> list[KnownCaller]:
        """Those who were served or came last, and how well they are known. Raises StorageUnavailableError."""
        # First written, so that nobody is missing who came since the last time.
        await self.reputation.flush()
        kept = await self.recent(limit)
        names = await self._names([record.principal for record in kept])
        newest = (self.reputation.register.record(record.principal) or record for record in kept)
        return [self._described(record, names.get(record.principal)) for record in newest]

    async def vouch(self, principal: UserId, *, is_withdrawn: bool = False, may_be_new: bool = False) -> KnownCaller:
        """Give an operator's word for a caller, or take it back; kept when this returns.

        Raises UnknownCallerError when nothing is known of the caller, unless it `may_be_new`, and
        StorageUnavailableError.
        """
        record = await self.reputation.find(principal)
        if record is None:
            if not may_be_new or is_withdrawn:
                msg = f"caller: nothing is known of {principal}"
                raise UnknownCallerError(msg)
            record = Record.of_caller(principal, self.clock())
        await self.reputation.vouch_record(record, is_vouched=not is_withdrawn)
        tag = Tag.ACCOUNT_VOUCH_WITHDRAWN if is_withdrawn else Tag.ACCOUNT_VOUCHED
        self._tell(tag, principal)
        worded = (self.reputation.register.record(principal) or record).with_word(is_vouched=not is_withdrawn)
        return self._described(worded, (await self._names([principal])).get(principal))

    async def create(self, name: str) -> CreatedCaller:
        """Make a caller with a key of the gate's own; the key is nowhere but in the answer.

        Raises NotIssuingError, StorageUnavailableError, and ValueError for a name that no list could show.
        """
        name = name.strip()
        if not name.isprintable():
            msg = "name: expected plain text on one line"
            raise ValueError(msg)
        principal, text = await self._issuing().create(name)
        self._tell(Tag.KEY_CREATED, principal)
        return CreatedCaller(principal=principal, name=name, key=text)

    async def revoke(self, principal: UserId) -> RevokedCaller:
        """End a caller's keys at once; requests that run go on. Raises as `create`, and UnknownCallerError."""
        ended = await self._issuing().revoke(principal)
        if not ended:
            msg = f"caller: {principal} has no key of the gate's own that counts"
            raise UnknownCallerError(msg)
        self._tell(Tag.KEY_REVOKED, principal)
        return RevokedCaller(principal=principal, keys=ended)

    def _issuing(self) -> Issuing:
        if self.issuing is None:
            msg = (
                "this gate passes its callers' keys on, and keys of its own would count for nothing: give it the "
                'server\'s key with --upstream-key-env, or set passing.keys = "own"'
            )
            raise NotIssuingError(msg)
        return self.issuing

    async def _names(self, principals: list[UserId]) -> dict[UserId, str]:
        return {} if self.issuing is None else await self.issuing.names(principals)

    def _tell(self, tag: Tag, principal: UserId) -> None:
        self.journal.record(AccountChanged(t=self.clock(), event=tag, acct=self.fingerprint(principal)))

    def _described(self, record: Record, name: str | None) -> KnownCaller:
        now, plan = self.clock(), self.reputation.register.plan
        days = record.history.days_at(now, plan.half_life_days)
        return KnownCaller(
            principal=record.principal,
            standing=standing_of(record, plan, now),
            is_vouched=record.is_vouched,
            served_days=round(days, 2),
            first_seen_at_s=record.created_at_s,
            last_served_at_s=record.history.seen_at_s or None,
            name=name,
        )


def principal_from(text: str) -> UserId:
    """Read a caller's name. Raises ValueError naming the field, and not repeating what may be a key."""
    try:
        return UserId(text)
    except ValueError:
        msg = (
            "caller: expected the name that 'callers list' shows, usr_ and hex digits; a key is given with --key-stdin"
        )
        raise ValueError(msg) from None
