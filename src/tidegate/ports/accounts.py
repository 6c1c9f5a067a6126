"""Where users and their keys are kept.

Every act on something owned takes the owner. A store that finds the thing but
under another owner answers as if it did not exist.
"""

from __future__ import annotations

from typing import Protocol

from tidegate.core.accounts import ApiKey, User
from tidegate.core.identifiers import KeyId, UserId


class EmailTakenError(Exception):
    """Another account already uses this address."""


class AccountStore(Protocol):
    """Users and API keys. Every write is durable when it returns."""

    async def add_user(self, user: User, password_hash: str | None) -> None:
        """Keep a new user. Raises EmailTakenError."""

    async def user(self, user_id: UserId) -> User | None:
        """Find a user by id."""

    async def user_by_email(self, email: str) -> User | None:
        """Find a user by normalised address."""

    async def users(self) -> list[User]:
        """All users, oldest first."""

    async def password_hash(self, user_id: UserId) -> str | None:
        """Read the stored argon2 hash; None for an account without a password."""

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
