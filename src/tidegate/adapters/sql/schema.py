"""Bringing a database to the schema that this program was written for.

The version is asked with one plain query; Alembic (and the memory it takes) is
loaded only when there is a step to make. A step and its version mark commit in
one transaction, so a crash leaves the old schema or the new one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, MetaData, column, func, inspect, select, table

from tidegate.adapters.sql import tables
from tidegate.adapters.sql.database import Database
from tidegate.ports.storage import StorageUnavailableError

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x71DE6A7E  # any number, the same for all nodes


class DatabaseTooNewError(StorageUnavailableError):
    """A newer Tidegate wrote this database; this one would not understand it."""

    def __init__(self, schema: str, found: str, newest_known: str) -> None:
        """Say what was found, and what this program knows."""
        super().__init__(
            f"the {schema} database is at schema {found!r}, newer than this program's {newest_known!r}: "
            "update Tidegate, or restore a backup made by this version",
        )


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """One set of tables and the steps that lead to it, oldest first."""

    name: str
    metadata: MetaData
    revisions: tuple[str, ...]

    @property
    def head(self) -> str:
        """The step that this program's queries are written for."""
        return self.revisions[-1]

    @property
    def version_table(self) -> str:
        """Where the current step is marked; one per schema, so that two may share a database."""
        return f"{self.name}_schema_version"

    @property
    def scripts(self) -> Path:
        """The folder of steps."""
        return _MIGRATIONS / self.name


RECORDS: Final = Schema(
    name="records",
    metadata=tables.records,
    revisions=("records_0001", "records_0002", "records_0003", "records_0004", "records_0006"),
)
USER_KEYS: Final = Schema(name="user_keys", metadata=tables.user_keys_schema, revisions=("user_keys_0001",))
CALLERS: Final = Schema(name="callers", metadata=tables.callers_schema, revisions=("callers_0001", "callers_0002"))


async def migrate(database: Database, schema: Schema) -> None:
    """Bring `database` to `schema`'s head. Raises DatabaseTooNewError, having changed nothing."""
    async with database.reading() as connection:
        if not await connection.run_sync(_is_behind, schema):
            return
    async with database.writing() as connection:
        # Several nodes may start together: the first makes the steps, the rest find them made.
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        await connection.run_sync(_upgrade, schema)


def _is_behind(connection: Connection, schema: Schema) -> bool:
    if not inspect(connection).has_table(schema.version_table):
        return True
    marks = table(schema.version_table, column("version_num"))
    found = connection.execute(select(marks.c.version_num)).scalar()
    if found is not None and found not in schema.revisions:
        raise DatabaseTooNewError(schema.name, found, schema.head)
    return bool(found != schema.head)


def _upgrade(connection: Connection, schema: Schema) -> None:
    if not _is_behind(connection, schema):
        return
    from alembic.operations import Operations  # noqa: PLC0415 - memory that a running service does not need
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - alembic is heavy and rarely needed
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - alembic is heavy and rarely needed

    scripts = ScriptDirectory(str(schema.scripts), version_locations=[str(schema.scripts)])

    def steps(revision: object, _context: object) -> list[object]:
        return list(scripts._upgrade_revs(schema.head, revision))  # type: ignore[arg-type]  # noqa: SLF001

    context = MigrationContext.configure(
        connection,
        opts={"fn": steps, "target_metadata": schema.metadata, "version_table": schema.version_table},
    )
    # Each step is handed its operations. The usual `alembic.op` is one for the whole process:
    # two migrations at once would run each other's statements on the wrong database.
    context.run_migrations(op=Operations(context))
