"""How a database is opened: durable, one writer, readers apart, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.storage import KEK, a_conversation, a_message, a_user, emptied
from tidegate.adapters.sql.database import Keeping, open_database
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.adapters.sql.tables import messages


@pytest.mark.parametrize(("keeping", "journal"), [(Keeping.RECORDS, "wal"), (Keeping.SECRETS, "delete")])
async def test_every_write_waits_for_the_disk(tmp_path: Path, keeping: Keeping, journal: str) -> None:
    """Killing a process proves nothing about the loss of power; only these settings speak of that."""
    database = open_database(f"sqlite:///{tmp_path / 'some.db'}", keeping)
    async with database.writing() as connection:
        answers = [
            await connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    await database.close()

    assert answers == [journal, 3, 1, 1]  # synchronous is EXTRA


async def test_a_writer_that_read_first_does_not_lose_its_turn(tmp_path: Path) -> None:
    """Two transactions that read and then write deadlock, unless each starts as a writer."""
    database = open_database(f"sqlite:///{tmp_path / 'some.db'}")
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE counter (value INTEGER)"))
        await connection.execute(text("INSERT INTO counter VALUES (0)"))

    async def add_one() -> None:
        async with database.writing() as connection:
            value = await connection.scalar(text("SELECT value FROM counter"))
            await asyncio.sleep(0)
            await connection.execute(text("UPDATE counter SET value=:value"), {"value": value + 1})

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with database.reading() as connection:
        assert await connection.scalar(text("SELECT value FROM counter")) == 20
    await database.close()


async def test_another_process_in_the_middle_of_a_write_is_waited_for(store: SqlStore, tmp_path: Path) -> None:
    user = a_user()
    with closing(sqlite3.connect(tmp_path / "tidegate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.ensure_future(store.accounts.add_user(user, None))
        # Readers are not in its way meanwhile.
        assert await store.accounts.users() == []
        assert not writing.done()
        other.execute("COMMIT")

    await asyncio.wait_for(writing, timeout=10)
    assert await store.accounts.users() == [user]


async def test_a_reader_cannot_write(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'some.db'}")
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE some (value INTEGER)"))

    async with database.reading() as connection:
        with pytest.raises(OperationalError, match="readonly"):
            await connection.execute(text("INSERT INTO some VALUES (1)"))
    await database.close()


async def test_the_database_refuses_a_message_whose_owner_is_not_its_conversations(
    store: SqlStore, urls: tuple[str, str]
) -> None:
    """Should a query ever forget to ask, the schema does not."""
    ana, bo = a_user(), a_user()
    conversation = a_conversation(ana.id)
    for user in (ana, bo):
        await store.accounts.add_user(user, None)
    await store.conversations.add_conversation(ana.id, conversation)
    forged = {
        "id": "msg_1",
        "conversation": conversation.id,
        "owner": bo.id,
        "author": "user",
        "content": b"",
        "reasoning": b"",
        "created_at_s": 1.0,
    }

    database = open_database(urls[0])
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        async with database.writing() as connection:
            await connection.execute(insert(messages).values(forged))
    await database.close()


async def test_a_deleted_conversation_is_gone_from_the_file_too(urls: tuple[str, str], tmp_path: Path) -> None:
    user = a_user()
    conversation = a_conversation(user.id)
    async with open_store(*urls, KEK) as store:
        await store.accounts.add_user(user, None)
        await store.conversations.add_conversation(user.id, conversation)
        await store.conversations.add_message(user.id, a_message(conversation.id, "x" * 50))
    with closing(sqlite3.connect(tmp_path / "tidegate.db")) as raw:
        ((sealed,),) = raw.execute("SELECT content FROM messages")
    assert sealed in (tmp_path / "tidegate.db").read_bytes()

    async with open_store(*urls, KEK) as store:
        await store.conversations.delete_conversation(user.id, conversation.id)

    assert sealed not in (tmp_path / "tidegate.db").read_bytes()


async def test_several_may_open_a_new_store_at_once(urls: tuple[str, str]) -> None:
    await _open_together(urls)


@pytest.mark.integration
async def test_several_nodes_may_open_a_new_store_at_once(postgres_server: str) -> None:
    await _open_together((await emptied(postgres_server),) * 2)


async def test_different_new_stores_opened_at_once_do_not_mix(tmp_path: Path) -> None:
    """Migrations that share anything in the process would make tables in each other's files."""

    async def one(number: int) -> None:
        urls = [f"sqlite:///{tmp_path / f'{name}-{number}.db'}" for name in ("records", "keys")]
        async with open_store(urls[0], urls[1], KEK) as store:
            await store.accounts.add_user(a_user(f"{number}@example.org"), None)
            assert [user.email for user in await store.accounts.users()] == [f"{number}@example.org"]

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(one(number))


async def _open_together(urls: tuple[str, str]) -> None:
    everybody_is_in = asyncio.Barrier(4)

    async def one() -> None:
        async with open_store(*urls, KEK) as store:
            await everybody_is_in.wait()
            user = a_user()
            await store.accounts.add_user(user, None)
            await store.conversations.add_conversation(user.id, a_conversation(user.id))

    # A group, so that one who fails does not leave the others waiting.
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one())
    async with open_store(*urls, KEK) as store:
        users = await store.accounts.users()
        assert len(users) == 4
        for user in users:
            assert len(await store.conversations.conversations(user.id)) == 1


async def test_a_file_left_readable_by_others_is_taken_from_their_eyes(urls: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "tidegate.db").touch(0o644)
    os.chmod(tmp_path / "tidegate.db", 0o644)  # noqa: PTH101 - whatever the umask is

    async with open_store(*urls, KEK):
        pass
    assert (tmp_path / "tidegate.db").stat().st_mode & 0o777 == 0o600
