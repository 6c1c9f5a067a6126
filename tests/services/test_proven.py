"""A caller of the gate who is served before it is known who they are is counted all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.proven import Proven, Recall
from tidegate.services.reputation import Reputation
from tidegate.testing.standing import MemoryCallerStore

NOW = 1_795_000_000.0
NEW, KEPT = UserId.of(b"new-new-"), UserId.of(b"keptkept")


async def test_a_first_answer_that_is_over_before_its_caller_was_looked_for_counts() -> None:
    store = MemoryCallerStore()
    await store.save([Record.of_caller(KEPT, 5.0)])
    known = Reputation(store, Register(StandingPlan(), 10), lambda: NOW)
    works: list[Coroutine[Any, Any, None]] = []
    proven = Proven(known.register, lambda: NOW, lambda: False, Recall(known.find, works.append))

    for principal in (NEW, KEPT):
        proven.accepted(principal, None)
        proven.served(principal, 40.0, 1)
        proven.served(principal, 30.0, 3)
    await asyncio.gather(*works)
    proven.served(NEW, 1.0, 1)

    for principal, tokens in ((NEW, 71.0), (KEPT, 70.0)):
        record = known.register.record(principal)
        assert record is not None
        assert (record.history.days, record.history.tokens) == (1.0, tokens), "a served day has 64 tokens"
    kept = known.register.record(KEPT)
    assert kept is not None
    assert kept.created_at_s == 5.0


async def test_while_the_store_is_away_nothing_is_kept_of_whom_nobody_knows() -> None:
    async def away(_: UserId) -> Record | None:
        raise StorageUnavailableError

    works: list[Coroutine[Any, Any, None]] = []
    proven = Proven(Register(StandingPlan(), 10), lambda: NOW, lambda: False, Recall(away, works.append))
    proven.accepted(NEW, None)
    proven.served(NEW, 100.0, 1)
    await works[0]
    proven.served(NEW, 100.0, 1)

    assert proven.register.record(NEW) is None
