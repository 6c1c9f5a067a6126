"""The counter of stored bytes is what the rows take up, whatever happens in whatever order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.storage import KEK, a_conversation, a_message, a_user, emptied
from tidegate.adapters.sql.database import Database, open_database
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.adapters.sql.tables import conversations, messages, users
from tidegate.core.conversations import Conversation
from tidegate.core.identifiers import UserId
from tidegate.ports.conversations import StorageFullError

QUOTA = 12_000


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[SqlStore, Database]]:
    if request.param == "sqlite":
        urls = (f"sqlite:///{tmp_path / 'records.db'}", f"sqlite:///{tmp_path / 'keys.db'}")
    else:
        urls = (await emptied(request.getfixturevalue("postgres_server")),) * 2
    database = open_database(urls[0])
    async with open_store(*urls, KEK, quota_bytes=QUOTA) as store:
        yield store, database
    await database.close()


async def _counted_and_there(database: Database, owner: UserId) -> tuple[int, int, int]:
    of_titles = select(func.sum(func.length(conversations.c.title) + 512)).where(conversations.c.owner == owner)
    of_texts = select(
        func.sum(func.length(messages.c.content) + func.length(messages.c.reasoning) + 512),
    ).where(messages.c.owner == owner)
    async with database.reading() as connection:
        counted = await connection.scalar(select(users.c.stored_bytes).where(users.c.id == owner))
        of_conversations = select(func.sum(conversations.c.stored_bytes)).where(conversations.c.owner == owner)
        in_conversations = int(await connection.scalar(of_conversations) or 0)
        there = [int(await connection.scalar(query) or 0) for query in (of_titles, of_texts)]
    return counted or 0, in_conversations, sum(there)


async def _act(store: SqlStore, owner: UserId, made: list[Conversation], chosen: random.Random) -> None:
    texts = "x" * chosen.randrange(900)
    one = chosen.choice(made)
    match chosen.randrange(12):
        case 0:
            made.append(a_conversation(owner, texts))
            await store.conversations.add_conversation(owner, made[-1])
        case 1:
            await store.conversations.delete_conversation(owner, one.id)
        case 2 | 3:
            await store.conversations.rename_conversation(owner, one.id, texts)
        case 4 if chosen.random() < 0.2:
            await store.conversations.forget_owner(owner)
        case _:
            await store.conversations.add_message(owner, a_message(one.id, texts, reasoning=texts[:50]))


@pytest.mark.parametrize("seed", range(6))
async def test_the_counter_equals_what_is_stored_after_anything_at_once(
    kept: tuple[SqlStore, Database], seed: int
) -> None:
    store, database = kept
    chosen = random.Random(seed)
    user = a_user()
    await store.accounts.add_user(user, None)
    made = [a_conversation(user.id, "first")]
    await store.conversations.add_conversation(user.id, made[0])

    refusals = 0
    for _ in range(12):
        acts = [_act(store, user.id, made, chosen) for _ in range(5)]
        outcomes = await asyncio.gather(*acts, return_exceptions=True)
        unexpected = [
            one for one in outcomes if one is not None and not isinstance(one, (StorageFullError, LookupError))
        ]
        # Whoever forgot an owner meanwhile took the key of those who were writing.
        assert [one for one in unexpected if type(one).__name__ != "UnreadableContentError"] == []
        refusals += sum(isinstance(one, StorageFullError) for one in outcomes)
        counted, in_conversations, there = await _counted_and_there(database, user.id)
        assert counted == in_conversations == there
        assert counted <= QUOTA
        made.append(a_conversation(user.id, ""))
        try:
            await store.conversations.add_conversation(user.id, made[-1])
        except StorageFullError:
            refusals += 1


async def test_an_account_beyond_its_quota_may_still_read_shorten_and_delete(urls: tuple[str, str]) -> None:
    """As after the operator lowered it."""
    user = a_user()
    conversation = a_conversation(user.id, "a long title")
    async with open_store(*urls, KEK) as store:
        await store.accounts.add_user(user, None)
        await store.conversations.add_conversation(user.id, conversation)

    async with open_store(*urls, KEK, quota_bytes=100) as store:
        with pytest.raises(StorageFullError):
            await store.conversations.add_message(user.id, a_message(conversation.id, ""))
        assert await store.conversations.rename_conversation(user.id, conversation.id, "short") is True
        assert await store.conversations.delete_conversation(user.id, conversation.id) is True
