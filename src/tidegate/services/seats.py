"""Where answers of the web chat are written: one seat in each conversation."""

from __future__ import annotations

import asyncio

from tidegate.core.identifiers import ConversationId, UserId
from tidegate.services.writing import Wish, Writing


class Seat:
    """One conversation in which an answer is written, or soon will be (then `writing` is None)."""

    def __init__(self) -> None:
        """Nobody has entered the line for it."""
        self.ticket: int | None = None
        self.wish = Wish()
        self.writing: Writing | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_over = asyncio.Event()


class Seats:
    """All that are taken, by account. An account without any is not remembered."""

    def __init__(self) -> None:
        """None is."""
        self._by_owner: dict[UserId, dict[ConversationId, Seat]] = {}

    def __len__(self) -> int:
        """How many accounts have one."""
        return len(self._by_owner)

    def __contains__(self, owner: UserId) -> bool:
        """Whether the account has one."""
        return owner in self._by_owner

    def get(self, owner: UserId, conversation_id: ConversationId) -> Seat | None:
        """The conversation's, if it is taken."""
        return self._by_owner.get(owner, {}).get(conversation_id)

    def of(self, owner: UserId) -> dict[ConversationId, Seat]:
        """All of an account, at this moment."""
        return dict(self._by_owner.get(owner, {}))

    def take(self, owner: UserId, conversation_id: ConversationId) -> Seat:
        """Take one that is free."""
        seat = Seat()
        self._by_owner.setdefault(owner, {})[conversation_id] = seat
        return seat

    def free(self, owner: UserId, conversation_id: ConversationId) -> None:
        """Give one back, and tell whoever waits for that."""
        seats = self._by_owner[owner]
        seat = seats.pop(conversation_id)
        if not seats:
            del self._by_owner[owner]
        seat.is_over.set()
