"""How often a database is asked, where that is promised."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from tests.storage import a_conversation, a_message, a_user
from tidegate.adapters.sql import searching
from tidegate.adapters.sql.store import SqlStore
from tidegate.core.identifiers import UserId


@contextmanager
def _asked() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_signing_in_asks_once_whether_or_not_there_is_such_a_user(store: SqlStore) -> None:
    await store.accounts.add_user(a_user("ana@example.org"), "$argon2id$x")
    for email in ("ana@example.org", "nobody@example.org", "half\ud800@example.org"):
        with _asked() as statements:
            await store.accounts.user_with_password(email)
        assert len(statements) == 1


async def _wrote(store: SqlStore, lengths: list[int]) -> UserId:
    user = a_user()
    await store.accounts.add_user(user, None)
    conversation = a_conversation(user.id, "")
    await store.conversations.add_conversation(user.id, conversation)
    for number, length in enumerate(lengths):
        await store.conversations.add_message(
            user.id, a_message(conversation.id, "x" * length, created_at_s=float(number))
        )
    return user.id


async def test_a_search_has_no_more_in_memory_than_a_piece(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [10, 10, 500, 900, 2000, 10, 10, 10, 10, 10, 10, 900, 10]
    owner = await _wrote(store, lengths)
    monkeypatch.setattr(searching, "PIECE_ROWS", 4)
    monkeypatch.setattr(searching, "PIECE_BYTES", 1000)
    read: list[list[int]] = []
    real = searching.Search._in_contents

    def noting(self: searching.Search, rows: searching._Rows, *rest: object) -> object:
        read.append([len(row.content) - 29 for row in rows])
        return real(self, rows, *rest)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(searching.Search, "_in_contents", noting)
    assert await store.conversations.search(owner, ("needle",), limit=5) == []

    assert [length for piece in read for length in piece] == lengths[::-1]
    assert all(len(piece) <= 4 for piece in read)
    assert all(sum(piece) <= 1000 or len(piece) == 1 for piece in read)


async def test_a_search_ends_with_the_pack_that_makes_enough_hits_certain(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await _wrote(store, [1] * 3)
    monkeypatch.setattr(searching, "PAGE_CONVERSATIONS", 2)
    for number in range(5):
        await store.conversations.add_conversation(owner, a_conversation(owner, "needle", 900.0 + number))

    with _asked() as statements:
        assert len(await store.conversations.search(owner, ("needle",), limit=2)) == 2
    assert [one for one in statements if "content" in one] == []


async def test_one_search_runs_at_a_time_and_a_cancelled_one_makes_way(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await _wrote(store, [1] * 3)
    inside, leave, running = asyncio.Event(), asyncio.Event(), 0
    real = searching.Search.hits

    async def waiting(self: searching.Search, limit: int) -> object:
        nonlocal running
        running += 1
        inside.set()
        try:
            await leave.wait()
            return await real(self, limit)
        finally:
            running -= 1

    monkeypatch.setattr(searching.Search, "hits", waiting)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(store.conversations.search(owner, ("x",), limit=5))
        second = group.create_task(store.conversations.search(owner, ("x",), limit=5))
        await inside.wait()
        # Others read and write meanwhile, and the second search has not begun.
        assert len(await store.accounts.users()) == 1
        await store.conversations.add_conversation(owner, a_conversation(owner))
        assert running == 1
        inside.clear()
        first.cancel()
        await inside.wait()
        assert running == 1
        leave.set()
    assert len(second.result()) == 1
