"""A data directory with something in it, and what may happen to a backup of it."""

from __future__ import annotations

import io
import os
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tidegate.adapters.disk import DataDir, load_or_create_secrets, write_backup

Contents = dict[str, bytes]


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        yield connection


def fill(path: Path, rows: int) -> None:
    with opened(path) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO kept (content) VALUES (?)", [(os.urandom(500),) for _ in range(rows)])


def rows_of(path: Path) -> list[tuple[int, bytes]]:
    with opened(path) as connection:
        return connection.execute("SELECT number, content FROM kept ORDER BY number").fetchall()


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    made = DataDir.open(tmp_path / "d")
    load_or_create_secrets(made)
    fill(made.database_path, 40)
    fill(made.user_keys_path, 4)
    (made.logs_path / "today").write_text("not worth keeping")
    return made


@pytest.fixture
def backup(datadir: DataDir, tmp_path: Path) -> Path:
    write_backup(datadir, tmp_path / "b.tar.gz")
    return tmp_path / "b.tar.gz"


def contents_of(backup: Path) -> Contents:
    with tarfile.open(backup) as archive:
        return {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]


def rewrite(backup: Path, change: Callable[[Contents], None]) -> None:
    """Repack a backup after `change`, as an attacker or a failing disk would."""
    contents = contents_of(backup)
    change(contents)
    with tarfile.open(backup, "w:gz") as archive:
        for name, content in contents.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
