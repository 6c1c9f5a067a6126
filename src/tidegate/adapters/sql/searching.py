"""Searching what is sealed: open everything of one owner, newest conversation first, a piece at a time.

    page    PAGE_CONVERSATIONS at most; those whose title does not match are asked how large they are
    pack    neighbours of a page that together have PIECE_ROWS messages and PIECE_BYTES at most, or one alone
    piece   a pack; or, of one that alone has more, as many messages as fit (a single one may be longer)

A piece is fetched, opened and read in a thread, and forgotten, so that is what
a search keeps in memory. It ends with the first pack that makes enough hits
certain, and never reads a conversation further back than to its first match.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, select, tuple_

from tidegate.adapters.sql.places import conversation_of, text_of
from tidegate.adapters.sql.sealing import SealingKey
from tidegate.adapters.sql.tables import conversations, messages
from tidegate.adapters.sql.vault import UserKeyVault
from tidegate.core.conversations import Conversation
from tidegate.core.identifiers import MessageId, UserId
from tidegate.core.search import excerpt
from tidegate.ports.conversations import Hit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

PAGE_CONVERSATIONS: Final = 100
PIECE_ROWS: Final = 500
PIECE_BYTES: Final = 4_000_000

_AGE = (conversations.c.updated_at_s, conversations.c.id)
_PLACE = (messages.c.created_at_s, messages.c.sequence)
_FIELDS = (messages.c.conversation, messages.c.id, messages.c.content)

_Rows = Sequence[Any]


class Search:
    """One search for `words` among what `owner` has, through one connection."""

    def __init__(self, connection: AsyncConnection, vault: UserKeyVault, owner: UserId, words: Sequence[str]) -> None:
        """Ask nothing yet."""
        self._connection = connection
        self._vault = vault
        self._owner = owner
        self._words = tuple(words)

    async def hits(self, limit: int) -> list[Hit]:
        """The first `limit` hits. Raises UnreadableContentError."""
        found: list[Hit] = []
        key: SealingKey | None = None
        after: Conversation | None = None
        while len(found) < limit and (rows := await self._page(after)):
            key = key or await self._vault.key(self._owner)
            page, hits = await asyncio.to_thread(self._in_titles, rows, key)
            sizes = await self._sizes([one for one in page if one.id not in hits])
            for pack in _packs(page, sizes):
                hits |= await self._in_messages([one for one in pack if one.id in sizes], key)
                found += [hits[one.id] for one in pack if one.id in hits]
                if len(found) >= limit:
                    break
            after = page[-1]
        return found[:limit]

    async def _page(self, after: Conversation | None) -> _Rows:
        query = select(conversations).where(conversations.c.owner == self._owner)
        if after is not None:
            query = query.where(tuple_(*_AGE) < (after.updated_at_s, after.id))
        newest_first = query.order_by(*(column.desc() for column in _AGE))
        return (await self._connection.execute(newest_first.limit(PAGE_CONVERSATIONS))).all()

    async def _sizes(self, asked: Sequence[Conversation]) -> dict[str, tuple[int, int]]:
        """Those of `asked` that have messages: how many, and their length in bytes."""
        if not asked:
            return {}
        length_bytes = func.sum(func.length(messages.c.content))
        query = select(messages.c.conversation, func.count(), length_bytes).where(self._is_of(asked))
        rows = await self._connection.execute(query.group_by(messages.c.conversation))
        return {conversation_id: (count, int(size_bytes)) for conversation_id, count, size_bytes in rows}

    async def _in_messages(self, asked: Sequence[Conversation], key: SealingKey) -> dict[str, Hit]:
        by_id: dict[str, Conversation] = {one.id: one for one in asked}
        hits: dict[str, Hit] = {}
        async with aclosing(self._pieces(asked)) as pieces:
            async for rows in pieces:
                hits = await asyncio.to_thread(self._in_contents, rows, key, by_id) | hits
                if len(hits) == len(asked):
                    break
        return hits

    async def _pieces(self, asked: Sequence[Conversation]) -> AsyncGenerator[_Rows]:
        """The messages of `asked`, newest first."""
        if len(asked) > 1:
            yield (await self._connection.execute(self._newest_first(asked, *_FIELDS))).all()
            return
        place: Sequence[Any] | None = None
        is_last = not asked
        while not is_last:
            # Lengths are read from the rows' heads alone: whoever keeps long messages costs time, not memory.
            query = self._newest_first(asked, func.length(messages.c.content), before=place)
            lengths = (await self._connection.scalars(query.limit(PIECE_ROWS))).all()
            is_last = len(lengths) < PIECE_ROWS
            for rows_at_once in _fitting(lengths):
                query = self._newest_first(asked, *_FIELDS, *_PLACE, before=place)
                rows = (await self._connection.execute(query.limit(rows_at_once))).all()
                if not rows:  # deleted meanwhile, on PostgreSQL
                    return
                yield rows
                place = rows[-1][len(_FIELDS) :]

    def _newest_first(
        self, asked: Sequence[Conversation], *columns: ColumnElement[Any], before: Sequence[Any] | None = None
    ) -> Select[*tuple[Any, ...]]:
        query = select(*columns).where(self._is_of(asked)).order_by(*(column.desc() for column in _PLACE))
        return query if before is None else query.where(tuple_(*_PLACE) < tuple(before))

    def _is_of(self, asked: Sequence[Conversation]) -> ColumnElement[bool]:
        is_one_of = (
            # Said plainly, so that the index leads to the place where the last piece ended.
            messages.c.conversation == asked[0].id
            if len(asked) == 1
            else messages.c.conversation.in_([one.id for one in asked])
        )
        return and_(messages.c.owner == self._owner, is_one_of)

    def _in_titles(self, rows: _Rows, key: SealingKey) -> tuple[list[Conversation], dict[str, Hit]]:
        page = [conversation_of(row, key) for row in rows]
        hits: dict[str, Hit] = {}
        for one in page:
            shown = excerpt(one.title, self._words)
            if shown is not None:
                hits[one.id] = Hit(conversation=one, message=None, excerpt=shown)
        return page, hits

    def _in_contents(self, rows: _Rows, key: SealingKey, by_id: Mapping[str, Conversation]) -> dict[str, Hit]:
        hits: dict[str, Hit] = {}
        for conversation_id, message_id, sealed, *_ in rows:
            if conversation_id in hits:
                continue
            content = key.unseal(sealed, *text_of(self._owner, conversation_id, message_id, "content")).decode()
            shown = excerpt(content, self._words)
            if shown is not None:
                hits[conversation_id] = Hit(
                    conversation=by_id[conversation_id], message=MessageId(message_id), excerpt=shown
                )
        return hits


def _packs(page: Sequence[Conversation], sizes: Mapping[str, tuple[int, int]]) -> Iterator[list[Conversation]]:
    """Neighbours whose messages are read together."""
    pack: list[Conversation] = []
    rows = size_bytes = 0
    for one in page:
        its_rows, its_bytes = sizes.get(one.id, (0, 0))
        if pack and (rows + its_rows > PIECE_ROWS or size_bytes + its_bytes > PIECE_BYTES):
            yield pack
            pack, rows, size_bytes = [], 0, 0
        pack.append(one)
        rows += its_rows
        size_bytes += its_bytes
    yield pack


def _fitting(lengths: Sequence[int]) -> Iterator[int]:
    """How many messages to read at once, of messages as long as `lengths`."""
    rows = size_bytes = 0
    for length in lengths:
        if rows and size_bytes + length > PIECE_BYTES:
            yield rows
            rows = size_bytes = 0
        rows += 1
        size_bytes += length
    if rows:
        yield rows
