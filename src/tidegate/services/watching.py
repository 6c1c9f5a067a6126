"""Tells an account's open pages what happens in it.

Each page has a queue with a bound: one that does not keep up is let go, and
loads anew what it missed. What is told is encoded once, for all pages. A page
too many takes the place of the oldest: lines that vanished without a word
would otherwise lock their owner out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from typing import Final, Self

from tidegate.core.identifiers import SessionId, UserId
from tidegate.services.happenings import Happening, Superseded

MOST_STREAMS: Final = 8
"""Pages of one account that are told at a time."""

MOST_UNREAD: Final = 1024
"""Pieces that a page may be behind: at a hundred a second, ten seconds."""

MOST_UNREAD_BYTES: Final = 1 << 20
"""Bytes that a page may be behind; one that has read all before is told the next whatever its size."""


class Watch:
    """What one page is told, in order. Iterate it; `close` it when the page is gone."""

    def __init__(self, owner: UserId, session: SessionId, on_close: Callable[[Watch], None]) -> None:
        """Use `Watchers.open`."""
        self.owner = owner
        self.session = session
        self._on_close = on_close
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        self._is_over = False
        self._news = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        # May be cancelled while it waits: nothing is lost.
        while not self._unread:
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        told = self._unread.popleft()
        self._unread_bytes -= len(told)
        return told

    def put(self, told: bytes) -> None:
        """Tell it, or let go of a page that is too far behind."""
        is_too_much = self._unread_bytes + len(told) > MOST_UNREAD_BYTES
        if len(self._unread) >= MOST_UNREAD or (self._unread and is_too_much):
            self.close()
            return
        self._unread.append(told)
        self._unread_bytes += len(told)
        self._news.set()

    def finish(self) -> None:
        """End it after what was told already."""
        self._is_over = True
        self._news.set()
        self._on_close(self)

    def close(self, last: bytes = b"") -> None:
        """End it at once, without what was not read yet, but for the `last` thing. More than once does no harm."""
        self._unread.clear()
        self._unread_bytes = 0
        if last:
            self.put(last)
        self.finish()


class Watchers:
    """All open pages, by account. An account without any is not remembered."""

    def __init__(self, encode: Callable[[Happening], bytes], on_last_left: Callable[[UserId], None]) -> None:
        """`on_last_left` is told of an account whose last page was closed."""
        self._encode = encode
        self._on_last_left = on_last_left
        # The oldest first; a dict, as a set keeps no order.
        self._by_owner: dict[UserId, dict[Watch, None]] = {}

    @property
    def owners(self) -> list[UserId]:
        """The accounts with an open page."""
        return list(self._by_owner)

    def is_watched(self, owner: UserId) -> bool:
        """Whether the account has an open page."""
        return owner in self._by_owner

    def open(self, owner: UserId, session: SessionId) -> Watch:
        """Begin to tell one more page. One too many is told instead of the oldest."""
        watch = Watch(owner, session, self._forget)
        pages = self._by_owner.setdefault(owner, {})
        pages[watch] = None
        if len(pages) > MOST_STREAMS:
            next(iter(pages)).close(self._encode(Superseded()))
        return watch

    def tell(self, owner: UserId, happening: Happening) -> None:
        """Tell all pages of an account."""
        pages = self._by_owner.get(owner)
        if not pages:
            return
        told = self._encode(happening)
        for watch in list(pages):
            watch.put(told)

    def hang_up(self, sessions: Collection[SessionId]) -> None:
        """End the pages of these sessions at once."""
        for pages in list(self._by_owner.values()):
            for watch in [watch for watch in pages if watch.session in sessions]:
                watch.close()

    def finish(self, owner: UserId) -> None:
        """End all pages of an account, after what they were told already."""
        for watch in list(self._by_owner.get(owner, ())):
            watch.finish()

    def _forget(self, watch: Watch) -> None:
        pages = self._by_owner.get(watch.owner)
        if pages is None or watch not in pages:
            return
        del pages[watch]
        if not pages:
            del self._by_owner[watch.owner]
            self._on_last_left(watch.owner)
