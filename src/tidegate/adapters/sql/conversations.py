"""Conversations in SQL, with everything people wrote sealed under their own key.

Titles, contents and reasoning are sealed for exactly their place: owner,
conversation, message and field. What the database sees is who wrote when, how
the messages hang together, how answers ended, and how long everything is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.places import conversation_of, message_of, text_of, title_of
from tidegate.adapters.sql.searching import Search
from tidegate.adapters.sql.space import no_conversation, put, take
from tidegate.adapters.sql.tables import conversations, messages, users
from tidegate.adapters.sql.trees import way_to, whole_tree
from tidegate.adapters.sql.users import hold
from tidegate.adapters.sql.vault import UserKeyVault
from tidegate.core.conversations import Conversation, Message
from tidegate.core.generation.window import path
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.ports.conversations import ENTRY_BYTES, Hit

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection


class SqlConversationStore:
    """A ConversationStore in SQLite or PostgreSQL, encrypted at rest."""

    def __init__(self, database: Database, vault: UserKeyVault, *, quota_bytes: int) -> None:
        """Use `database`, already migrated, and the users' keys in `vault`; each owner may fill `quota_bytes`."""
        self._database = database
        self._vault = vault
        self._quota_bytes = quota_bytes
        # A search holds a reader and a thread: those who search leave the rest of both to everybody else.
        self._searching = asyncio.Lock()

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation.

        Raises LookupError when there is no such user, and ValueError for a
        conversation of another owner, an id in use, or half a surrogate pair
        in the title; StorageFullError.
        """
        _check_owner(owner, conversation)
        title = conversation.title.encode()
        # Asked before a key is made: whoever does not exist gets none.
        await self._require_user(owner)
        key = await self._vault.key_or_new(owner)
        sealed = key.seal(title, *title_of(owner, conversation.id))
        row: dict[str, Any] = {
            "id": conversation.id,
            "owner": owner,
            "title": sealed,
            "created_at_s": conversation.created_at_s,
            "updated_at_s": conversation.updated_at_s,
            "stored_bytes": len(sealed) + ENTRY_BYTES,
        }
        try:
            async with self._database.writing() as connection:
                await take(connection, owner, row["stored_bytes"], self._quota_bytes)
                await connection.execute(insert(conversations).values(row))
        except IntegrityError as error:
            await self._require_user(owner)
            msg = "conversation: this id is in use"
            raise ValueError(msg) from error

    async def conversation(self, owner: UserId, conversation_id: ConversationId) -> Conversation | None:
        """Find one of the owner's conversations. Raises UnreadableContentError."""
        query = select(conversations).where(_is(owner, conversation_id))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else conversation_of(row, await self._vault.key(owner))

    async def conversations(
        self,
        owner: UserId,
        *,
        limit: int = 100,
        before_s: float | None = None,
    ) -> list[Conversation]:
        """The owner's conversations, last updated first; `before_s` pages on `updated_at_s`."""
        query = (
            select(conversations)
            .where(conversations.c.owner == owner)
            .order_by(conversations.c.updated_at_s.desc(), conversations.c.id.desc())
            .limit(limit)
        )
        if before_s is not None:
            query = query.where(conversations.c.updated_at_s < before_s)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return []
        key = await self._vault.key(owner)
        return [conversation_of(row, key) for row in rows]

    async def rename_conversation(self, owner: UserId, conversation_id: ConversationId, title: str) -> bool:
        """Change a title. False when the owner has no such conversation. Raises StorageFullError for a longer one."""
        plain = title.encode()
        if not await self._has(owner, conversation_id):
            return False
        sealed = (await self._vault.key(owner)).seal(plain, *title_of(owner, conversation_id))
        old_length = select(func.length(conversations.c.title)).where(_is(owner, conversation_id))
        async with self._database.writing() as connection:
            await hold(connection, owner)
            old_bytes = await connection.scalar(old_length)
            if old_bytes is None:
                return False
            more_bytes = len(sealed) - old_bytes
            await take(connection, owner, more_bytes, self._quota_bytes)
            renamed = update(conversations).where(_is(owner, conversation_id))
            await connection.execute(
                renamed.values(title=sealed, stored_bytes=conversations.c.stored_bytes + more_bytes),
            )
        return True

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""
        async with self._database.writing() as connection:
            await hold(connection, owner)
            freed_bytes = await connection.scalar(
                select(conversations.c.stored_bytes).where(_is(owner, conversation_id))
            )
            if freed_bytes is None:
                return False
            await connection.execute(delete(conversations).where(_is(owner, conversation_id)))
            await take(connection, owner, -freed_bytes, self._quota_bytes)
        return True

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on.

        Raises LookupError when the owner has no such conversation, or the
        parent is not a message of that same conversation; ValueError for an id
        in use or half a surrogate pair in the text; UnreadableContentError when
        the owner's key is gone; StorageFullError, ConversationFullError.
        """
        content, reasoning = message.content.encode(), message.reasoning.encode()
        if not await self._has(owner, message.conversation):
            raise no_conversation()
        key = await self._vault.key(owner)
        row: dict[str, Any] = {
            "id": message.id,
            "conversation": message.conversation,
            "owner": owner,
            "parent": message.parent,
            "author": message.author.value,
            "content": key.seal(content, *text_of(owner, message.conversation, message.id, "content")),
            "reasoning": key.seal(reasoning, *text_of(owner, message.conversation, message.id, "reasoning")),
            "created_at_s": message.created_at_s,
            "reasoning_s": message.reasoning_s,
            "ending": None if message.ending is None else message.ending.value,
        }
        size_bytes = len(row["content"]) + len(row["reasoning"]) + ENTRY_BYTES
        try:
            async with self._database.writing() as connection:
                await take(connection, owner, size_bytes, self._quota_bytes)
                await put(connection, owner, message.conversation, size_bytes, message.created_at_s)
                await _require_parent(connection, owner, message)
                await connection.execute(insert(messages).values(row))
        except IntegrityError as error:
            msg = "message: this id is in use"
            raise ValueError(msg) from error

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first. Raises UnreadableContentError."""
        return await self._opened(owner, whole_tree(owner, conversation_id))

    async def path(self, owner: UserId, conversation_id: ConversationId, message_id: MessageId) -> list[Message]:
        """What was said from the root of the tree to this message; empty when the conversation has none such."""
        found = await self._opened(owner, way_to(owner, conversation_id, message_id))
        return path(found, message_id) if found else []

    async def search(self, owner: UserId, words: Sequence[str], *, limit: int) -> list[Hit]:
        """Where all of `words` stand together in one title or one message. Raises UnreadableContentError.

        Cancelled, it ends after the piece that is being read. What it finds is
        what there was when it began; on PostgreSQL a conversation that somebody
        writes to meanwhile may be missed.
        """
        async with self._searching, self._database.reading() as connection:
            return await Search(connection, self._vault, owner, words).hits(limit)

    async def forget_owner(self, owner: UserId) -> None:
        """Destroy the owner's key, then remove what it sealed.

        The key goes first: should the rest fail, nothing is readable all the
        same, and asking again finishes it.
        """
        await self._vault.destroy(owner)
        async with self._database.writing() as connection:
            await hold(connection, owner)
            await connection.execute(delete(conversations).where(conversations.c.owner == owner))
            await connection.execute(update(users).where(users.c.id == owner).values(stored_bytes=0))

    async def _opened(self, owner: UserId, query: Select[*tuple[Any, ...]]) -> list[Message]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return []
        key = await self._vault.key(owner)
        # Opening a long conversation takes a while: not on the event loop.
        return await asyncio.to_thread(lambda: [message_of(row, key) for row in rows])

    async def _require_user(self, owner: UserId) -> None:
        async with self._database.reading() as connection:
            if await connection.scalar(select(users.c.id).where(users.c.id == owner)) is None:
                msg = "conversation: there is no such user"
                raise LookupError(msg)

    async def _has(self, owner: UserId, conversation_id: ConversationId) -> bool:
        async with self._database.reading() as connection:
            return await connection.scalar(select(conversations.c.id).where(_is(owner, conversation_id))) is not None


async def _require_parent(connection: AsyncConnection, owner: UserId, message: Message) -> None:
    if message.parent is None:
        return
    query = select(messages.c.id).where(
        and_(
            messages.c.owner == owner,
            messages.c.conversation == message.conversation,
            messages.c.id == message.parent,
        ),
    )
    if await connection.scalar(query) is None:
        msg = "message: the parent is not in this conversation"
        raise LookupError(msg)


def _is(owner: UserId, conversation_id: ConversationId) -> Any:
    return and_(conversations.c.owner == owner, conversations.c.id == conversation_id)


def _check_owner(owner: UserId, conversation: Conversation) -> None:
    if conversation.owner != owner:
        msg = "conversation: it belongs to another owner"
        raise ValueError(msg)
