"""Every storage contract runs on memory, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.storage import KEK, emptied, postgres_server
from tidegate.adapters.sql.store import open_store
from tidegate.ports.accounts import AccountStore
from tidegate.ports.conversations import ConversationStore
from tidegate.ports.invitations import InvitationStore, JoinRequestStore
from tidegate.ports.quotas import QuotaStore
from tidegate.ports.standing import StandingStore
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.conversations import MemoryConversationStore
from tidegate.testing.invitations import MemoryInvitationStore, MemoryJoinRequestStore
from tidegate.testing.quotas import MemoryQuotaStore
from tidegate.testing.standing import MemoryStandingStore

__all__ = ["postgres_server"]


class Stores(NamedTuple):
    """One implementation of all ports."""

    accounts: AccountStore
    conversations: ConversationStore
    standings: StandingStore
    quotas: QuotaStore
    invitations: InvitationStore
    join_requests: JoinRequestStore


@pytest.fixture
def quota_bytes() -> int:
    """What an account may keep; a test that is about it says how much."""
    return 256_000_000


KINDS: Final = ("memory", "sqlite", pytest.param("postgres", marks=pytest.mark.integration))


@asynccontextmanager
async def opened(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, quota_bytes: int = 256_000_000
) -> AsyncIterator[Stores]:
    """Open all ports of one kind, empty."""
    if kind == "memory":
        accounts = MemoryAccountStore()
        conversations = MemoryConversationStore(accounts, quota_bytes=quota_bytes)
        invitations = MemoryInvitationStore(accounts)
        yield Stores(
            accounts,
            conversations,
            MemoryStandingStore(accounts),
            MemoryQuotaStore(accounts),
            invitations,
            MemoryJoinRequestStore(accounts, invitations),
        )
        return
    if kind == "sqlite":
        urls = [f"sqlite:///{tmp_path / name}" for name in ("tidegate.db", "user-keys.db")]
    else:
        # One database for both, as a small installation would have it.
        urls = [await emptied(request.getfixturevalue("postgres_server"))] * 2
    async with open_store(urls[0], urls[1], KEK, quota_bytes=quota_bytes) as store:
        yield Stores(
            store.accounts,
            store.conversations,
            store.standings,
            store.quotas,
            store.invitations,
            store.join_requests,
        )


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path, quota_bytes: int) -> AsyncIterator[Stores]:
    async with opened(request.param, request, tmp_path, quota_bytes) as found:
        yield found


@pytest.fixture
def accounts(stores: Stores) -> AccountStore:
    return stores.accounts


@pytest.fixture
def conversations(stores: Stores) -> ConversationStore:
    return stores.conversations


@pytest.fixture
def standings(stores: Stores) -> StandingStore:
    return stores.standings


@pytest.fixture
def quotas(stores: Stores) -> QuotaStore:
    return stores.quotas


@pytest.fixture
def invitations(stores: Stores) -> InvitationStore:
    return stores.invitations


@pytest.fixture
def join_requests(stores: Stores) -> JoinRequestStore:
    return stores.join_requests
