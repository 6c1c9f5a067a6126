"""One key for each user, whoever asks first."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.storage import KEK
from tidegate.adapters.sql.database import Keeping, open_database
from tidegate.adapters.sql.schema import USER_KEYS, migrate
from tidegate.adapters.sql.vault import UserKeyVault
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import UnreadableContentError


async def test_all_who_ask_for_a_new_users_key_at_once_get_the_same(tmp_path: Path) -> None:
    """A second key would make what the first sealed unreadable."""
    database = open_database(f"sqlite:///{tmp_path / 'user-keys.db'}", Keeping.SECRETS)
    await migrate(database, USER_KEYS)
    vault = UserKeyVault(database, KEK)
    owner = UserId.of(os.urandom(8))

    keys = await asyncio.gather(*(vault.key_or_new(owner) for _ in range(20)))

    sealed = keys[0].seal(b"text", "here")
    assert {key.unseal(sealed, "here") for key in [*keys, await vault.key(owner)]} == {b"text"}
    await database.close()


async def test_a_destroyed_key_is_gone_and_a_new_one_is_another(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'user-keys.db'}", Keeping.SECRETS)
    await migrate(database, USER_KEYS)
    vault = UserKeyVault(database, KEK)
    owner = UserId.of(os.urandom(8))
    sealed = (await vault.key_or_new(owner)).seal(b"text", "here")

    await vault.destroy(owner)

    with pytest.raises(UnreadableContentError, match="gone"):
        await vault.key(owner)
    with pytest.raises(UnreadableContentError):
        (await vault.key_or_new(owner)).unseal(sealed, "here")
    await database.close()
