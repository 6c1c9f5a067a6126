"""What operators give, and what they and the people see of it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import argon2
import pytest

from tests.budgets import a_quotas
from tests.reputation import a_reputation
from tidegate.core.credentials import ServerKeys
from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint
from tidegate.core.quotas.budget import MOST_TOKENS, Budget
from tidegate.core.quotas.ledger import Out
from tidegate.core.quotas.windows import Window
from tidegate.services.accounts import (
    Clerk,
    CreatedKey,
    CreateKey,
    CreateUser,
    KnownUser,
    ListUsers,
    NotFoundError,
    SetQuota,
)
from tidegate.services.allowances import Sheet
from tidegate.services.passwords import PasswordLane
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

ANA = "ana@example.org"


@pytest.fixture
def journal() -> RecordingJournal:
    return RecordingJournal()


@pytest.fixture
def clerk(journal: RecordingJournal) -> Iterator[Clerk]:
    store, clock = MemoryAccountStore(), HandClock()
    passwords = PasswordLane(hasher=argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    yield Clerk(
        accounts=store,
        server_keys=ServerKeys(1, {1: b"k" * 32}),
        journal=journal,
        fingerprint=lambda text: Fingerprint(sha256(text.encode()).hexdigest()[:16]),
        clock=clock,
        passwords=passwords,
        reputation=a_reputation(store, clock),
        quotas=a_quotas(store, clock, Budget(per_day=500, per_month=9000)),
    )
    passwords.close()


def limits(sheet: object) -> dict[Window, tuple[int, bool]]:
    """Each window's limit, and whether it is its payer's own."""
    assert isinstance(sheet, Sheet)
    return {window.window: (window.limit, window.is_own) for window in sheet.windows}


async def test_a_users_limits_are_changed_one_by_one_and_taken_back(clerk: Clerk, journal: RecordingJournal) -> None:
    """What is not named stays as it is; to look changes nothing and is not told."""
    await clerk.perform(CreateUser(email=ANA))

    first = await clerk.perform(SetQuota(email=ANA, limits={Window.DAY: 7, Window.MONTH: 0}))
    second = await clerk.perform(SetQuota(email=ANA, limits={Window.HOUR: 3, Window.DAY: None}))

    assert limits(first) == {
        Window.MINUTE: (0, False),
        Window.HOUR: (0, False),
        Window.DAY: (7, True),
        Window.MONTH: (0, True),
    }
    assert limits(second) == {**limits(first), Window.HOUR: (3, True), Window.DAY: (500, False)}
    assert await clerk.perform(SetQuota(email=ANA)) == second
    told = [event.event for event in journal.of(AccountChanged)]
    assert told == [Tag.ACCOUNT_CREATED, Tag.ACCOUNT_QUOTA_CHANGED, Tag.ACCOUNT_QUOTA_CHANGED]


async def test_a_key_may_be_made_with_limits_and_given_others(clerk: Clerk, journal: RecordingJournal) -> None:
    """Defaults are for accounts: a key has no limit that nobody gave it."""
    await clerk.perform(CreateUser(email=ANA))
    made = await clerk.perform(CreateKey(email=ANA, budget=Budget(per_day=50)))
    assert isinstance(made, CreatedKey)

    shown = await clerk.perform(SetQuota(email=ANA, key_id=made.key.id))
    changed = await clerk.perform(SetQuota(email=ANA, key_id=made.key.id, limits={Window.DAY: 60}))

    assert isinstance(changed, Sheet)
    assert (changed.email, changed.key) == (ANA, made.key.id)
    assert (limits(shown)[Window.DAY], limits(changed)[Window.DAY]) == ((50, True), (60, True))
    assert limits(changed)[Window.MONTH] == (0, False)
    assert [event.event for event in journal.of(AccountChanged)][-1] is Tag.KEY_QUOTA_CHANGED


@pytest.mark.parametrize("limit", [-1, MOST_TOKENS + 1])
async def test_a_limit_that_nobody_can_mean_is_refused_by_name(clerk: Clerk, limit: int) -> None:
    """Before anything is made or changed."""
    await clerk.perform(CreateUser(email=ANA))

    with pytest.raises(ValueError, match=r"^per_day: expected a number of tokens from 0 \(no limit\) to "):
        await clerk.perform(SetQuota(email=ANA, limits={Window.DAY: limit}))
    with pytest.raises(ValueError, match=r"^per_hour: "):
        await clerk.perform(CreateKey(email=ANA, budget=Budget(per_hour=limit)))

    user = (await clerk.accounts.users())[0]
    assert await clerk.accounts.keys(user.id) == []


async def test_only_who_is_there_has_limits(clerk: Clerk) -> None:
    """A key of somebody else's is as good as none."""
    await clerk.perform(CreateUser(email=ANA))
    await clerk.perform(CreateUser(email="bo@example.org"))
    key = (await clerk.create_key("bo@example.org")).key

    with pytest.raises(NotFoundError, match="cy@"):
        await clerk.perform(SetQuota(email="cy@example.org"))
    with pytest.raises(NotFoundError, match=f"{ANA} has no key {key.id}"):
        await clerk.perform(SetQuota(email=ANA, key_id=key.id))
    with pytest.raises(ValueError, match=r"^key: "):
        await clerk.perform(SetQuota(email=ANA, key_id="tg_live_0"))


async def test_operators_see_who_uses_how_much(clerk: Clerk) -> None:
    """Today and this month, of everybody."""
    ana, bo = await clerk.create_user(ANA), await clerk.create_user("bo@example.org")
    answer = clerk.quotas.reserve(await clerk.quotas.meet(bo), 40)
    assert isinstance(answer, Out)
    clerk.quotas.settle(answer.number, 40)

    users = await clerk.perform(ListUsers())

    assert isinstance(users, list)
    used = {user.id: (user.tokens_today, user.tokens_this_month) for user in users if isinstance(user, KnownUser)}
    assert used == {ana.id: (0, 0), bo.id: (40, 40)}
