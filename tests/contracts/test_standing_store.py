"""What every StandingStore promises."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from tests.storage import a_user
from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.history import MOST_DAYS, MOST_TOKENS, History
from tidegate.core.standing.record import Record
from tidegate.ports.accounts import AccountStore
from tidegate.ports.standing import StandingStore

NET = Fingerprint("0123456789abcdef")
FULL = History(
    days=7.1,
    last_day=20_411,
    counted_at_s=1_763_510_400.125,
    tokens=12_345.678,
    today_tokens=64.5,
    peak=2.75,
    today_peak=16,
)
LARGEST = History(
    days=MOST_DAYS,
    last_day=(1 << 31) - 1,
    counted_at_s=1e14,
    tokens=MOST_TOKENS,
    today_tokens=MOST_TOKENS,
    peak=65_536.0,
    today_peak=1 << 16,
)


async def _added(accounts: AccountStore, role: Role = Role.USER) -> User:
    user = msgspec.structs.replace(a_user(), role=role)
    await accounts.add_user(user, None)
    return user


def _served(user: User, days: float, counted_at_s: float = 1e9) -> Record:
    return msgspec.structs.replace(Record.of(user), history=History(days=days, counted_at_s=counted_at_s))


async def test_a_user_of_whom_nothing_was_saved_is_known_as_just_made(
    accounts: AccountStore, standings: StandingStore
) -> None:
    user = await _added(accounts)

    assert await standings.find([user.id]) == [Record.of(user)]


@pytest.mark.parametrize("history", [FULL, LARGEST, History()], ids=["full", "largest", "none"])
async def test_a_record_comes_back_as_it_was_saved(
    accounts: AccountStore, standings: StandingStore, history: History
) -> None:
    user = await _added(accounts)
    plain = Record.of(user, NET)
    every = msgspec.structs.replace(
        Record.of(user, NET, is_born_in_flood=True),
        is_verified=True,
        is_vouched=True,
        suspect_until_s=1_763_510_400.875,
        history=history,
    )
    for record in (every, plain, every):
        await standings.save([record])
        assert await standings.find([user.id]) == [record]


async def test_records_are_found_in_the_order_asked_and_strangers_left_out(
    accounts: AccountStore, standings: StandingStore
) -> None:
    ana, bo, cy = [await _added(accounts) for _ in range(3)]
    saved = _served(bo, 3.0)
    await standings.save([saved])
    nobody = UserId.of(os.urandom(8))

    assert await standings.find([cy.id, nobody, bo.id, ana.id]) == [Record.of(cy), saved, Record.of(ana)]
    assert await standings.find([nobody]) == []
    assert await standings.find([]) == []


async def test_role_and_dates_are_the_users_own(accounts: AccountStore, standings: StandingStore) -> None:
    """A record that was saved can make nobody an operator, nor older."""
    user = await _added(accounts)
    await standings.save(
        [msgspec.structs.replace(Record.of(user), role=Role.OPERATOR, created_at_s=1.0, member_since_s=1.0)]
    )

    (found,) = await standings.find([user.id])

    assert found == Record.of(user)


async def test_the_best_known_come_first_and_who_earned_nothing_not_at_all(
    accounts: AccountStore, standings: StandingStore
) -> None:
    few, many, late, vouched, born, stranger = [await _added(accounts) for _ in range(6)]
    served, unserved = [await _added(accounts, Role.OPERATOR) for _ in range(2)]
    records = [
        _served(few, 1.5),
        _served(many, 9.0),
        _served(late, 9.0, 2e9),
        msgspec.structs.replace(Record.of(vouched), is_vouched=True),
        Record.of(born, NET, is_born_in_flood=True),
        _served(served, 0.5),
    ]
    await standings.save(records)

    best = [record.principal for record in await standings.best_known(100)]

    assert best == [one.id for one in (served, unserved, vouched, late, many, few)]
    assert stranger.id not in best
    assert [record.principal for record in await standings.best_known(3)] == best[:3]
    assert (await standings.best_known(4))[2:] == [records[3], records[2]]


async def test_a_record_of_nobody_is_passed_over_and_the_others_are_kept(
    accounts: AccountStore, standings: StandingStore
) -> None:
    """An account may be deleted while what is known of it waits to be written."""
    user = await _added(accounts)

    await standings.save([_served(a_user(), 5.0), _served(user, 2.0), _served(a_user(), 5.0)])
    await standings.save([_served(a_user(), 5.0)])
    await standings.save([])

    assert await standings.best_known(9) == [_served(user, 2.0)]


async def test_of_one_account_twice_in_a_batch_the_last_counts(
    accounts: AccountStore, standings: StandingStore
) -> None:
    user = await _added(accounts)

    await standings.save([_served(user, 1.0), _served(user, 2.0)])

    assert await standings.find([user.id]) == [_served(user, 2.0)]


async def test_more_than_one_statement_holds_are_saved_and_found(
    accounts: AccountStore, standings: StandingStore
) -> None:
    users = [await _added(accounts) for _ in range(601)]
    records = [_served(user, 1.0 + number) for number, user in enumerate(users)]

    await standings.save(records)

    assert await standings.find([user.id for user in users]) == records
    assert [record.history.days for record in await standings.best_known(2)] == [601.0, 600.0]


async def test_writers_of_the_same_accounts_do_not_wait_for_each_other_for_ever(
    accounts: AccountStore, standings: StandingStore
) -> None:
    users = [await _added(accounts) for _ in range(20)]

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(
                standings.save([_served(user, float(turn)) for user in (users if turn % 2 else users[::-1])])
                for turn in range(1, 9)
            )
        )

    assert len({record.history.days for record in await standings.find([user.id for user in users])}) == 1
