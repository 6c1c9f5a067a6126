"""What every QuotaStore promises."""

from __future__ import annotations

import os

import pytest

from tests.storage import a_user
from tidegate.core.accounts import User
from tidegate.core.identifiers import KeyId, UserId
from tidegate.core.quotas.budget import MOST_TOKENS, Budget, Kept, Used
from tidegate.core.quotas.windows import Window
from tidegate.ports.accounts import AccountStore
from tidegate.ports.quotas import QuotaStore

SMALL = Budget(per_minute=0, per_day=5)
LARGE = Budget(per_minute=MOST_TOKENS, per_hour=MOST_TOKENS, per_day=MOST_TOKENS, per_month=MOST_TOKENS)


async def _added(accounts: AccountStore) -> User:
    user = a_user()
    await accounts.add_user(user, None)
    return user


def _used(payer: str, tokens: int) -> Kept:
    use = {window: Used(20_000 + place, tokens + place) for place, window in enumerate(Window)}
    return Kept(payer=payer, use=use)


async def test_of_whom_nothing_was_kept_there_are_no_limits_and_no_use(quotas: QuotaStore) -> None:
    """Also of payers that nobody has ever heard of."""
    assert await quotas.find(["one", "two"]) == [Kept(payer="one"), Kept(payer="two")]
    assert await quotas.find([]) == []


@pytest.mark.parametrize("budget", [SMALL, LARGE, Budget()], ids=["small", "largest", "none"])
async def test_limits_come_back_as_they_were_set(accounts: AccountStore, quotas: QuotaStore, budget: Budget) -> None:
    """The last ones that were set; no limit and none of one's own are two things."""
    user = await _added(accounts)
    for limits in (LARGE, budget):
        await quotas.allow(user.id, user.id, limits)

    (found,) = await quotas.find([user.id])

    assert found == Kept(payer=user.id, budget=budget)


async def test_use_and_limits_do_not_touch_each_other(accounts: AccountStore, quotas: QuotaStore) -> None:
    """Whichever was written first, and of a user and their key alike."""
    user, key = await _added(accounts), KeyId.of(os.urandom(8))
    await quotas.allow(user.id, user.id, SMALL)
    await quotas.save([(user.id, _used(user.id, MOST_TOKENS)), (user.id, _used(key, 3))])
    await quotas.allow(user.id, key, LARGE)
    await quotas.save([(user.id, _used(user.id, 9))])

    found = await quotas.find([key, "nobody", user.id])

    assert [one.payer for one in found] == [key, "nobody", user.id]
    assert [one.budget for one in found] == [LARGE, Budget(), SMALL]
    assert [one.use for one in found] == [_used(key, 3).use, Kept(payer="nobody").use, _used(user.id, 9).use]


async def test_nothing_is_kept_for_owners_that_are_gone(accounts: AccountStore, quotas: QuotaStore) -> None:
    """Their use is let go of without a word; limits are refused."""
    user, nobody = await _added(accounts), UserId.of(os.urandom(8))

    await quotas.save([(nobody, _used(nobody, 3)), (user.id, _used(user.id, 4))])
    with pytest.raises(LookupError):
        await quotas.allow(nobody, nobody, SMALL)

    assert await quotas.find([nobody]) == [Kept(payer=nobody)]
    assert (await quotas.find([user.id]))[0].use == _used(user.id, 4).use


async def test_more_are_saved_and_found_than_one_statement_takes(accounts: AccountStore, quotas: QuotaStore) -> None:
    """A flush after a busy time writes all of them."""
    user = await _added(accounts)
    many = [_used(f"key_{number:016x}", number) for number in range(1100)]

    await quotas.save([(user.id, one) for one in many])
    await quotas.save([])

    assert await quotas.find([one.payer for one in many]) == many
