"""Where users, their keys and their sessions are kept.

Every act on something owned takes the owner. A store that finds the thing but
under another owner answers as if it did not exist.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.core.accounts import ApiKey, Session, User
from tidegate.core.identifiers import KeyId, SessionId, UserId


class EmailTakenError(Exception):
    """Another account already uses this address."""


class PasswordChangedError(Exception):
    """The stored hash is no longer the one that was verified."""


class AccountStore(Protocol):
    """Users, API keys and sessions. Every write is durable when it returns."""

    async def add_user(self, user: User, password_hash: str | None) -> None:
        """Keep a new user. Raises EmailTakenError."""

    async def user(self, user_id: UserId) -> User | None:
        """Find a user by id."""

    async def user_by_email(self, email: str) -> User | None:
        """Find a user by normalised address."""

    async def users(self) -> list[User]:
        """All users, oldest first."""

    async def newest_users(self, limit: int) -> list[User]:
        """At most `limit` users, newest first."""

    async def has_operator(self) -> bool:
        """Whether any operator can sign in: one without a password makes nobody an operator of the pages."""

    async def user_with_password(self, email: str) -> tuple[User, str | None] | None:
        """Find a user by normalised address, with the stored argon2 hash; None in its place without a password.

        One question to the store whether or not there is such a user: sign-in
        must take as long for a stranger's address.
        """

    async def set_password_hash(
        self, user_id: UserId, password_hash: str, *, if_password_hash: str | None = None
    ) -> None:
        """Replace the hash; with `if_password_hash`, only while that is still the one.

        Raises LookupError when there is no such user, PasswordChangedError.
        """

    async def add_key(self, owner: UserId, key: ApiKey, digest: bytes) -> None:
        """Keep a new key of `owner` under the SHA-256 `digest` of its text. Raises LookupError without the owner."""

    async def keys(self, owner: UserId) -> list[ApiKey]:
        """All keys of `owner`, revoked ones too, oldest first."""

    async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
        """Find the unrevoked key with this digest, and its owner."""

    async def revoke_key(self, owner: UserId, key_id: KeyId, now: float) -> bool:
        """End a key. False when `owner` has no such live key."""

    async def note_key_use(self, owner: UserId, key_id: KeyId, now: float) -> None:
        """Remember when a key was last used; silently nothing for an unknown key."""

    async def add_session(
        self, session: Session, digest: bytes, *, most: int, if_password_hash: str | None = None
    ) -> list[SessionId]:
        """Keep a new session under the SHA-256 `digest` of its text.

        What its owner has that expired is removed, and the oldest beyond `most`
        live ones are ended; answers which were. With `if_password_hash`, only
        while that is still the owner's hash, and nothing changes it meanwhile:
        whoever changes it and then ends the sessions leaves none that was begun
        with the old password. Raises LookupError without the owner,
        PasswordChangedError, ValueError for an id or digest in use.
        """

    async def live_session(self, owner: UserId, digest: bytes, now: float) -> tuple[User, Session] | None:
        """Find the session with this digest, and its owner, unless it ended or expired."""

    async def sessions(self, owner: UserId, now: float) -> list[Session]:
        """All live sessions of `owner`, newest first."""

    async def note_session_use(self, owner: UserId, session_id: SessionId, now: float) -> None:
        """Remember when a session was last used; silently nothing for an unknown one."""

    async def end_session(self, owner: UserId, session_id: SessionId) -> bool:
        """End a session. False when `owner` has no such session."""

    async def end_sessions(self, owner: UserId, *, keep: SessionId | None = None) -> list[SessionId]:
        """End all sessions of `owner` but `keep`; answers which were ended."""
