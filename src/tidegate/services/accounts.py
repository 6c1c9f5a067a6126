"""What an operator does with accounts: make users, vouch for them, make keys, revoke keys, give budgets.

The same acts serve the command line directly and, while the service runs,
through its control socket.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType

import msgspec

from tidegate.core import credentials
from tidegate.core.accounts import ApiKey, Role, Scope, User, normalise_email
from tidegate.core.credentials import Kind, ServerKeys
from tidegate.core.entering.places import Claim
from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, KeyId, SessionId, UserId
from tidegate.core.quotas.budget import Budget
from tidegate.core.quotas.windows import Window
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record
from tidegate.ports.accounts import AccountStore
from tidegate.ports.journal import Journal
from tidegate.services.allowances import Sheet, check, limits_of, sheets, used_in
from tidegate.services.keyring import Keyring
from tidegate.services.passwords import PasswordLane
from tidegate.services.quotas import Quotas, of_key, of_user
from tidegate.services.reputation import Reputation

ALL_SCOPES = frozenset(Scope)
KEY_NAME_LENGTH = 100
NO_LIMITS = Budget()
MOST_LIVE_KEYS = 50
"""Of one account."""
MOST_KEYS = 1000
"""Of one account, revoked ones too: they stay on its list."""


class NotFoundError(Exception):
    """There is no such user or key. The message says which."""


class KeyMadeError(Exception):
    """This very wish for a key was fulfilled before; the key cannot be shown again."""


class CreateUser(msgspec.Struct, kw_only=True, tag_field="act", tag="create_user"):
    """Make a user; `member_since_s` (Unix s) may lie in the past, for imports."""

    email: str
    role: Role = Role.USER
    password: str | None = None
    member_since_s: float | None = None


class SetPassword(msgspec.Struct, kw_only=True, tag_field="act", tag="set_password"):
    """Give the user with this address another password, or a first one, and sign them out everywhere."""

    email: str
    password: str


class Vouch(msgspec.Struct, kw_only=True, tag_field="act", tag="vouch"):
    """Give the user with this address an operator's word, or take it back: they are established at once."""

    email: str
    is_withdrawn: bool = False


class ListUsers(msgspec.Struct, kw_only=True, tag_field="act", tag="list_users"):
    """All users."""


class CreateKey(msgspec.Struct, kw_only=True, tag_field="act", tag="create_key"):
    """Make a key for the user with this address."""

    email: str
    name: str = ""
    budget: Budget = Budget()


class ListKeys(msgspec.Struct, kw_only=True, tag_field="act", tag="list_keys"):
    """All keys of the user with this address."""

    email: str


class RevokeKey(msgspec.Struct, kw_only=True, tag_field="act", tag="revoke_key"):
    """End a key at once."""

    email: str
    key_id: str


class SetQuota(msgspec.Struct, kw_only=True, tag_field="act", tag="set_quota"):
    """Change limits of the user with this address, or of a key of theirs; without any `limits`, only look.

    A limit of 0 is none, and null takes back what was set: the default counts.
    """

    email: str
    key_id: str | None = None
    limits: dict[Window, int | None] = msgspec.field(default_factory=dict)


Act = CreateUser | SetPassword | Vouch | ListUsers | CreateKey | ListKeys | RevokeKey | SetQuota


class CreatedKey(msgspec.Struct, frozen=True):
    """A new key and, for this once, its text."""

    key: ApiKey
    text: str


class KnownUser(User, frozen=True, kw_only=True):
    """An account, how well it is known now, and whether for an operator's word rather than for being served.

    And the tokens that it has used in this day and month, where that was asked for. On probation it may use
    `probation_tokens` a day; 0 is that it is not.
    """

    standing: Standing
    is_vouched: bool = False
    tokens_today: int = 0
    tokens_this_month: int = 0
    probation_tokens: int = 0


def tell_nobody(ended: list[SessionId]) -> None:
    """Nobody holds anything open that a session's end must close."""
    del ended


def nobody(record: Record) -> int:
    """Nobody is on probation."""
    del record
    return 0


