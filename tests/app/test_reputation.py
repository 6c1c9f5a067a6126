"""What a service knows of accounts can be written beside it, while it runs, and is kept when it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from tests.storage import KEK, a_user
from tidegate.adapters.sql.callers import open_callers
from tidegate.adapters.sql.store import open_store
from tidegate.app.background import Background
from tidegate.app.reputation import caller_reputation, kept, standings_beside
from tidegate.config import Settings
from tidegate.core.identifiers import UserId
from tidegate.core.standing.history import History
from tidegate.core.standing.record import Record
from tidegate.services.proven import Proven, Recall


async def test_what_is_written_beside_a_service_is_what_it_reads_of_whom_it_has_not_met(tmp_path: Path) -> None:
    ada = a_user()
    known = msgspec.structs.replace(Record.of(ada), is_verified=True, history=History(days=12.0, peak=2.0))
    urls = [f"sqlite:///{tmp_path / name}" for name in ("tidegate.db", "user-keys.db")]
    async with open_store(urls[0], urls[1], KEK) as store:
        await store.accounts.add_user(ada, None)
        async with standings_beside(tmp_path) as beside:
            await beside.save([known])

        assert await store.standings.find([ada.id]) == [known]


async def test_a_caller_who_is_just_being_looked_for_is_known_after_the_end(tmp_path: Path) -> None:
    """However long the store takes to say that it has never heard of them."""
    ana, answers = UserId.of(b"a" * 16), asyncio.Event()
    async with open_callers(f"sqlite:///{tmp_path / 'callers.db'}", half_life_days=30.0) as store:
        known, background = caller_reputation(Settings(), store), Background()

        async def find(principal: UserId) -> Record | None:
            await answers.wait()
            return await known.find(principal)

        proven = Proven(known.register, lambda: 0.0, lambda: False, Recall(find, background.later))
        async with kept(known, background):
            proven.accepted(ana, None)
            asyncio.get_running_loop().call_soon(answers.set)
        assert [record.principal for record in await store.find([ana])] == [ana]
