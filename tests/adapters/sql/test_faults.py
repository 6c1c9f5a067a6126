"""A database that cannot be used is told of in one sentence, with its place and never its password."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError

from tests.storage import KEK, a_conversation, a_user, emptied
from tidegate.adapters.sql import database
from tidegate.adapters.sql.faults import told_in_a_sentence
from tidegate.adapters.sql.store import SqlStore, open_store
from tidegate.core.identifiers import UserId
from tidegate.ports.storage import StorageSettingError, StorageUnavailableError
from tidegate.testing.postgres import PostgresUnavailableError, running_postgres


async def _open(url: str, keys_url: str) -> None:
    async with open_store(url, keys_url, KEK):
        pass


@pytest.mark.parametrize("url", ["mysql://u:hunter2@127.0.0.1/z", "hunter2", "sqlite://", "oracle://u:hunter2@h/z"])
async def test_a_url_that_cannot_be_used_is_a_setting_to_mend(urls: tuple[str, str], url: str) -> None:
    with pytest.raises(StorageSettingError, match=r"^database_url: ") as refusal:
        await _open(url, urls[1])
    assert "hunter2" not in str(refusal.value)


async def test_a_server_that_does_not_answer_is_named_by_host_and_port(urls: tuple[str, str]) -> None:
    with pytest.raises(
        StorageUnavailableError, match=r"127\.0\.0\.1:1 cannot be used \(Connection refused\)"
    ) as refusal:
        await _open("postgresql://ada:hunter2@127.0.0.1:1/z", urls[1])
    assert "hunter2" not in str(refusal.value)
    assert not isinstance(refusal.value, StorageSettingError)


@pytest.mark.parametrize("broken", ["tidegate.db", "user-keys.db"])
async def test_the_file_that_is_no_database_is_the_one_that_is_named(
    urls: tuple[str, str], tmp_path: Path, broken: str
) -> None:
    (tmp_path / broken).write_bytes(b"junk" * 2000)
    with pytest.raises(StorageUnavailableError, match=re.escape(f"{tmp_path / broken} cannot be used")):
        await _open(*urls)


async def test_a_mistake_of_this_program_is_not_blamed_on_the_database(store: SqlStore) -> None:
    of_ours = [kind("", {}, ValueError()) for kind in (IntegrityError, ProgrammingError, DataError)]
    for mistake in (*of_ours, OSError(2, "none")):
        with pytest.raises(type(mistake)), told_in_a_sentence("sqlite:///some.db"):
            raise mistake
    user = a_user()
    await store.accounts.add_user(user, None)


@pytest.mark.integration
async def test_a_postgresql_without_the_database_or_the_right_to_it_says_so(
    postgres_server: str, urls: tuple[str, str]
) -> None:
    missing = make_url(postgres_server).set(database="nosuch").render_as_string(hide_password=False)
    with pytest.raises(StorageUnavailableError, match='database "nosuch" does not exist'):
        await _open(missing, urls[1])
    stranger = make_url(await emptied(postgres_server)).set(username="nobody-here", password="hunter2")
    with pytest.raises(StorageUnavailableError, match="nobody-here") as refusal:
        await _open(stranger.render_as_string(hide_password=False), urls[1])
    assert "hunter2" not in str(refusal.value)


async def _fails(store: SqlStore, owner: UserId, *, reading: bool = True) -> str:
    """Whatever is asked of the store, both it and the keys say that they cannot; answers what is said."""
    asked = [
        store.accounts.add_user(a_user(), None),
        store.conversations.add_conversation(owner, a_conversation(owner)),
    ]
    if reading:
        asked += [_none(store.accounts.users()), _none(store.conversations.conversations(owner))]
    said = ""
    for call in asked:
        with pytest.raises(StorageUnavailableError) as refusal:
            await call
        said = str(refusal.value)
    return said


async def _none(reading: Coroutine[Any, Any, object]) -> None:
    await reading


async def test_a_database_that_another_program_holds_is_told_of_and_works_again_afterwards(
    urls: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_WAIT_S", 0.01)
    async with open_store(*urls, KEK) as store:
        user = a_user()
        await store.accounts.add_user(user, None)
        await store.conversations.add_conversation(user.id, a_conversation(user.id))
        with closing(sqlite3.connect(tmp_path / "tidegate.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            said = await _fails(store, user.id, reading=False)
            assert said == (
                f"the database {tmp_path / 'tidegate.db'} cannot be used (database is locked): "
                "end the other program that writes to it"
            )
            assert await store.accounts.users() == [user]
        await store.accounts.add_user(a_user(), None)


async def test_a_full_disk_is_told_of_and_what_was_kept_is_there(
    urls: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = a_user()
    async with open_store(*urls, KEK) as store:
        await store.accounts.add_user(user, None)
    real = database._pragmas
    monkeypatch.setattr(database, "_pragmas", lambda keeping: (*real(keeping), "PRAGMA max_page_count=1"))
    async with open_store(*urls, KEK) as store:
        with pytest.raises(StorageUnavailableError, match=r"full.*free some space"):
            await _filled(store)
        assert user in await store.accounts.users()


async def _filled(store: SqlStore) -> None:
    for _ in range(200):
        await store.accounts.add_user(a_user(), "x" * 400)


@pytest.mark.integration
async def test_a_postgresql_that_goes_away_is_told_of_whatever_is_asked() -> None:
    try:
        with running_postgres() as url:
            opening = open_store(url, url, KEK)
            store = await opening.__aenter__()
            user = a_user()
            await store.accounts.add_user(user, None)
    except PostgresUnavailableError as error:
        pytest.skip(f"no PostgreSQL: {error}")
    try:
        for _ in range(2):
            assert "cannot be used" in await _fails(store, user.id)
    finally:
        await opening.__aexit__(None, None, None)
