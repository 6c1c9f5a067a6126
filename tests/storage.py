"""What tests of storage share: a real PostgreSQL, and people who have something to keep."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tidegate.core.accounts import ApiKey, Role, Scope, Session, User
from tidegate.core.conversations import Author, Conversation, Message
from tidegate.core.identifiers import ConversationId, KeyId, MessageId, SessionId, UserId
from tidegate.testing.postgres import PostgresUnavailableError, running_postgres

KEK = bytes(range(32))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a server that lives as long as the run."""
    try:
        with running_postgres() as url:
            yield url
    except PostgresUnavailableError as error:
        pytest.skip(f"no PostgreSQL: {error}")


async def emptied(postgres_url: str) -> str:
    """Remove everything from the database, and give its URL back."""
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()
    return postgres_url


def a_user(email: str | None = None, created_at_s: float = 100.5) -> User:
    user_id = UserId.of(os.urandom(8))
    return User(
        id=user_id,
        email=email or f"{user_id}@example.org",
        role=Role.USER,
        created_at_s=created_at_s,
        member_since_s=50.25,
    )


def a_key(owner: UserId, created_at_s: float = 200.0, name: str = "laptop") -> ApiKey:
    return ApiKey(
        id=KeyId.of(os.urandom(8)),
        owner=owner,
        name=name,
        label="tg_live_...abcd",
        scopes=frozenset({Scope.CHAT, Scope.MODELS}),
        created_at_s=created_at_s,
    )


def a_session(owner: UserId, created_at_s: float = 200.0, expires_at_s: float = 900.0) -> Session:
    return Session(
        id=SessionId.of(os.urandom(8)),
        owner=owner,
        created_at_s=created_at_s,
        expires_at_s=expires_at_s,
        last_seen_at_s=created_at_s,
    )


def a_conversation(owner: UserId, title: str = "Tides", updated_at_s: float = 300.0) -> Conversation:
    return Conversation(
        id=ConversationId.of(os.urandom(8)),
        owner=owner,
        title=title,
        created_at_s=updated_at_s,
        updated_at_s=updated_at_s,
    )


def a_message(
    conversation: ConversationId,
    content: str = "When is high water?",
    *,
    parent: MessageId | None = None,
    created_at_s: float = 400.0,
    reasoning: str = "",
) -> Message:
    return Message(
        id=MessageId.of(os.urandom(8)),
        conversation=conversation,
        parent=parent,
        author=Author.USER if parent is None else Author.ASSISTANT,
        content=content,
        created_at_s=created_at_s,
        reasoning=reasoning,
    )