class Clerk(msgspec.Struct, frozen=True, kw_only=True):
    """Does the acts. `fingerprint` makes keyed hashes for the log; `clock` tells Unix seconds.

    `keyring`, where keys are in use, is told of revocations, and `ended` of sessions that are over. `on_probation`
    tells how many tokens a day a new account may use. `passwords`, `reputation` and `quotas` are the only ones of the
    process.
    """

    accounts: AccountStore
    server_keys: ServerKeys
    journal: Journal
    fingerprint: Callable[[str], Fingerprint]
    clock: Callable[[], float]
    passwords: PasswordLane
    reputation: Reputation
    quotas: Quotas
    keyring: Keyring | None = None
    on_probation: Callable[[Record], int] = nobody
    ended: Callable[[list[SessionId]], None] = tell_nobody
    _making_key: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)

    async def perform(self, act: Act) -> KnownUser | list[KnownUser] | CreatedKey | list[ApiKey] | Sheet | None:
        """Do whichever act this is. Raises ValueError naming the field, EmailTakenError or NotFoundError."""
        match act:
            case CreateUser():
                user = await self.create_user(
                    act.email, act.role, password=act.password, member_since_s=act.member_since_s
                )
                return (await self._known([user]))[0]
            case SetPassword():
                await self.set_password(act.email, act.password)
                return None
            case Vouch():
                return await self.vouch(act.email, is_withdrawn=act.is_withdrawn)
            case ListUsers():
                return await self.users()
            case CreateKey():
                return await self.create_key(act.email, act.name, budget=act.budget)
            case ListKeys():
                return await self.keys(act.email)
            case RevokeKey():
                await self.revoke_key(act.email, act.key_id)
                return None
            case SetQuota():
                return await self.set_quota(act.email, act.key_id, act.limits)

    async def create_user(
        self,
        email: str,
        role: Role = Role.USER,
        *,
        password: str | None = None,
        member_since_s: float | None = None,
        claim: Claim | None = None,
        user_id: UserId | None = None,
    ) -> User:
        """Make a user. Raises ValueError naming the field, EmailTakenError or PasswordsBusyError.

        `claim` is what the password goes into the line with; without one it is an operator's. `user_id` is one that
        was drawn before.
        """
        now = self.clock()
        if member_since_s is not None and not member_since_s <= now:  # Also what is not a number.
            msg = "since: lies in the future"
            raise ValueError(msg)
        user = User(
            id=user_id or UserId.of(secrets.token_bytes(8)),
            email=normalise_email(email),
            role=role,
            created_at_s=now,
            member_since_s=now if member_since_s is None else member_since_s,
        )
        # Hashed before the store is asked: whether the address is taken must not show in the time it takes.
        password_hash = None if password is None else await self.passwords.hash(password, user.email, claim)
        await self.accounts.add_user(user, password_hash)
        self._tell(Tag.ACCOUNT_CREATED, user.id)
        return user

    async def set_password(self, email: str, password: str) -> None:
        """Replace a password that was forgotten or never set. Raises ValueError naming the field, or NotFoundError."""
        owner = await self._owner(email)
        await self.accounts.set_password_hash(owner.id, await self.passwords.hash(password, owner.email))
        # Whoever signed in with the old one is out: it may not have been forgotten but known to somebody else.
        self.ended(await self.accounts.end_sessions(owner.id))
        self._tell(Tag.ACCOUNT_PASSWORD_CHANGED, owner.id)

    async def vouch(self, email: str, *, is_withdrawn: bool = False) -> KnownUser:
        """Give an operator's word for somebody, or take it back. Raises NotFoundError; ValueError naming the field."""
        user = await self._owner(email)
        standing = await self.reputation.vouch(user, is_vouched=not is_withdrawn)
        self._tell(Tag.ACCOUNT_VOUCH_WITHDRAWN if is_withdrawn else Tag.ACCOUNT_VOUCHED, user.id)
        return _known_as(user, standing, not is_withdrawn)

    async def users(self) -> list[KnownUser]:
        """All users, oldest first, how well they are known, and what they use."""
        known = await self._known(await self.accounts.users())
        payers = [of_user(user.id) for user in known]
        states, owns = await self.quotas.described(payers), await self.quotas.limits(payers)
        records = await self.reputation.records(known)
        return [
            msgspec.structs.replace(
                user,
                tokens_today=used_in(Window.DAY, windows),
                tokens_this_month=used_in(Window.MONTH, windows),
                probation_tokens=self.on_probation(record) if own.per_day is None else 0,
            )
            for user, windows, own, record in zip(known, states, owns, records, strict=True)
        ]

    async def create_key(
        self,
        email: str,
        name: str = "",
        scopes: frozenset[Scope] = ALL_SCOPES,
        wish: str | None = None,
        *,
        budget: Budget = NO_LIMITS,
    ) -> CreatedKey:
        """Make a key for the user with this address; the text is shown once and never kept.

        `wish` names this very asking: asked again under the same name, as by a page that is loaded anew, no second
        key is made. Raises NotFoundError, KeyMadeError, or ValueError naming the field.
        """
        owner = await self._owner(email)
        check(msgspec.structs.asdict(budget))
        if not scopes:
            msg = f"scopes: at least one of {', '.join(Scope)}"
            raise ValueError(msg)
        if len(name) > KEY_NAME_LENGTH or not all(c.isprintable() for c in name):
            msg = f"name: at most {KEY_NAME_LENGTH} printable characters"
            raise ValueError(msg)
        now = self.clock()
        text = credentials.issue(
            Kind.API_KEY, owner.id, self.server_keys, now=now, entropy=secrets.token_bytes(credentials.RANDOM_BYTES)
        )
        key = ApiKey(
            id=KeyId.of(secrets.token_bytes(8) if wish is None else _named_by(owner.id, wish)),
            owner=owner.id,
            name=name,
            label=credentials.label(text),
            scopes=scopes,
            created_at_s=now,
        )
        # One at a time: keys asked for all at once would each be counted as the last.
        async with self._making_key:
            kept = await self.accounts.keys(owner.id)
            if any(one.id == key.id for one in kept):
                raise KeyMadeError
            if len(kept) >= MOST_KEYS:
                msg = f"key: an account makes at most {MOST_KEYS} keys in its life"
                raise ValueError(msg)
            if sum(one.revoked_at_s is None for one in kept) >= MOST_LIVE_KEYS:
                msg = f"key: an account has at most {MOST_LIVE_KEYS} live keys; revoke one first"
                raise ValueError(msg)
            await self.accounts.add_key(owner.id, key, credentials.digest(text))
        self._tell(Tag.KEY_CREATED, owner.id, key.id)
        if budget != NO_LIMITS:  # Nobody has the key's text before this is done.
            await self.quotas.change(of_key(key), msgspec.structs.asdict(budget))
        return CreatedKey(key, text)

    async def keys(self, email: str) -> list[ApiKey]:
        """All keys of the user with this address, revoked ones too."""
        owner = await self._owner(email)
        return await self.accounts.keys(owner.id)

    async def revoke_key(self, email: str, key_id: str) -> None:
        """End a key at once. Raises NotFoundError when the user has no such live key; ValueError naming the field."""
        owner = await self._owner(email)
        known_as = _key_id(key_id)
        if not await self.accounts.revoke_key(owner.id, known_as, self.clock()):
            msg = f"key: {email} has no live key {known_as}"
            raise NotFoundError(msg)
        if self.keyring is not None:
            self.keyring.forget(owner.id)
        self._tell(Tag.KEY_REVOKED, owner.id, known_as)

    async def revoke_keys(self, owner: User) -> None:
        """End all keys of somebody at once."""
        async with self._making_key:
            for key in await self.accounts.keys(owner.id):
                if await self.accounts.revoke_key(owner.id, key.id, self.clock()):
                    self._tell(Tag.KEY_REVOKED, owner.id, key.id)
        if self.keyring is not None:
            self.keyring.forget(owner.id)

    async def set_quota(
        self, email: str, key_id: str | None = None, limits: Mapping[Window, int | None] = MappingProxyType({})
    ) -> Sheet:
        """Change some limits of a user or a key, from now on. Raises NotFoundError; ValueError naming the field."""
        owner = await self._owner(email)
        await self.reputation.meet(owner)  # Whether they are on probation, memory says.
        payer = of_user(owner.id) if key_id is None else of_key(await self._key(owner, key_id))
        changed = limits_of(limits)
        if changed:
            await self.quotas.change(payer, changed)
            known_as = None if key_id is None else KeyId(payer.name)
            self._tell(Tag.KEY_QUOTA_CHANGED if known_as else Tag.ACCOUNT_QUOTA_CHANGED, owner.id, known_as)
        return (await sheets(self.quotas, owner, [payer]))[0]

    async def _key(self, owner: User, key_id: str) -> ApiKey:
        known_as = _key_id(key_id)
        found = next((key for key in await self.accounts.keys(owner.id) if key.id == known_as), None)
        if found is None:
            msg = f"key: {owner.email} has no key {known_as}"
            raise NotFoundError(msg)
        return found

    async def _known(self, users: list[User]) -> list[KnownUser]:
        described = await self.reputation.described(users)
        return [_known_as(user, *told) for user, told in zip(users, described, strict=True)]

    async def _owner(self, email: str) -> User:
        user = await self.accounts.user_by_email(normalise_email(email))
        if user is None:
            msg = f"user: nobody here has the address {email}"
            raise NotFoundError(msg)
        return user

    def _tell(self, tag: Tag, user_id: UserId, key_id: KeyId | None = None) -> None:
        key = None if key_id is None else self.fingerprint(key_id)
        self.journal.record(AccountChanged(t=self.clock(), event=tag, acct=self.fingerprint(user_id), key=key))


def _known_as(user: User, standing: Standing, is_vouched: bool) -> KnownUser:  # noqa: FBT001 - as it is told
    return KnownUser(**msgspec.structs.asdict(user), standing=standing, is_vouched=is_vouched)


def _named_by(owner: UserId, wish: str) -> bytes:
    # The owner is within, so that nobody can take the name of another's key.
    return sha256(f"{owner} {wish}".encode("utf-8", "surrogatepass")).digest()[:8]


def _key_id(text: str) -> KeyId:
    try:
        return KeyId(text)
    except ValueError:
        msg = "key: expected the id that 'keys list' shows, key_ and hex digits; not the key itself"
        raise ValueError(msg) from None
