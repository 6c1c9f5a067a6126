"""What an older program wrote is there after the step to the newest schema, and counted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select, text

from tests.storage import KEK, a_conversation, a_message, a_user, emptied
from tidegate.adapters.sql.database import Keeping, open_database
from tidegate.adapters.sql.places import text_of, title_of
from tidegate.adapters.sql.schema import RECORDS, USER_KEYS, migrate
from tidegate.adapters.sql.store import open_store
from tidegate.adapters.sql.tables import conversations, users
from tidegate.adapters.sql.vault import UserKeyVault

USER, IDLE = a_user("ana@example.org", 1.0), a_user("idle@example.org", 2.0)
CONVERSATION = a_conversation(USER.id, "Ebb")
QUESTION = a_message(CONVERSATION.id, "When?", created_at_s=400.0)
ANSWER = a_message(CONVERSATION.id, "At noon.", parent=QUESTION.id, created_at_s=401.0, reasoning="The moon")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
async def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Databases as the first schema left them."""
    if request.param == "sqlite":
        urls = (f"sqlite:///{tmp_path / 'records.db'}", f"sqlite:///{tmp_path / 'keys.db'}")
    else:
        urls = (await emptied(request.getfixturevalue("postgres_server")),) * 2
    records, keys = open_database(urls[0]), open_database(urls[1], Keeping.SECRETS)
    await migrate(records, msgspec.structs.replace(RECORDS, revisions=RECORDS.revisions[:1]))
    await migrate(keys, USER_KEYS)
    key = await UserKeyVault(keys, KEK).key_or_new(USER.id)
    rows: dict[str, list[dict[str, object]]] = {
        "users": [
            {
                "id": user.id,
                "email": user.email,
                "role": "user",
                "created_at_s": user.created_at_s,
                "member_since_s": 50.25,
            }
            for user in (USER, IDLE)
        ],
        "conversations": [
            {
                "id": CONVERSATION.id,
                "owner": USER.id,
                "title": key.seal(b"Ebb", *title_of(USER.id, CONVERSATION.id)),
                "created_at_s": 300.0,
                "updated_at_s": 300.0,
            }
        ],
        "messages": [
            {
                "id": one.id,
                "conversation": one.conversation,
                "owner": USER.id,
                "parent": one.parent,
                "author": one.author.value,
                "content": key.seal(one.content.encode(), *text_of(USER.id, CONVERSATION.id, one.id, "content")),
                "reasoning": key.seal(one.reasoning.encode(), *text_of(USER.id, CONVERSATION.id, one.id, "reasoning")),
                "created_at_s": one.created_at_s,
            }
            for one in (QUESTION, ANSWER)
        ],
    }
    async with records.writing() as connection:
        for name, values in rows.items():
            await connection.execute(insert(RECORDS.metadata.tables[name]), values)
    await records.close()
    await keys.close()
    return urls


async def test_people_and_their_words_survive_the_step(old: tuple[str, str]) -> None:
    async with open_store(*old, KEK) as store:
        assert await store.accounts.users() == [USER, IDLE]
        assert await store.conversations.conversation(USER.id, CONVERSATION.id) == CONVERSATION
        assert await store.conversations.messages(USER.id, CONVERSATION.id) == [QUESTION, ANSWER]


async def test_what_was_stored_before_is_counted(old: tuple[str, str]) -> None:
    async with open_store(*old, KEK):
        pass
    database = open_database(old[0])
    async with database.reading() as connection:
        rows = await connection.execute(select(users.c.email, users.c.stored_bytes))
        counted = {email: stored_bytes for email, stored_bytes in rows}  # noqa: C416 - rows are not pairs to mypy
        in_conversation = await connection.scalar(select(conversations.c.stored_bytes))
        assert await connection.scalar(text("SELECT count(*) FROM sessions")) == 0
    await database.close()

    written = [b"Ebb", b"When?", b"", b"At noon.", b"The moon"]
    assert counted == {"ana@example.org": sum(len(one) + 29 for one in written) + 3 * 512, "idle@example.org": 0}
    assert in_conversation == counted["ana@example.org"]
