"""What every StandingStore promises: of users, and of callers who have no account."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tests.contracts.conftest import KINDS, opened
from tests.storage import a_user
from tidegate.adapters.sql.callers import CallerStore, open_callers
from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.history import DAY_S, MOST_DAYS, MOST_TOKENS, History
from tidegate.core.standing.record import Record
from tidegate.ports.accounts import AccountStore
from tidegate.ports.standing import StandingStore
from tidegate.testing.standing import MemoryCallerStore

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


OF_CALLERS = ("memory-callers", "sqlite-callers")
Callers = MemoryCallerStore | CallerStore


class Town(NamedTuple):
    """A store, and how somebody comes to be there of whom nothing else is known."""

    standings: StandingStore
    add: Callable[[User], Awaitable[None]]


@pytest.fixture(params=[*KINDS, *OF_CALLERS])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    """Every store: of users, who have an account, and of callers, whose first record is all that there is."""
    if request.param in OF_CALLERS:
        async with _opened_callers(request.param, tmp_path) as store:
            yield Town(store, lambda user: store.save([Record.of(user)]))
    else:
        async with opened(request.param, request, tmp_path) as stores:
            yield Town(stores.standings, lambda user: stores.accounts.add_user(user, None))


@pytest.fixture(params=OF_CALLERS)
async def callers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callers]:
    async with _opened_callers(request.param, tmp_path) as store:
        yield store


@asynccontextmanager
async def _opened_callers(kind: str, tmp_path: Path) -> AsyncIterator[Callers]:
    if kind == "memory-callers":
        yield MemoryCallerStore()
        return
    async with open_callers(f"sqlite:///{tmp_path / 'callers.db'}") as store:
        yield store


async def _added(town: Town, role: Role = Role.USER) -> User:
    user = msgspec.structs.replace(a_user(), role=role)
    await town.add(user)
    return user


def _served(user: User, days: float, counted_at_s: float = 1e9) -> Record:
    return msgspec.structs.replace(Record.of(user), history=History(days=days, counted_at_s=counted_at_s))


async def test_a_user_of_whom_nothing_was_saved_is_known_as_just_made(
    accounts: AccountStore, standings: StandingStore
) -> None:
    user = a_user()
    await accounts.add_user(user, None)

    assert await standings.find([user.id]) == [Record.of(user)]


@pytest.mark.parametrize("history", [FULL, LARGEST, History()], ids=["full", "largest", "none"])
async def test_a_record_comes_back_as_it_was_saved(town: Town, history: History) -> None:
    user = await _added(town)
    plain = Record.of(user, NET)
    every = msgspec.structs.replace(
        Record.of(user, NET, is_born_in_flood=True),
        is_verified=True,
        is_vouched=True,
        suspect_until_s=1_763_510_400.875,
        history=history,
    )
    for record in (every, plain, every):
        await town.standings.save([record])
        assert await town.standings.find([user.id]) == [record]


async def test_records_are_found_in_the_order_asked_and_strangers_left_out(town: Town) -> None:
    ana, bo, cy = [await _added(town) for _ in range(3)]
    saved = _served(bo, 3.0)
    await town.standings.save([saved])
    nobody = UserId.of(os.urandom(8))

    assert await town.standings.find([cy.id, nobody, bo.id, ana.id]) == [Record.of(cy), saved, Record.of(ana)]
    assert await town.standings.find([nobody]) == []
    assert await town.standings.find([]) == []


async def test_role_and_dates_are_the_users_own(accounts: AccountStore, standings: StandingStore) -> None:
    """A record that was saved can make nobody an operator, nor older."""
    user = a_user()
    await accounts.add_user(user, None)
    await standings.save(
        [msgspec.structs.replace(Record.of(user), role=Role.OPERATOR, created_at_s=1.0, member_since_s=1.0)]
    )

    (found,) = await standings.find([user.id])

    assert found == Record.of(user)


async def test_the_best_known_come_first_and_who_earned_nothing_not_at_all(town: Town) -> None:
    few, many, late, vouched, born, stranger = [await _added(town) for _ in range(6)]
    served, unserved = [await _added(town, Role.OPERATOR) for _ in range(2)]
    records = [
        _served(few, 1.5),
        _served(many, 9.0),
        _served(late, 9.0, 2e9),
        msgspec.structs.replace(Record.of(vouched), is_vouched=True),
        Record.of(born, NET, is_born_in_flood=True),
        _served(served, 0.5),
    ]
    await town.standings.save(records)

    best = [record.principal for record in await town.standings.best_known(100)]

    assert best == [one.id for one in (served, unserved, vouched, late, many, few)]
    assert stranger.id not in best
    assert [record.principal for record in await town.standings.best_known(3)] == best[:3]
    assert (await town.standings.best_known(4))[2:] == [records[3], records[2]]


async def test_a_record_of_nobody_is_passed_over_and_the_others_are_kept(
    accounts: AccountStore, standings: StandingStore
) -> None:
    """An account may be deleted while what is known of it waits to be written."""
    user = a_user()
    await accounts.add_user(user, None)

    await standings.save([_served(a_user(), 5.0), _served(user, 2.0), _served(a_user(), 5.0)])
    await standings.save([_served(a_user(), 5.0)])
    await standings.save([])

    assert await standings.best_known(9) == [_served(user, 2.0)]


async def test_a_caller_is_known_by_being_saved_and_by_nothing_else(callers: Callers) -> None:
    """No account says what a caller is: role and dates are those of the record, also when they change."""
    unknown, user = UserId.of(os.urandom(8)), a_user()
    first = Record.of_caller(user.id, 100.5, NET)
    older = msgspec.structs.replace(first, role=Role.OPERATOR, created_at_s=1.5, member_since_s=-2.5, cohort=user.id)

    for record in (first, older):
        await callers.save([record])
        assert await callers.find([unknown, user.id]) == [record]


async def test_callers_are_listed_by_when_they_were_served_or_came_last(callers: Callers) -> None:
    counted, little, came, long_ago = [a_user(created_at_s=at_s) for at_s in (0.5, 1.0, 8 * DAY_S, 2.0)]
    records = [
        _served(counted, 1.0, 9 * DAY_S + 5.0),
        msgspec.structs.replace(Record.of(little), history=History(last_day=9, today_tokens=1.0)),
        Record.of(came),
        Record.of(long_ago),
    ]
    await callers.save(records[::-1])

    assert await callers.recent(9) == records
    assert await callers.recent(2) == records[:2]


async def test_of_one_account_twice_in_a_batch_the_last_counts(town: Town) -> None:
    user = await _added(town)

    await town.standings.save([_served(user, 1.0), _served(user, 2.0)])
    await town.standings.save([])

    assert await town.standings.find([user.id]) == [_served(user, 2.0)]


async def test_more_than_one_statement_holds_are_saved_and_found(town: Town) -> None:
    users = [await _added(town) for _ in range(601)]
    records = [_served(user, 1.0 + number) for number, user in enumerate(users)]

    await town.standings.save(records)

    assert await town.standings.find([user.id for user in users]) == records
    assert [record.history.days for record in await town.standings.best_known(2)] == [601.0, 600.0]


async def test_writers_of_the_same_accounts_do_not_wait_for_each_other_for_ever(town: Town) -> None:
    users = [await _added(town) for _ in range(20)]

    async with asyncio.timeout(20):
        await asyncio.gather(
            *(
                town.standings.save([_served(user, float(turn)) for user in (users if turn % 2 else users[::-1])])
                for turn in range(1, 9)
            )
        )

    assert len({record.history.days for record in await town.standings.find([user.id for user in users])}) == 1
