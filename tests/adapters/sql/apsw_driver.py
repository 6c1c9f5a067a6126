"""The driver that the stores use, on another SQLite: aiosqlite over apsw, which can be given a VFS.

aiosqlite is real and so is SQLAlchemy's dialect; only the few methods of
sqlite3's connections and cursors that those two call are written anew here.
There is no other way in: sqlite3 cannot load a VFS written in Python.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

import aiosqlite
import apsw

T = TypeVar("T")

_CLOSED_S = 10.0
_COUNTED = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@contextmanager
def on_vfs(vfs: str, *pragmas: str) -> Iterator[None]:
    """Let every SQLite database that is connected to meanwhile be reached through the VFS of that name.

    `pragmas` (such as `synchronous=OFF`) overrule what a connection says of them.
    Everything must have been closed at the end.
    """
    opened: list[aiosqlite.Connection] = []

    def connect(database: str, *, timeout: float, **_driver_options: object) -> aiosqlite.Connection:
        def connector() -> Any:
            return _Connection(database, vfs, timeout, pragmas)

        opened.append(aiosqlite.Connection(connector, 64))
        return opened[-1]

    with mock.patch.object(aiosqlite, "connect", connect):
        yield
    # What failed is closed without anybody waiting for it; its thread must not outlive the event loop.
    for connection in opened:
        connection._thread.join(_CLOSED_S)
        assert not connection._thread.is_alive()


def _told(act: Callable[[], T]) -> T:
    """Do it, with apsw's errors raised as sqlite3's."""
    try:
        return act()
    except apsw.ConstraintError as error:
        raise sqlite3.IntegrityError(str(error)) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise sqlite3.DatabaseError(str(error)) from error
    except apsw.Error as error:
        raise sqlite3.OperationalError(str(error)) from error


class _Cursor:
    """What a sqlite3.Cursor shows: all rows are read at once."""

    arraysize = 1

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> _Cursor:
        apsw_connection = self._connection.inner
        cursor = apsw_connection.cursor()

        def note_columns(running: apsw.Cursor, _sql: str, _bindings: object) -> bool:
            # Known before the first row; afterwards a query without rows would tell nothing.
            self.description = [(name, *[None] * 6) for name, _type in running.get_description()] or None
            return True

        cursor.exec_trace = note_columns
        self.description, self.rowcount = None, -1
        self._rows = _told(lambda: list(cursor.execute(sql, tuple(parameters))))
        if sql.lstrip().upper().startswith(_COUNTED):
            self.rowcount, self.lastrowid = apsw_connection.changes(), apsw_connection.last_insert_rowid()
        self._connection.insist(sql)
        return self

    def executemany(self, sql: str, sequence: Sequence[Sequence[Any]]) -> _Cursor:
        counts = [self.execute(sql, parameters).rowcount for parameters in sequence]
        self.rowcount = sum(counts)
        return self

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    def close(self) -> None:
        self._rows = []


class _Connection:
    """What a sqlite3.Connection does, as far as it is asked."""

    isolation_level = None

    def __init__(self, database: str, vfs: str, timeout_s: float, pragmas: Sequence[str]) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        self._pragmas = pragmas
        self.inner = _told(lambda: apsw.Connection(database, flags, vfs))
        self.inner.set_busy_timeout(int(timeout_s * 1000))

    def insist(self, sql: str) -> None:
        """Set again what a PRAGMA of the product has just set."""
        if sql.startswith("PRAGMA") and not self.inner.in_transaction:
            for pragma in self._pragmas:
                # mypy cannot infer a lambda with a default; the default binds this round's pragma.
                _told(lambda text=pragma: self.inner.execute(f"PRAGMA {text}").fetchall())  # type: ignore[misc]

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    def commit(self) -> None:
        if self.inner.in_transaction:
            _told(lambda: self.inner.execute("COMMIT"))

    def rollback(self) -> None:
        if self.inner.in_transaction:
            _told(lambda: self.inner.execute("ROLLBACK"))

    def create_function(self, name: str, arguments: int, act: Any, *, deterministic: bool = False) -> None:
        self.inner.create_scalar_function(name, act, arguments, deterministic=deterministic)

    def close(self) -> None:
        _told(self.inner.close)
