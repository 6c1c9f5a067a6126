"""Migrations and tables say the same, on both databases, and nothing newer is touched."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tests.storage import KEK, emptied
from tidegate.adapters.sql.database import Database, open_database
from tidegate.adapters.sql.schema import CALLERS, RECORDS, USER_KEYS, DatabaseTooNewError, Schema, migrate
from tidegate.adapters.sql.store import open_store

SCHEMAS = pytest.mark.parametrize("schema", [RECORDS, USER_KEYS, CALLERS], ids=lambda schema: schema.name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'some.db'}"
    else:
        url = await emptied(request.getfixturevalue("postgres_server"))
    opened = open_database(url)
    yield opened
    await opened.close()


@SCHEMAS
async def test_the_migrations_make_exactly_the_tables_that_the_queries_expect(
    database: Database, schema: Schema
) -> None:
    await migrate(database, schema)

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True, "version_table": schema.version_table}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, schema.metadata))

    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


@SCHEMAS
async def test_constraints_have_the_same_names_on_every_database(database: Database, schema: Schema) -> None:
    """Otherwise the next migration cannot drop them; compare_metadata does not look at all of these."""
    await migrate(database, schema)

    def names(connection: Connection) -> set[str | None]:
        found: set[str | None] = set()
        for table in schema.metadata.tables:
            inspector = inspect(connection)
            found.add(inspector.get_pk_constraint(table)["name"])
            found |= {key["name"] for key in inspector.get_foreign_keys(table)}
            found |= {key["name"] for key in inspector.get_unique_constraints(table)}
        return found

    expected = {str(constraint.name) for table in schema.metadata.tables.values() for constraint in table.constraints}
    async with database.reading() as connection:
        assert await connection.run_sync(names) == expected


async def test_migrating_again_changes_nothing(database: Database) -> None:
    for _ in range(2):
        await migrate(database, RECORDS)
        await migrate(database, USER_KEYS)

    async with database.reading() as connection:
        tables = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
    assert {"users", "user_keys", RECORDS.version_table, USER_KEYS.version_table} <= tables


@SCHEMAS
def test_the_known_revisions_are_the_ones_in_the_folder(schema: Schema) -> None:
    scripts = ScriptDirectory(str(schema.scripts), version_locations=[str(schema.scripts)])

    assert tuple(step.revision for step in scripts.walk_revisions())[::-1] == schema.revisions
    assert scripts.get_current_head() == schema.head


@pytest.mark.parametrize("name", ["tidegate.db", "user-keys.db"])
async def test_a_database_of_a_newer_program_is_refused_and_left_alone(
    urls: tuple[str, str], tmp_path: Path, name: str
) -> None:
    async with open_store(*urls, KEK):
        pass
    schema = RECORDS if name == "tidegate.db" else USER_KEYS
    with closing(sqlite3.connect(tmp_path / name)) as raw, raw:
        raw.execute(f"UPDATE {schema.version_table} SET version_num='{schema.name}_9999'")  # noqa: S608
    before = (tmp_path / name).read_bytes()

    with pytest.raises(DatabaseTooNewError, match=r"_9999.*update Tidegate"):
        async with open_store(*urls, KEK):
            pytest.fail("opened")
    assert (tmp_path / name).read_bytes() == before


async def test_a_migration_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    database = open_database(f"sqlite:///{tmp_path / 'some.db'}")
    real_create_index = Operations.create_index

    def failing(self: Operations, name: str, *args: object, **kwargs: object) -> object:
        if name == "ix_messages_conversation_parent":
            msg = "the disk is full"
            raise OSError(msg)
        return real_create_index(self, name, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "create_index", failing)
        with pytest.raises(OSError, match="full"):
            await migrate(database, RECORDS)
    async with database.reading() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == []
    await migrate(database, RECORDS)
    await database.close()


def test_alembic_is_loaded_only_when_there_is_a_step_to_make(tmp_path: Path) -> None:
    """It costs 14 MB that a running service has no use for."""
    program = f"""
import asyncio, sys
from tidegate.adapters.sql.store import open_store
async def main():
    async with open_store("sqlite:///{tmp_path}/a.db", "sqlite:///{tmp_path}/b.db", bytes(32)):
        sys.stdout.write(str("alembic" in sys.modules))
asyncio.run(main())
"""
    answers = [
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert answers == ["True", "False"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hunter2@h/d", "no support for mysql"),
        ("hunter2", "not a database URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_a_url_that_cannot_serve_is_refused_without_repeating_its_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        open_database(url)
    assert "hunter2" not in str(refusal.value)
