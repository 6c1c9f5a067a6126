"""What a service knows of accounts can be written beside it, while it runs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.storage import KEK, a_user
from tidegate.adapters.sql.store import open_store
from tidegate.app.reputation import standings_beside
from tidegate.core.standing.history import History
from tidegate.core.standing.record import Record


async def test_what_is_written_beside_a_service_is_what_it_reads_of_whom_it_has_not_met(tmp_path: Path) -> None:
    ada = a_user()
    known = msgspec.structs.replace(Record.of(ada), is_verified=True, history=History(days=12.0, peak=2.0))
    urls = [f"sqlite:///{tmp_path / name}" for name in ("tidegate.db", "user-keys.db")]
    async with open_store(urls[0], urls[1], KEK) as store:
        await store.accounts.add_user(ada, None)
        async with standings_beside(tmp_path) as beside:
            await beside.save([known])

        assert await store.standings.find([ada.id]) == [known]
