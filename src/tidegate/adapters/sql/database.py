"""One opened database: a way to read, and one way to write.

SQLite gets exactly one writing connection, whose transactions start with BEGIN
IMMEDIATE: two writers that both began by reading would deadlock into
SQLITE_BUSY no matter how long they wait. Readers see committed states and are
never in the writer's way (WAL). Everything is synchronous=EXTRA: what was
acknowledged survives the loss of power.

PostgreSQL has its own answers to all of this; there both ways share one pool.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from tidegate.adapters.sql.faults import told_in_a_sentence
from tidegate.ports.storage import StorageSettingError

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Each is a thread and a page cache, made when first needed; SQLite reads take microseconds,
# but a search has one for itself until it ends.
_READERS = 3
_POSTGRES_CONNECTIONS = 8
_BUSY_WAIT_S = 5
_POOL_WAIT_S = 10
_CONNECT_WAIT_S = 10

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class Keeping(Enum):
    """How a SQLite file treats what it no longer holds."""

    RECORDS = auto()
    """Write-ahead log: readers and the writer at once. A deleted row may linger in the log until it is folded."""
    SECRETS = auto()
    """No log: a deleted row is gone from every file when the deletion returns."""


class Database:
    """An open database. Close it with `close`.

    Whatever fails on its side while it is used, now or later (a full disk, a
    lock, a server that is gone), is raised as StorageUnavailableError.
    """

    def __init__(self, url: str, writer: AsyncEngine, reader: AsyncEngine) -> None:
        """Use `open_database` instead. `url` is for telling which one failed."""
        self._url = url
        self._writer = writer
        self._reader = reader

    def writing(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Enter a transaction that may write: committed at the end, rolled back on an exception."""
        return self._using(self._writer.begin())

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Enter one consistent view of what is committed."""
        return self._using(self._reader.connect())

    async def close(self) -> None:
        """Give all connections back; SQLite folds its log into the file."""
        # The writer goes last: only a connection that may write can fold the log.
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def _using(self, entered: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
        with told_in_a_sentence(self._url):
            async with AsyncExitStack() as stack:
                # While connecting, sockets fail too, and those are nobody else's.
                with told_in_a_sentence(self._url, while_opening=True):
                    connection = await stack.enter_async_context(entered)
                yield connection


def open_database(url: str, keeping: Keeping = Keeping.RECORDS) -> Database:
    """Open the database at `url`; a missing SQLite file is created with mode 0600.

    Nothing connects before the first use. Raises StorageSettingError for a URL
    that is neither SQLite nor PostgreSQL, and for SQLite in memory, which two
    connections cannot share.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(url, parsed, keeping)
    try:
        engine = create_async_engine(
            parsed,
            pool_size=1,
            max_overflow=_POSTGRES_CONNECTIONS - 1,
            pool_timeout=_POOL_WAIT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"timeout": _CONNECT_WAIT_S},
        )
    except ModuleNotFoundError as error:
        msg = "database_url: PostgreSQL needs its driver: pip install '.[postgres]' in a checkout"
        raise StorageSettingError(msg) from error
    return Database(url, engine, engine)


def _parse(url: str) -> URL:
    # The URL itself is never repeated in an error: it may carry a password.
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        msg = "database_url: not a database URL: expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
        raise StorageSettingError(msg) from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        msg = f"database_url: no support for {parsed.drivername} databases: expected sqlite:///PATH or postgresql://…"
        raise StorageSettingError(msg)
    if driver.startswith("sqlite") and parsed.database in {None, "", ":memory:"}:
        msg = "database_url: SQLite needs a file: sqlite:////var/lib/tidegate/tidegate.db"
        raise StorageSettingError(msg)
    return parsed.set(drivername=driver)


def _open_sqlite(url: str, parsed: URL, keeping: Keeping) -> Database:
    path = Path(parsed.database or "")
    # Made here, so that the file (and the log beside it, which copies its mode) is never readable by others.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    writer = _sqlite_engine(parsed, 1)
    _prepare(writer, _pragmas(keeping), "BEGIN IMMEDIATE")
    if keeping is Keeping.SECRETS:
        return Database(url, writer, writer)
    reader = _sqlite_engine(parsed, _READERS)
    _prepare(reader, ("PRAGMA query_only=ON",), "BEGIN")
    return Database(url, writer, reader)


def _pragmas(keeping: Keeping) -> tuple[str, ...]:
    # A write-ahead log would keep a copy of a deleted row until it is next overwritten.
    journal = "DELETE" if keeping is Keeping.SECRETS else "WAL"
    return (
        f"PRAGMA journal_mode={journal}",
        # With FULL a removed rollback journal may be back after a power loss, and undo what was
        # committed: a user's key would be lost, or a destroyed one readable again. For a log the two are alike.
        "PRAGMA synchronous=EXTRA",
        "PRAGMA foreign_keys=ON",
        "PRAGMA secure_delete=ON",
    )


def _sqlite_engine(url: URL, connections: int) -> AsyncEngine:
    return create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_S,
        hide_parameters=True,
        # The driver must not start transactions by itself: `_prepare` says how they begin.
        connect_args={"isolation_level": None, "timeout": _BUSY_WAIT_S},
    )


def _prepare(engine: AsyncEngine, pragmas: tuple[str, ...], begin: str) -> None:
    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)
