"""What every IssuedKeyStore promises."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.adapters.sql.callers import CallerStore, open_callers
from tidegate.core.callers import IssuedKey
from tidegate.core.identifiers import UserId
from tidegate.core.standing.record import Record
from tidegate.testing.standing import MemoryCallerStore

Store = CallerStore | MemoryCallerStore


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryCallerStore()
        return
    # Room for one caller: keys have a place of their own.
    async with open_callers(f"sqlite:///{tmp_path / 'callers.db'}", most=1) as opened:
        yield opened


def _key(principal: UserId | None = None, name: str = "") -> IssuedKey:
    return IssuedKey(
        digest=os.urandom(32), principal=principal or UserId.of(os.urandom(8)), name=name, issued_at_s=1_700_000_000.5
    )


async def test_a_key_counts_from_when_it_was_issued(store: Store) -> None:
    key, other = _key(name="Bücher & [bold]"), _key()
    assert await store.issued(key.digest) is None

    await store.issue(key)

    assert await store.issued(key.digest) == key
    assert await store.issued(other.digest) is None


async def test_the_keys_of_several_callers_are_found_at_once(store: Store) -> None:
    keys = [_key() for _ in range(3)]
    for key in keys:
        await store.issue(key)

    found = await store.issued_to([keys[0].principal, keys[2].principal, UserId.of(b"nobody  ")])

    assert sorted(found, key=lambda key: key.digest) == sorted([keys[0], keys[2]], key=lambda key: key.digest)
    assert await store.issued_to([]) == []


async def test_revoking_ends_all_keys_of_a_caller_and_of_nobody_else(store: Store) -> None:
    ana = UserId.of(b"ana-ana-")
    first, second, other = _key(ana), _key(ana), _key()
    for key in (first, second, other):
        await store.issue(key)
    await store.save([Record.of_caller(ana, 1.0)])

    assert sorted(await store.revoke(ana)) == sorted([first.digest, second.digest])

    assert await store.revoke(ana) == []
    assert [await store.issued(key.digest) for key in (first, second, other)] == [None, None, other]
    assert await store.find([ana]) == []


async def test_revoking_who_never_had_a_key_forgets_nothing(store: Store) -> None:
    """A caller who is known by a key of the server behind stays known."""
    known = Record.of_caller(UserId.of(b"known   "), 1.0)
    await store.save([known])

    assert await store.revoke(known.principal) == []

    assert await store.find([known.principal]) == [known]


async def test_a_key_outlasts_what_is_known_of_its_caller(store: Store) -> None:
    """Callers are forgotten when there are too many; nobody is locked out by that."""
    key = _key()
    await store.issue(key)
    await store.save([Record.of_caller(key.principal, 1.0)])
    await store.save([Record.of_caller(UserId.of(os.urandom(8)), 2.0 + number) for number in range(3)])

    assert await store.issued(key.digest) == key
