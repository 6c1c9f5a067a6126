"""Who is calling is known by the key alone, and a forgery costs no storage."""

from __future__ import annotations

import random
import time
from zlib import crc32

import msgspec
import pytest

from tidegate.core.accounts import ApiKey, Role, Scope, User
from tidegate.core.credentials import Kind, ServerKeys, digest, issue, label
from tidegate.core.identifiers import KeyId, UserId
from tidegate.services.authenticate import Caller, Forbidden, Unknown, authenticate
from tidegate.testing.accounts import MemoryAccountStore

KEYS = ServerKeys(1, {1: b"k" * 32})
ANA = User(id=UserId.of(b"\1" * 8), email="ana@example.org", role=Role.USER, created_at_s=100.0, member_since_s=100.0)


async def _issued(
    store: MemoryAccountStore, scopes: frozenset[Scope] = frozenset(Scope), entropy: bytes = b"e" * 16
) -> tuple[str, ApiKey]:
    if await store.user(ANA.id) is None:
        await store.add_user(ANA, None)
    text = issue(Kind.API_KEY, ANA.id, KEYS, now=1e9, entropy=entropy)
    key = ApiKey(id=KeyId.of(entropy), owner=ANA.id, name="", label=label(text), scopes=scopes, created_at_s=1e9)
    await store.add_key(ANA.id, key, digest(text))
    store.calls.clear()
    return text, key


async def test_a_key_tells_its_owner() -> None:
    store = MemoryAccountStore()
    text, key = await _issued(store)

    assert await authenticate(text, Scope.CHAT, store, KEYS) == Caller(ANA, key)
    assert store.calls == {"live_key": 1}


async def test_a_key_does_what_its_scopes_allow_and_nothing_else() -> None:
    store = MemoryAccountStore()
    text, key = await _issued(store, frozenset({Scope.MODELS}))

    assert await authenticate(text, Scope.MODELS, store, KEYS) == Caller(ANA, key)
    assert await authenticate(text, Scope.CHAT, store, KEYS) == Forbidden(Caller(ANA, key), Scope.CHAT)


async def test_a_revoked_key_is_unknown_and_others_of_the_same_owner_go_on() -> None:
    store = MemoryAccountStore()
    text, key = await _issued(store)
    other_text, other = await _issued(store, entropy=b"f" * 16)

    await store.revoke_key(ANA.id, key.id, 2e9)

    assert await authenticate(text, Scope.CHAT, store, KEYS) == Unknown("revoked")
    assert await authenticate(other_text, Scope.CHAT, store, KEYS) == Caller(ANA, other)


async def test_a_genuine_credential_that_no_store_knows_is_unknown() -> None:
    text = issue(Kind.API_KEY, ANA.id, KEYS, now=1e9, entropy=b"e" * 16)

    assert await authenticate(text, Scope.CHAT, MemoryAccountStore(), KEYS) == Unknown("revoked")


async def test_a_session_is_no_api_key() -> None:
    store = MemoryAccountStore()
    text = issue(Kind.SESSION, ANA.id, KEYS, now=1e9, entropy=b"e" * 16)

    assert isinstance(await authenticate(text, Scope.CHAT, store, KEYS), Unknown)
    assert store.calls.total() == 0


@pytest.mark.parametrize(
    "text", ["", "sk-proj-0123", "tg_live_", "Bearer x", "tg_live_" + "0" * 79, "k\udc80y", "ключ"]
)
async def test_junk_never_reaches_storage(text: str) -> None:
    store = MemoryAccountStore()

    assert isinstance(await authenticate(text, Scope.CHAT, store, KEYS), Unknown)
    assert store.calls.total() == 0


async def _forge(store: MemoryAccountStore, times: int) -> None:
    """An attacker knows the format, the checksum, a real user and a real key of theirs; not the server's key."""
    text, _ = await _issued(store)
    dice = random.Random(7)
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    lows = [a + b for a in digits for b in digits]
    checks = [f"{a}{b}{c}" for a in digits for b in digits for c in digits]
    refused = Unknown("mac")
    head = text[:50]  # version, server key, user, time and some of the random bytes stay true
    for _ in range(times):
        noise = dice.getrandbits(192)
        stem = head + "".join([lows[(noise >> shift) % 1296] for shift in range(0, 192, 13)])[:30]
        check = crc32(stem.encode())
        forged = f"{stem}{digits[check // 36**6]}{checks[check // 46656 % 46656]}{checks[check % 46656]}"
        assert await authenticate(forged, Scope.CHAT, store, KEYS) == refused


async def test_forgeries_with_a_correct_checksum_never_reach_storage() -> None:
    store = MemoryAccountStore()

    await _forge(store, 2000)

    assert store.calls.total() == 0


@pytest.mark.slow
async def test_a_million_forgeries_never_reach_storage() -> None:
    store = MemoryAccountStore()
    began_at = time.perf_counter()

    await _forge(store, 1_000_000)

    assert store.calls.total() == 0
    assert time.perf_counter() - began_at < 200, "a forgery must cost microseconds, also on a busy machine"


async def test_the_store_is_asked_by_digest_and_never_sees_the_text() -> None:
    seen: list[object] = []

    class Watched(MemoryAccountStore):
        async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
            seen.extend((owner, digest))
            return await super().live_key(owner, digest)

    store = Watched()
    text, _ = await _issued(store)
    await authenticate(text, Scope.CHAT, store, KEYS)

    assert seen == [ANA.id, digest(text)]
    assert text.encode() not in msgspec.json.encode(seen, enc_hook=str)
