"""Conversations in SQL, with everything people wrote sealed under their own key.

Titles, contents and reasoning are sealed for exactly their place: owner,
conversation, message and field. What the database sees is who wrote when, how
the messages hang together, and how long they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tidegate.adapters.sql.database import Database
from tidegate.adapters.sql.sealing import SealingKey
from tidegate.adapters.sql.tables import conversations, messages, users
from tidegate.adapters.sql.vault import UserKeyVault
from tidegate.core.conversations import Author, Conversation, Message
from tidegate.core.identifiers import ConversationId, MessageId, UserId

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection


class SqlConversationStore:
    """A ConversationStore in SQLite or PostgreSQL, encrypted at rest."""

    def __init__(self, database: Database, vault: UserKeyVault) -> None:
        """Use `database`, already migrated, and the users' keys in `vault`."""
        self._database = database
        self._vault = vault

    async def add_conversation(self, owner: UserId, conversation: Conversation) -> None:
        """Keep a new conversation.

        Raises LookupError when there is no such user, and ValueError for a
        conversation of another owner, an id in use, or half a surrogate pair
        in the title.
        """
        _check_owner(owner, conversation)
        title = conversation.title.encode()
        # Asked before a key is made: whoever does not exist gets none.
        await self._require_user(owner)
        key = await self._vault.key_or_new(owner)
        row = {
            "id": conversation.id,
            "owner": owner,
            "title": key.seal(title, *_title_of(owner, conversation.id)),
            "created_at_s": conversation.created_at_s,
            "updated_at_s": conversation.updated_at_s,
        }
        try:
            async with self._database.writing() as connection:
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
        return None if row is None else _conversation(row, await self._vault.key(owner))

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
        return [_conversation(row, key) for row in rows]

    async def rename_conversation(self, owner: UserId, conversation_id: ConversationId, title: str) -> bool:
        """Change a title. False when the owner has no such conversation."""
        plain = title.encode()
        if not await self._has(owner, conversation_id):
            return False
        sealed = (await self._vault.key(owner)).seal(plain, *_title_of(owner, conversation_id))
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(conversations).where(_is(owner, conversation_id)).values(title=sealed),
            )
        return changed.rowcount > 0

    async def delete_conversation(self, owner: UserId, conversation_id: ConversationId) -> bool:
        """Remove a conversation and its messages. False when the owner has none such."""
        async with self._database.writing() as connection:
            removed = await connection.execute(delete(conversations).where(_is(owner, conversation_id)))
        return removed.rowcount > 0

    async def add_message(self, owner: UserId, message: Message) -> None:
        """Keep a new message and move `updated_at_s` on.

        Raises LookupError when the owner has no such conversation, or the
        parent is not a message of that same conversation; ValueError for an id
        in use or half a surrogate pair in the text; UnreadableContentError when
        the owner's key is gone.
        """
        content, reasoning = message.content.encode(), message.reasoning.encode()
        if not await self._has(owner, message.conversation):
            raise _no_conversation()
        key = await self._vault.key(owner)
        row = {
            "id": message.id,
            "conversation": message.conversation,
            "owner": owner,
            "parent": message.parent,
            "author": message.author.value,
            "content": key.seal(content, *_text_of(owner, message.conversation, message.id, "content")),
            "reasoning": key.seal(reasoning, *_text_of(owner, message.conversation, message.id, "reasoning")),
            "created_at_s": message.created_at_s,
        }
        try:
            async with self._database.writing() as connection:
                await _touch(connection, owner, message)
                await _require_parent(connection, owner, message)
                await connection.execute(insert(messages).values(row))
        except IntegrityError as error:
            msg = "message: this id is in use"
            raise ValueError(msg) from error

    async def messages(self, owner: UserId, conversation_id: ConversationId) -> list[Message]:
        """All messages of the whole tree, oldest first. Raises UnreadableContentError."""
        query = (
            select(messages)
            .where(and_(messages.c.owner == owner, messages.c.conversation == conversation_id))
            .order_by(messages.c.created_at_s, messages.c.sequence)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        if not rows:
            return []
        key = await self._vault.key(owner)
        return [_message(row, key) for row in rows]

    async def forget_owner(self, owner: UserId) -> None:
        """Destroy the owner's key, then remove what it sealed.

        The key goes first: should the rest fail, nothing is readable all the
        same, and asking again finishes it.
        """
        await self._vault.destroy(owner)
        async with self._database.writing() as connection:
            await connection.execute(delete(conversations).where(conversations.c.owner == owner))

    async def _require_user(self, owner: UserId) -> None:
        async with self._database.reading() as connection:
            if await connection.scalar(select(users.c.id).where(users.c.id == owner)) is None:
                msg = "conversation: there is no such user"
                raise LookupError(msg)

    async def _has(self, owner: UserId, conversation_id: ConversationId) -> bool:
        async with self._database.reading() as connection:
            return await connection.scalar(select(conversations.c.id).where(_is(owner, conversation_id))) is not None


async def _touch(connection: AsyncConnection, owner: UserId, message: Message) -> None:
    # Also the lock that keeps the conversation from being deleted meanwhile. Never moves
    # backwards: an imported message or a stepped clock must not reorder the owner's list.
    moved = case(
        (conversations.c.updated_at_s < message.created_at_s, message.created_at_s),
        else_=conversations.c.updated_at_s,
    )
    touched = await connection.execute(
        update(conversations).where(_is(owner, message.conversation)).values(updated_at_s=moved),
    )
    if touched.rowcount == 0:
        raise _no_conversation()


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


def _title_of(owner: UserId, conversation_id: ConversationId) -> tuple[str, ...]:
    return _text_of(owner, conversation_id, "", "title")


def _text_of(owner: str, conversation_id: str, message_id: str, field: str) -> tuple[str, ...]:
    return (owner, conversation_id, message_id, field)


def _conversation(row: Row[*tuple[Any, ...]], key: SealingKey) -> Conversation:
    owner, conversation_id = UserId(row.owner), ConversationId(row.id)
    return Conversation(
        id=conversation_id,
        owner=owner,
        title=key.unseal(row.title, *_title_of(owner, conversation_id)).decode(),
        created_at_s=row.created_at_s,
        updated_at_s=row.updated_at_s,
    )


def _message(row: Row[*tuple[Any, ...]], key: SealingKey) -> Message:
    def text(field: str, sealed: bytes) -> str:
        return key.unseal(sealed, *_text_of(row.owner, row.conversation, row.id, field)).decode()

    return Message(
        id=MessageId(row.id),
        conversation=ConversationId(row.conversation),
        parent=None if row.parent is None else MessageId(row.parent),
        author=Author(row.author),
        content=text("content", row.content),
        created_at_s=row.created_at_s,
        reasoning=text("reasoning", row.reasoning),
    )


def _check_owner(owner: UserId, conversation: Conversation) -> None:
    if conversation.owner != owner:
        msg = "conversation: it belongs to another owner"
        raise ValueError(msg)


def _no_conversation() -> LookupError:
    return LookupError("message: the owner has no such conversation")
