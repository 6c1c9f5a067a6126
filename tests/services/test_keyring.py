"""A key in use costs the store no query a request, and a revoked one is forgotten at once."""

from __future__ import annotations

import asyncio

import pytest

from tidegate.core.accounts import ApiKey, Role, Scope, User
from tidegate.core.identifiers import KeyId, UserId
from tidegate.services import keyring as keyrings
from tidegate.services.keyring import LIFETIME_S, USE_GRAIN_S, Keyring
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock

ANA = UserId.of(b"ana-ana-")


def _key(number: int) -> tuple[ApiKey, bytes]:
    name = number.to_bytes(8, "big")
    key = ApiKey(id=KeyId.of(name), owner=ANA, name="", label="tg_live_...", scopes=frozenset(Scope), created_at_s=1.0)
    return key, name * 4


@pytest.fixture
async def store() -> MemoryAccountStore:
    store = MemoryAccountStore()
    user = User(id=ANA, email="ana@example.org", role=Role.USER, created_at_s=1.0, member_since_s=1.0)
    await store.add_user(user, None)
    for number in range(4):
        await store.add_key(ANA, *_key(number))
    store.calls.clear()
    return store


async def test_a_key_in_use_is_asked_for_once_in_a_while(store: MemoryAccountStore) -> None:
    clock = HandClock()
    ring = Keyring(store, clock)
    key, digest = _key(0)

    for _ in range(10):
        found = await ring.live_key(ANA, digest)
        assert found is not None
        assert found[1].id == key.id
    assert store.calls["live_key"] == 1

    clock.advance(LIFETIME_S)
    await ring.live_key(ANA, digest)
    assert store.calls["live_key"] == 2


async def test_a_revoked_key_is_not_found_again_and_other_keys_are(store: MemoryAccountStore) -> None:
    ring = Keyring(store, HandClock())
    (key, digest), (_, other) = _key(0), _key(1)
    await ring.live_key(ANA, digest)

    await store.revoke_key(ANA, key.id, 2.0)
    ring.forget(ANA)

    assert await ring.live_key(ANA, digest) is None
    assert await ring.live_key(ANA, other) is not None


async def test_a_key_that_was_read_while_it_was_being_revoked_is_not_remembered(store: MemoryAccountStore) -> None:
    key, digest = _key(0)
    reading, revoked = asyncio.Event(), asyncio.Event()

    class Slow(MemoryAccountStore):
        async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
            found = await store.live_key(owner, digest)
            reading.set()
            await revoked.wait()
            return found

    ring = Keyring(Slow(), HandClock())
    asking = asyncio.ensure_future(ring.live_key(ANA, digest))
    await reading.wait()
    await store.revoke_key(ANA, key.id, 2.0)
    ring.forget(ANA)
    revoked.set()

    assert await asking is not None, "it was live when it was read"
    assert await ring.live_key(ANA, digest) is None


async def test_a_key_is_remembered_for_its_owner_only(store: MemoryAccountStore) -> None:
    ring = Keyring(store, HandClock())
    _, digest = _key(0)
    await ring.live_key(ANA, digest)

    assert await ring.live_key(UserId.of(b"eve-eve-"), digest) is None


async def test_no_more_is_remembered_than_there_is_room_for(
    store: MemoryAccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrings, "CAPACITY", 2)
    ring = Keyring(store, HandClock())
    for number in (0, 1, 0, 2):
        await ring.live_key(ANA, _key(number)[1])
    store.calls.clear()

    await ring.live_key(ANA, _key(0)[1])
    assert store.calls["live_key"] == 0, "the one that was used again was given up"
    await ring.live_key(ANA, _key(1)[1])
    assert store.calls["live_key"] == 1


async def test_the_last_use_is_written_to_the_minute(store: MemoryAccountStore) -> None:
    ring = Keyring(store, HandClock())
    key, digest = _key(0)
    assert ring.use(digest, 1000.0) is None, "a key that was never found cannot be used"
    await ring.live_key(ANA, digest)

    for now in (1000.0, 1000.0 + USE_GRAIN_S - 1, 1000.0 + USE_GRAIN_S):
        noting = ring.use(digest, now)
        if noting is not None:
            await noting

    assert store.calls["note_key_use"] == 2
    kept = {found.id: found.last_used_at_s for found in await store.keys(ANA)}
    assert kept[key.id] == 1000.0 + USE_GRAIN_S
