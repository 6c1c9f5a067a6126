"""People who sign up, write and leave on a disk whose power is cut, and what must be found afterwards."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from tests.adapters.sql.apsw_driver import on_vfs
from tests.adapters.sql.power_loss import Disk, PowerLossVFS
from tests.storage import KEK, a_conversation, a_message, a_user
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.ports.conversations import UnreadableContentError
from tidegate.ports.storage import StorageUnavailableError

MOST_CHANGES = 700
"""About as many as thirty people need who sign up and write a few messages each."""
_AT_ONCE = 4
_DATABASES = ("tidegate.db", "user-keys.db")

Kept = dict[ConversationId, dict[MessageId, str]]
Share = Callable[[random.Random], float]
"""Draws the share of unsynced changes that survive a cut."""


class Acknowledged:
    """What the store said that it kept, and whom it said that it forgot."""

    def __init__(self) -> None:
        self.emails: dict[UserId, str] = {}
        self.kept: dict[UserId, Kept] = {}
        self.forgotten: list[UserId] = []

    def __len__(self) -> int:
        return len(self.kept) + len(self.forgotten)


def urls(folder: Path) -> tuple[str, str]:
    records, user_keys = (f"sqlite:///{folder / name}" for name in _DATABASES)
    return records, user_keys


async def cut(
    seed: int,
    before: Path,
    after: Path,
    kept_of_pending: Share,
    *,
    kek: bytes = KEK,
    password_hash: str | None = None,
    least_changes: int = 0,
    pragmas: Sequence[str] = (),
) -> Acknowledged:
    """Begin with the files in `before`, cut the power, and leave what survives in `after`."""
    chance = random.Random(seed)
    disk = Disk(before, chance, kept_of_pending(chance))
    vfs = PowerLossVFS(f"power-loss-{before}", disk)
    acknowledged = Acknowledged()
    disk.cut_after(chance.randrange(least_changes, MOST_CHANGES))
    # Small logs too, so that they are folded into the file, and begun anew, in the middle of the work.
    checkpoint = f"wal_autocheckpoint={chance.choice((10, 100, 1000))}"
    with on_vfs(vfs.name, checkpoint, *pragmas), pytest.raises((DBAPIError, StorageUnavailableError)):
        await _serve_twice(before, kek, acknowledged, chance, password_hash)
    assert disk.is_off, "it ended for another reason"
    disk.survivors(after)
    vfs.unregister()
    return acknowledged


async def _serve_twice(
    folder: Path, kek: bytes, acknowledged: Acknowledged, chance: random.Random, password_hash: str | None
) -> None:
    """Serve a few people, close the store, and serve on: the second start finds what the first left unsynced."""
    for people in (chance.randrange(3), None):
        async with open_store(*urls(folder), kek) as store:
            lives = [_live(store, acknowledged, chance, people, password_hash) for _ in range(_AT_ONCE)]
            # All of them end before the store is closed, as its users do in the service.
            for error in await asyncio.gather(*lives, return_exceptions=True):
                if error is not None:
                    raise error


async def _live(
    store: SqlStore,
    acknowledged: Acknowledged,
    chance: random.Random,
    people: int | None,
    password_hash: str | None,
) -> None:
    """Sign up, write, read what was written, and now and then leave; one person after the other (None: for ever)."""
    lived = 0
    while lived != people:
        lived += 1
        user = a_user()
        await store.accounts.add_user(user, password_hash)
        acknowledged.emails[user.id] = user.email
        kept: Kept = {}
        acknowledged.kept[user.id] = kept
        for _ in range(chance.randrange(3)):
            conversation = a_conversation(user.id)
            await store.conversations.add_conversation(user.id, conversation)
            messages = kept[conversation.id] = {}
            for number in range(chance.randrange(4)):
                message = a_message(conversation.id, f"{number} " * chance.randrange(1, 3000))
                await store.conversations.add_message(user.id, message)
                messages[message.id] = message.content
            assert len(await store.conversations.messages(user.id, conversation.id)) == len(messages)
        if kept and chance.random() < 0.2:
            del acknowledged.kept[user.id]  # until the answer comes it may be either way
            await store.conversations.forget_owner(user.id)
            acknowledged.forgotten.append(user.id)


async def lost(folder: Path, acknowledged: Acknowledged) -> list[str]:
    """What is not as it was acknowledged, once the ordinary driver has opened what survived."""
    try:
        async with open_store(*urls(folder), KEK) as store:
            missing = [line for user, kept in acknowledged.kept.items() for line in await _lost_of(store, user, kept)]
        return missing + _damaged(folder) + _remembered(folder, acknowledged.forgotten)
    except (StorageUnavailableError, sqlite3.DatabaseError, UnreadableContentError) as error:
        return [f"it does not open: {error}"]


async def _lost_of(store: SqlStore, user: UserId, kept: Kept) -> list[str]:
    if await store.accounts.user(user) is None:
        return [f"{user} is gone"]
    missing = []
    for conversation, messages in kept.items():
        try:
            if await store.conversations.conversation(user, conversation) is None:
                missing.append(f"{conversation} is gone")
            found = {one.id: one.content for one in await store.conversations.messages(user, conversation)}
        except UnreadableContentError as error:
            missing.append(f"{conversation}: {error}")
            continue
        missing += [f"{message} is not as it was" for message, text in messages.items() if found.get(message) != text]
    return missing


def _damaged(folder: Path) -> list[str]:
    said = []
    for name in _DATABASES:
        with closing(sqlite3.connect(folder / name)) as raw:
            said += [f"{name}: {line}" for (line,) in raw.execute("PRAGMA quick_check") if line != "ok"]
            said += [f"{name}: {row}" for row in raw.execute("PRAGMA foreign_key_check")]
    return said


def _remembered(folder: Path, forgotten: Sequence[UserId]) -> list[str]:
    with closing(sqlite3.connect(folder / _DATABASES[1])) as raw:
        owners = {owner for (owner,) in raw.execute("SELECT owner FROM user_keys")}
    return [f"the key of {user} was destroyed and is back" for user in forgotten if user in owners]


def all_is_dropped(_chance: random.Random) -> float:
    return 0.0


def any_part_is_kept(chance: random.Random) -> float:
    return chance.choice((0.1, 0.5, 0.9))
