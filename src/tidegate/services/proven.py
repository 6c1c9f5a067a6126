"""The callers of `tidegate gate`: principals without accounts, known by what they were served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record
from tidegate.core.standing.register import Register, usual_in_flight
from tidegate.ports.storage import StorageUnavailableError


class Recall(msgspec.Struct, frozen=True):
    """Where callers are kept whom the register has forgotten: `find` reads one, `later` runs what nobody waits for."""

    find: Callable[[UserId], Awaitable[Record | None]]
    later: Callable[[Coroutine[Any, Any, None]], None]


class Whose(msgspec.Struct, frozen=True):
    """Whose counters a request is charged to: how well they are known, with whom, and how many they usually have in."""

    standing: Standing
    cohort: str
    usual_in_flight: int
    owner: str


class Proven:
    """Keeps callers in a register. `clock` tells Unix seconds; `is_flooded` whether strangers press at the door."""

    def __init__(
        self,
        register: Register,
        clock: Callable[[], float],
        is_flooded: Callable[[], bool],
        recall: Recall | None = None,
        alive: Callable[[bytes], None] = lambda _digest: None,
    ) -> None:
        """Whoever the register knows has proved themselves. Without `recall` nobody else was ever known.

        `alive` hears of the digest of every key that was accepted.
        """
        self.register = register
        self._clock = clock
        self._is_flooded = is_flooded
        self._recall = recall
        self._alive = alive
        self._asked: dict[UserId, tuple[float, int]] = {}

    def is_known(self, principal: UserId) -> bool:
        """Whether the server behind has ever accepted this key, as far as is remembered."""
        return self.register.record(principal) is not None

    def standing(self, principal: UserId) -> Standing:
        """How well a caller is known: a visitor until the server behind has accepted the key."""
        if self.register.record(principal) is None:
            return Standing.VISITOR
        return self.register.standing(principal, self._clock())

    def whose(self, principal: UserId) -> Whose | None:
        """What is known of a caller, for one request more; None of whom no key was ever accepted."""
        record = self.register.record(principal)
        if record is None:
            return None
        standing = self.register.standing(principal, self._clock())
        return Whose(standing, record.cohort, usual_in_flight(record), principal)

    def accepted(self, principal: UserId, net: Fingerprint | None) -> None:
        """The server behind has accepted a key."""
        self._alive(principal.entropy)
        if self.register.record(principal) is not None or principal in self._asked:
            return
        record = Record.of_caller(principal, self._clock(), net)
        record = msgspec.structs.replace(record, is_born_in_flood=self._is_flooded())
        if self._recall is None:
            self.register.change(record)
        else:
            self._asked[principal] = (0.0, 0)
            self._recall.later(self._meet(record, self._recall))

    def served(self, principal: UserId, cost_tokens: float, in_flight: int) -> None:
        """Count a request that was served; also of a caller who is just being looked for in the store.

        A short answer in one piece is over before that, and would be missing from what is known of its caller.
        """
        waiting = self._asked.get(principal)
        if waiting is None:
            self.register.served(principal, cost_tokens, in_flight, self._clock())
        else:
            self._asked[principal] = (waiting[0] + cost_tokens, max(waiting[1], in_flight))

    async def _meet(self, record: Record, recall: Recall) -> None:
        """Remember a caller as they are kept, or else as new: one that was only forgotten loses nothing by it."""
        try:
            if await recall.find(record.principal) is None:
                self.register.change(record)
        except StorageUnavailableError:
            return  # Asked again with their next request; until then they are a visitor.
        finally:
            cost_tokens, in_flight = self._asked.pop(record.principal)
            if in_flight:
                self.served(record.principal, cost_tokens, in_flight)
