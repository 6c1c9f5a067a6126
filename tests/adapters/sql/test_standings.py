"""Who was answered before standing was kept is no stranger after the step; and a record goes with its user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, func, insert, select

from tests.storage import a_conversation, a_message, a_user, emptied
from tidegate.adapters.sql.database import Database, open_database
from tidegate.adapters.sql.schema import RECORDS, migrate
from tidegate.adapters.sql.standing import SqlStandingStore
from tidegate.adapters.sql.tables import conversations, messages, standings, users
from tidegate.core.accounts import User
from tidegate.core.conversations import Author
from tidegate.core.identifiers import MessageId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, MOST_DAYS, History
from tidegate.core.standing.record import Record, StandingPlan, standing_of

MIDNIGHT_S = 20_000 * DAY_S


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """As the step before left it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'records.db'}"
    else:
        url = await emptied(request.getfixturevalue("postgres_server"))
    opened = open_database(url)
    await migrate(opened, msgspec.structs.replace(RECORDS, revisions=RECORDS.revisions[:2]))
    yield opened
    await opened.close()


async def _kept(database: Database, answered_at_s: list[float], asked_at_s: list[float]) -> User:
    user = a_user()
    conversation = a_conversation(user.id)
    question = a_message(conversation.id, created_at_s=MIDNIGHT_S)
    times = [(at_s, Author.ASSISTANT) for at_s in answered_at_s] + [(at_s, Author.USER) for at_s in asked_at_s]
    said = [a_message(conversation.id, parent=question.id, created_at_s=at_s) for at_s, _ in times]
    rows = [
        {**_row(message.id, message.created_at_s, author), "conversation": conversation.id, "owner": user.id}
        for message, (_, author) in zip(said, times, strict=True)
    ]
    async with database.writing() as connection:
        await connection.execute(
            insert(users).values(
                id=user.id, email=user.email, role="user", created_at_s=100.5, member_since_s=50.25, stored_bytes=0
            )
        )
        await connection.execute(
            insert(conversations).values(
                id=conversation.id, owner=user.id, title=b"", created_at_s=1.0, updated_at_s=1.0, stored_bytes=0
            )
        )
        if rows:
            await connection.execute(insert(messages), rows)
    return user


def _row(message_id: MessageId, created_at_s: float, author: Author) -> dict[str, object]:
    return {
        "id": message_id,
        "author": author.value,
        "content": b"",
        "reasoning": b"",
        "created_at_s": created_at_s,
    }


async def test_days_with_kept_answers_count_as_served_days(database: Database) -> None:
    last_s = MIDNIGHT_S + 5 * DAY_S + 100.25
    answered = [MIDNIGHT_S + 1.0, MIDNIGHT_S + DAY_S - 1.0, MIDNIGHT_S + DAY_S + 1.0, last_s - 50.0, last_s]
    known = await _kept(database, answered, [MIDNIGHT_S + 9 * DAY_S])
    asking, silent = await _kept(database, [], [MIDNIGHT_S, MIDNIGHT_S + DAY_S]), await _kept(database, [], [])

    await migrate(database, RECORDS)

    records = await SqlStandingStore(database).find([known.id, asking.id, silent.id])
    expected = History(days=3.0, last_day=20_005, counted_at_s=last_s)
    assert records == [
        msgspec.structs.replace(Record.of(known), history=expected),
        Record.of(asking),
        Record.of(silent),
    ]
    assert standing_of(records[0], StandingPlan(), last_s) is Standing.MEMBER


async def test_no_history_becomes_longer_than_the_longest_and_no_clock_is_believed(database: Database) -> None:
    long = await _kept(database, [MIDNIGHT_S + day * DAY_S + 1.0 for day in range(450)], [])
    wrong = await _kept(database, [-1e12, 1e15], [])

    await migrate(database, RECORDS)

    found = await SqlStandingStore(database).find([long.id, wrong.id])
    assert [record.history.days for record in found] == [MOST_DAYS, 0.0]


async def test_a_record_goes_with_its_user_and_with_no_other(database: Database) -> None:
    gone, there = [await _kept(database, [MIDNIGHT_S], []) for _ in range(2)]
    await migrate(database, RECORDS)
    store = SqlStandingStore(database)
    await store.save(
        [Record.of(gone, is_born_in_flood=True), Record.of(there, is_born_in_flood=True, is_self_made=True)]
    )

    async with database.writing() as connection:
        await connection.execute(delete(users).where(users.c.id == gone.id))
        assert await connection.scalar(select(func.count()).select_from(standings)) == 1

    assert await store.find([gone.id, there.id]) == [Record.of(there, is_born_in_flood=True, is_self_made=True)]
