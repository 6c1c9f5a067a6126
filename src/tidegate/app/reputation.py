"""What is known of accounts, as the settings would have it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tidegate.adapters.sql.callers import CallerStore
from tidegate.adapters.sql.database import open_database
from tidegate.adapters.sql.standing import SqlStandingStore
from tidegate.adapters.sql.store import SqlStore
from tidegate.app.background import Background
from tidegate.config import Settings
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.standing import StandingStore
from tidegate.services.reputation import Reputation


def standing_plan(settings: Settings) -> StandingPlan:
    """How accounts come to be known."""
    return StandingPlan(**msgspec.structs.asdict(settings.standing))


def reputation(settings: Settings, store: SqlStore) -> Reputation:
    """Keep what is known of accounts in `store`. Nothing is read yet."""
    register = Register(standing_plan(settings), settings.gate.most_principals)
    return Reputation(store.standings, register, time.time)


def caller_reputation(settings: Settings, store: CallerStore) -> Reputation:
    """Keep what is known of a gate's callers in `store`. Nothing is read yet."""
    return Reputation(store, Register(standing_plan(settings), settings.gate.most_principals), time.time)


@asynccontextmanager
async def kept(known: Reputation, background: Background) -> AsyncIterator[None]:
    """Write at the end what is known by then, also of whom is just being looked for in the store."""
    try:
        yield
    finally:
        await background.finish()
        await known.flush()


@asynccontextmanager
async def standings_beside(data: Path) -> AsyncIterator[StandingStore]:
    """Open what a service with this data directory keeps of accounts, beside it while it runs.

    It has read what it knows of whom it has met: only for the others does it see what is written.
    """
    database = open_database(f"sqlite:///{data / 'tidegate.db'}")
    try:
        yield SqlStandingStore(database)
    finally:
        await database.close()
