"""Users and their API keys in SQL; their sessions stand in a file of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.sessions import SqlSessions
from tidegate.adapters.sql.tables import api_keys, users
from tidegate.adapters.sql.users import OWNER_COLUMNS, USER_COLUMNS, hold, require_hash, user_of
from tidegate.core.accounts import ApiKey, Role, Scope, User
from tidegate.core.identifiers import KeyId, UserId
from tidegate.ports.accounts import EmailTakenError

if TYPE_CHECKING:
    from sqlalchemy import Row

_KEY_COLUMNS = tuple(column for column in api_keys.c if column is not api_keys.c.digest)


class SqlAccountStore(SqlSessions):
    """An AccountStore in SQLite or PostgreSQL."""

    async def add_user(self, user: User, password_hash: str | None) -> None:
        """Keep a new user.

        Raises EmailTakenError, or ValueError for an id in use or text that no
        database keeps alike (NUL, lone surrogates).
        """
        row = {
            "id": user.id,
            "email": _storable(user.email),
            "role": user.role.value,
            "password_hash": password_hash if password_hash is None else _storable(password_hash),
            "created_at_s": user.created_at_s,
            "member_since_s": user.member_since_s,
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(users).values(row))
        except IntegrityError as error:
            if await self.user_by_email(user.email) is not None:
                raise EmailTakenError from error
            msg = "user: this id is in use"
            raise ValueError(msg) from error

    async def user(self, user_id: UserId) -> User | None:
        """Find a user by id."""
        return await self._one_user(users.c.id == user_id)

    async def user_by_email(self, email: str) -> User | None:
        """Find a user by normalised address."""
        return await self._one_user(users.c.email == email) if _is_storable(email) else None

    async def users(self) -> list[User]:
        """All users, oldest first."""
        query = select(*USER_COLUMNS).order_by(users.c.created_at_s, users.c.id)
        async with self._database.reading() as connection:
            return [user_of(row) for row in await connection.execute(query)]

    async def newest_users(self, limit: int) -> list[User]:
        """At most `limit` users, newest first."""
        query = select(*USER_COLUMNS).order_by(users.c.created_at_s.desc(), users.c.id.desc()).limit(limit)
        async with self._database.reading() as connection:
            return [user_of(row) for row in await connection.execute(query)]

    async def has_operator(self) -> bool:
        """Whether any operator can sign in."""
        can_sign_in = and_(users.c.role == Role.OPERATOR.value, users.c.password_hash.is_not(None))
        query = select(users.c.id).where(can_sign_in).limit(1)
        async with self._database.reading() as connection:
            return await connection.scalar(query) is not None

    async def user_with_password(self, email: str) -> tuple[User, str | None] | None:
        """Find a user by normalised address, with the stored argon2 hash; one query, whether or not there is one."""
        # Nobody has the empty address: what cannot be asked for costs the same question.
        condition = users.c.email == (email if _is_storable(email) else "")
        async with self._database.reading() as connection:
            row = (
                await connection.execute(select(*USER_COLUMNS, users.c.password_hash).where(condition))
            ).one_or_none()
        return None if row is None else (user_of(row), row.password_hash)

    async def set_password_hash(
        self, user_id: UserId, password_hash: str, *, if_password_hash: str | None = None
    ) -> None:
        """Replace the hash; with `if_password_hash`, only while that is still the one.

        Raises LookupError when there is no such user, PasswordChangedError, or
        ValueError for text that no database keeps alike.
        """
        changed = update(users).where(users.c.id == user_id).values(password_hash=_storable(password_hash))
        async with self._database.writing() as connection:
            if not await hold(connection, user_id):
                msg = "user: there is no such user"
                raise LookupError(msg)
            await require_hash(connection, user_id, if_password_hash)
            await connection.execute(changed)

    async def add_key(self, owner: UserId, key: ApiKey, digest: bytes) -> None:
        """Keep a new key of `owner` under `digest`.

        Raises LookupError without the owner, or ValueError for a key whose
        owner is another, an id or digest in use, or text that no database keeps
        alike.
        """
        _check_owner(owner, key)
        row = {
            "id": key.id,
            "owner": owner,
            "digest": digest,
            "name": _storable(key.name),
            "label": _storable(key.label),
            "scopes": " ".join(sorted(key.scopes)),
            "created_at_s": key.created_at_s,
            "last_used_at_s": key.last_used_at_s,
            "revoked_at_s": key.revoked_at_s,
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(api_keys).values(row))
        except IntegrityError as error:
            if await self.user(owner) is None:
                msg = "key: there is no such user"
                raise LookupError(msg) from error
            msg = "key: this id or digest is in use"
            raise ValueError(msg) from error

    async def keys(self, owner: UserId) -> list[ApiKey]:
        """All keys of `owner`, revoked ones too, oldest first."""
        query = select(*_KEY_COLUMNS).where(api_keys.c.owner == owner).order_by(api_keys.c.created_at_s, api_keys.c.id)
        async with self._database.reading() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
        """Find the unrevoked key with this digest, and its owner."""
        query = (
            select(*OWNER_COLUMNS, *_KEY_COLUMNS)
            .join(users, users.c.id == api_keys.c.owner)
            .where(and_(api_keys.c.owner == owner, api_keys.c.digest == digest, api_keys.c.revoked_at_s.is_(None)))
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else (user_of(row, "user_"), _key(row))

    async def revoke_key(self, owner: UserId, key_id: KeyId, now: float) -> bool:
        """End a key. False when `owner` has no such live key."""
        return await self._change_key(
            and_(api_keys.c.owner == owner, api_keys.c.id == key_id, api_keys.c.revoked_at_s.is_(None)),
            revoked_at_s=now,
        )

    async def note_key_use(self, owner: UserId, key_id: KeyId, now: float) -> None:
        """Remember when a key was last used; silently nothing for an unknown key."""
        await self._change_key(and_(api_keys.c.owner == owner, api_keys.c.id == key_id), last_used_at_s=now)

    async def _one_user(self, condition: Any) -> User | None:
        async with self._database.reading() as connection:
            row = (await connection.execute(select(*USER_COLUMNS).where(condition))).one_or_none()
        return None if row is None else user_of(row)

    async def _change_key(self, condition: Any, **values: float) -> bool:
        async with self._database.writing() as connection:
            changed = await connection.execute(update(api_keys).where(condition).values(**values))
        return changed.rowcount > 0


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        id=KeyId(row.id),
        owner=UserId(row.owner),
        name=row.name,
        label=row.label,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        created_at_s=row.created_at_s,
        last_used_at_s=row.last_used_at_s,
        revoked_at_s=row.revoked_at_s,
    )


def _check_owner(owner: UserId, key: ApiKey) -> None:
    if key.owner != owner:
        msg = "key: it belongs to another owner"
        raise ValueError(msg)


def _is_storable(text: str) -> bool:
    # PostgreSQL refuses NUL in text, and neither database takes half of a surrogate pair.
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _storable(text: str) -> str:
    if not _is_storable(text):
        msg = "text with a NUL or half a surrogate pair cannot be kept"
        raise ValueError(msg)
    return text
