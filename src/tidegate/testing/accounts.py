"""An AccountStore in memory, that counts how often it was asked."""

from __future__ import annotations

from collections import Counter

import msgspec

from tidegate.core.accounts import ApiKey, Role, Session, User
from tidegate.core.identifiers import KeyId, SessionId, UserId
from tidegate.ports.accounts import EmailTakenError, PasswordChangedError


class MemoryAccountStore:
    """Users, keys and sessions for as long as the object lives.

    `calls` counts each method's calls by name: `store.calls["live_key"]`, or
    `store.calls.total()` for whether anybody reached storage at all.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.calls: Counter[str] = Counter()
        self._users: dict[UserId, User] = {}
        self._password_hashes: dict[UserId, str | None] = {}
        self._keys: dict[KeyId, tuple[ApiKey, bytes]] = {}
        self._sessions: dict[SessionId, tuple[Session, bytes]] = {}

    async def add_user(self, user: User, password_hash: str | None) -> None:
        """Keep a new user. Raises EmailTakenError; ValueError for an id in use or unstorable text."""
        self.calls["add_user"] += 1
        _check_storable(user.email, password_hash or "")
        if any(other.email == user.email for other in self._users.values()):
            raise EmailTakenError
        if user.id in self._users:
            msg = "user: this id is in use"
            raise ValueError(msg)
        self._users[user.id] = user
        self._password_hashes[user.id] = password_hash

    async def user(self, user_id: UserId) -> User | None:
        """Find a user by id."""
        self.calls["user"] += 1
        return self._users.get(user_id)

    async def user_by_email(self, email: str) -> User | None:
        """Find a user by normalised address."""
        self.calls["user_by_email"] += 1
        return next((user for user in self._users.values() if user.email == email), None)

    async def users(self) -> list[User]:
        """All users, oldest first."""
        self.calls["users"] += 1
        return sorted(self._users.values(), key=lambda user: (user.created_at_s, user.id))

    async def newest_users(self, limit: int) -> list[User]:
        """At most `limit` users, newest first."""
        self.calls["newest_users"] += 1
        return sorted(self._users.values(), key=lambda user: (user.created_at_s, user.id), reverse=True)[:limit]

    async def has_operator(self) -> bool:
        """Whether any operator can sign in."""
        self.calls["has_operator"] += 1
        operators = (user.id for user in self._users.values() if user.role is Role.OPERATOR)
        return any(self._password_hashes[user_id] is not None for user_id in operators)

    async def user_with_password(self, email: str) -> tuple[User, str | None] | None:
        """Find a user by normalised address, with the stored argon2 hash; None in its place without a password."""
        self.calls["user_with_password"] += 1
        found = next((user for user in self._users.values() if user.email == email), None)
        return None if found is None else (found, self._password_hashes[found.id])

    async def set_password_hash(
        self, user_id: UserId, password_hash: str, *, if_password_hash: str | None = None
    ) -> None:
        """Replace the hash. Raises LookupError without the user; PasswordChangedError; ValueError as in SQL."""
        self.calls["set_password_hash"] += 1
        _check_storable(password_hash)
        if user_id not in self._users:
            msg = "user: there is no such user"
            raise LookupError(msg)
        self._check_hash(user_id, if_password_hash)
        self._password_hashes[user_id] = password_hash

    async def add_key(self, owner: UserId, key: ApiKey, digest: bytes) -> None:
        """Keep a new key under `digest`. Raises LookupError without the owner; ValueError as in SQL."""
        self.calls["add_key"] += 1
        _check_storable(key.name, key.label)
        if key.owner != owner:
            msg = "key: it belongs to another owner"
            raise ValueError(msg)
        if owner not in self._users:
            msg = "key: there is no such user"
            raise LookupError(msg)
        if key.id in self._keys or any(digest == other for _, other in self._keys.values()):
            msg = "key: this id or digest is in use"
            raise ValueError(msg)
        self._keys[key.id] = (key, digest)

    async def keys(self, owner: UserId) -> list[ApiKey]:
        """All keys of `owner`, revoked ones too, oldest first."""
        self.calls["keys"] += 1
        owned = (key for key, _ in self._keys.values() if key.owner == owner)
        return sorted(owned, key=lambda key: (key.created_at_s, key.id))

    async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
        """Find the unrevoked key with this digest, and its owner."""
        self.calls["live_key"] += 1
        for key, known_digest in self._keys.values():
            if key.owner == owner and known_digest == digest and key.revoked_at_s is None:
                return self._users[owner], key
        return None

    async def revoke_key(self, owner: UserId, key_id: KeyId, now: float) -> bool:
        """End a key. False when `owner` has no such live key."""
        self.calls["revoke_key"] += 1
        found = self._owned(owner, key_id)
        if found is None or found[0].revoked_at_s is not None:
            return False
        self._keys[key_id] = (msgspec.structs.replace(found[0], revoked_at_s=now), found[1])
        return True

    async def note_key_use(self, owner: UserId, key_id: KeyId, now: float) -> None:
        """Remember when a key was last used; silently nothing for an unknown key."""
        self.calls["note_key_use"] += 1
        found = self._owned(owner, key_id)
        if found is not None:
            self._keys[key_id] = (msgspec.structs.replace(found[0], last_used_at_s=now), found[1])

    async def add_session(
        self, session: Session, digest: bytes, *, most: int, if_password_hash: str | None = None
    ) -> list[SessionId]:
        """Keep a new session, end the oldest beyond `most`. Raises as in SQL."""
        self.calls["add_session"] += 1
        if session.owner not in self._users:
            msg = "session: there is no such user"
            raise LookupError(msg)
        self._check_hash(session.owner, if_password_hash)
        ended = [other.id for other in self._sessions_of(session.owner, session.created_at_s)][most - 1 :]
        kept = {
            other.id: (other, known)
            for other, known in self._sessions.values()
            if other.owner != session.owner or (other.expires_at_s > session.created_at_s and other.id not in ended)
        }
        if session.id in kept or any(digest == known for _, known in kept.values()):
            msg = "session: this id or digest is in use"
            raise ValueError(msg)
        self._sessions = {**kept, session.id: (session, digest)}
        return ended

    async def live_session(self, owner: UserId, digest: bytes, now: float) -> tuple[User, Session] | None:
        """Find the session with this digest, and its owner, unless it ended or expired."""
        self.calls["live_session"] += 1
        for session, known in self._sessions.values():
            if session.owner == owner and known == digest and session.expires_at_s > now:
                return self._users[owner], session
        return None

    async def sessions(self, owner: UserId, now: float) -> list[Session]:
        """All live sessions of `owner`, newest first."""
        self.calls["sessions"] += 1
        return self._sessions_of(owner, now)

    async def note_session_use(self, owner: UserId, session_id: SessionId, now: float) -> None:
        """Remember when a session was last used; silently nothing for an unknown one."""
        self.calls["note_session_use"] += 1
        found = self._sessions.get(session_id)
        if found is not None and found[0].owner == owner:
            self._sessions[session_id] = (msgspec.structs.replace(found[0], last_seen_at_s=now), found[1])

    async def end_session(self, owner: UserId, session_id: SessionId) -> bool:
        """End a session. False when `owner` has no such session."""
        self.calls["end_session"] += 1
        found = self._sessions.get(session_id)
        if found is None or found[0].owner != owner:
            return False
        del self._sessions[session_id]
        return True

    async def end_sessions(self, owner: UserId, *, keep: SessionId | None = None) -> list[SessionId]:
        """End all sessions of `owner` but `keep`; answers which were ended."""
        self.calls["end_sessions"] += 1
        ended = [session.id for session, _ in self._sessions.values() if session.owner == owner and session.id != keep]
        for session_id in ended:
            del self._sessions[session_id]
        return ended

    def _check_hash(self, user_id: UserId, verified: str | None) -> None:
        if verified is not None and self._password_hashes[user_id] != verified:
            raise PasswordChangedError

    def _sessions_of(self, owner: UserId, now: float) -> list[Session]:
        live = [found for found, _ in self._sessions.values() if found.owner == owner and found.expires_at_s > now]
        return sorted(live, key=lambda found: (found.created_at_s, found.id), reverse=True)

    def _owned(self, owner: UserId, key_id: KeyId) -> tuple[ApiKey, bytes] | None:
        found = self._keys.get(key_id)
        return found if found is not None and found[0].owner == owner else None


def _check_storable(*texts: str) -> None:
    for text in texts:
        text.encode()  # half a surrogate pair is a UnicodeEncodeError, which is a ValueError
        if "\0" in text:
            msg = "text with a NUL cannot be kept"
            raise ValueError(msg)
