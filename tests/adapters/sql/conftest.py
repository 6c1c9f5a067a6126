"""A store on SQLite, with its files in reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage import KEK, postgres_server
from tidegate.adapters.sql.store import SqlStore, open_store

__all__ = ["postgres_server"]


@pytest.fixture
def urls(tmp_path: Path) -> tuple[str, str]:
    return f"sqlite:///{tmp_path / 'tidegate.db'}", f"sqlite:///{tmp_path / 'user-keys.db'}"


@pytest.fixture
async def store(urls: tuple[str, str]) -> AsyncIterator[SqlStore]:
    async with open_store(*urls, KEK) as opened:
        yield opened
