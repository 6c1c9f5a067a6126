"""A database that cannot be used is told of in one sentence, with its place and never its password."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError, ProgrammingError

from tests.storage import KEK, a_user, emptied
from tidegate.adapters.sql import SqlStore, open_store
from tidegate.adapters.sql.faults import told_in_a_sentence
from tidegate.ports.storage import StorageSettingError, StorageUnavailableError


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
    for mistake in (IntegrityError("", {}, ValueError()), ProgrammingError("", {}, ValueError()), OSError(2, "none")):
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
