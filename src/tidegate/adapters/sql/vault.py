"""The users' data keys, each wrapped with the service's key-encryption key.

They live in a database of their own, so that destroying one is final: the file
overwrites what it deletes and keeps no log, and it can be left out of backups
or kept in them for a shorter time than the records.

Keys are read for every use and not cached: a key destroyed here must not live
on in the memory of another node.
"""

from __future__ import annotations

import os
import time

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.sealing import KEY_BYTES, SealingKey
from tidegate.adapters.sql.tables import user_keys
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import UnreadableContentError

_PURPOSE = "user_key"
_SAMPLE = 8


class UserKeyVault:
    """One data key for each user who ever wrote something."""

    def __init__(self, database: Database, kek: bytes) -> None:
        """Use the keys in `database`, wrapped with `kek` (32 bytes)."""
        self._database = database
        self._kek = SealingKey(kek)

    async def check(self) -> None:
        """Raise UnreadableContentError when keys are stored and `kek` opens none of the first few.

        Asked once at the start: with a wrong key-encryption key, new users'
        keys would be wrapped with it and the old ones' would look destroyed.
        """
        async with self._database.reading() as connection:
            rows = (await connection.execute(select(user_keys).order_by(user_keys.c.owner).limit(_SAMPLE))).all()
        if rows and not any(self._opens(row.wrapped_key, row.owner) for row in rows):
            msg = "user keys: this key-encryption key opens none of them; was secrets/kek replaced?"
            raise UnreadableContentError(msg)

    async def key(self, owner: UserId) -> SealingKey:
        """Find the key of `owner`. Raises UnreadableContentError when it is gone or does not unwrap."""
        found = await self._find(owner)
        if found is None:
            msg = f"{owner}: the key to this user's content is gone"
            raise UnreadableContentError(msg)
        return found

    async def key_or_new(self, owner: UserId) -> SealingKey:
        """Find the key of `owner`, or make one. Raises UnreadableContentError when it does not unwrap."""
        return await self._find(owner) or await self._make(owner)

    async def destroy(self, owner: UserId) -> None:
        """Make everything sealed for `owner` unreadable, durably, before returning."""
        async with self._database.writing() as connection:
            await connection.execute(delete(user_keys).where(user_keys.c.owner == owner))

    async def _find(self, owner: UserId) -> SealingKey | None:
        async with self._database.reading() as connection:
            wrapped = await connection.scalar(select(user_keys.c.wrapped_key).where(user_keys.c.owner == owner))
        return None if wrapped is None else SealingKey(self._kek.unseal(wrapped, owner, _PURPOSE))

    async def _make(self, owner: UserId) -> SealingKey:
        data_key = os.urandom(KEY_BYTES)
        row = {
            "owner": owner,
            "wrapped_key": self._kek.seal(data_key, owner, _PURPOSE),
            "created_at_s": time.time(),
        }
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(user_keys).values(row))
        except IntegrityError:
            # Another request of the same user was first; what it made is the one that counts.
            return await self.key(owner)
        return SealingKey(data_key)

    def _opens(self, wrapped: bytes, owner: str) -> bool:
        try:
            self._kek.unseal(wrapped, owner, _PURPOSE)
        except UnreadableContentError:
            return False
        return True
