"""What is known of accounts outlives the process, and a store that fails is nobody's reason to be refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.storage import a_user
from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, SERVED_DAY_TOKENS
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.reputation import FLUSH_EVERY_S, Reputation
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock, until
from tidegate.testing.standing import MemoryStandingStore, a_record

NET = Fingerprint("b" * 16)


class Store(MemoryStandingStore):
    """Fails while told so; holds what is read until it may go on, and the next write that it is told to."""

    def __init__(self, accounts: MemoryAccountStore) -> None:
        super().__init__(accounts)
        self.is_broken = False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.held: asyncio.Event | None = None
        self.sizes: list[int] = []

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        found = await super().find(principals)
        await self.may_go_on.wait()
        self._check()
        return found

    async def save(self, records: Sequence[Record]) -> None:
        self.calls["tried"] += 1
        held, self.held = self.held, None
        if held is not None:
            await held.wait()
        self._check()
        self.sizes.append(len(records))
        await super().save(records)

    def _check(self) -> None:
        if self.is_broken:
            msg = "the disk is full"
            raise StorageUnavailableError(msg)


class Town:
    """A reputation over fakes; `restarted` is the next process on the same store."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.accounts = MemoryAccountStore()
        self.store = Store(self.accounts)
        self.reputation = self.restarted()

    def restarted(self, most: int = 100) -> Reputation:
        return Reputation(self.store, Register(StandingPlan(), most), self.clock)

    async def user(self, standing: Standing = Standing.NEWCOMER) -> User:
        """A user who has this standing in the store."""
        role = Role.OPERATOR if standing is Standing.OPERATOR else Role.USER
        known = a_record(UserId.of(a_user().id.entropy), standing, self.clock())
        user = User(
            id=known.principal,
            email=f"{known.principal}@example.org",
            role=role,
            created_at_s=known.created_at_s,
            member_since_s=known.member_since_s,
        )
        await self.accounts.add_user(user, None)
        if known != Record.of(user):
            await self.store.save([known])
        return user

    def standing(self, user: User) -> Standing:
        return self.reputation.register.standing(user.id, self.clock())


@pytest.fixture
async def town() -> Town:
    return Town()


async def test_what_was_earned_is_there_after_a_restart(town: Town) -> None:
    user = await town.user()
    await town.reputation.meet(user)
    for _ in range(3):
        town.reputation.served(user.id, SERVED_DAY_TOKENS, 1)
        town.clock.advance(DAY_S)
    assert await town.reputation.flush()

    town.reputation = town.restarted()

    assert await town.reputation.load() == 1
    assert town.standing(user) is Standing.MEMBER


async def test_the_best_known_are_read_first_and_forgotten_last(town: Town) -> None:
    member, established, operator = [
        await town.user(standing) for standing in (Standing.MEMBER, Standing.ESTABLISHED, Standing.OPERATOR)
    ]
    await town.user()
    town.reputation = town.restarted(most=2)

    assert await town.reputation.load() == 2
    known = [town.reputation.register.record(user.id) is not None for user in (member, established, operator)]
    assert known == [False, True, True]
    await town.reputation.meet(member)
    assert town.reputation.register.record(operator.id) is not None


async def test_whoever_is_met_is_read_once(town: Town) -> None:
    user = await town.user(Standing.ESTABLISHED)
    assert town.standing(user) is Standing.NEWCOMER

    records = [await town.reputation.meet(user) for _ in range(3)]

    assert town.standing(user) is Standing.ESTABLISHED
    assert records == [town.reputation.register.record(user.id)] * 3
    assert town.store.calls["find"] == 1


async def test_an_account_that_the_store_does_not_have_is_as_just_made(town: Town) -> None:
    """Deleted a moment ago, by another process."""
    stranger = a_user()
    assert await town.reputation.meet(stranger) == Record.of(stranger)


async def test_meeting_twice_at_once_loses_nothing_that_was_counted_between(town: Town) -> None:
    user = await town.user(Standing.MEMBER)
    town.store.may_go_on.clear()
    slow = asyncio.create_task(town.reputation.meet(user))
    await until(lambda: town.store.calls["find"] == 1)
    town.reputation.register.know(a_record(user.id, Standing.MEMBER, town.clock()))
    town.reputation.served(user.id, 5.0, 1)
    assert await asyncio.wait_for(_go_on(town, slow), 5) == town.reputation.register.record(user.id)
    town.reputation.register.saved(town.reputation.register.changed())

    (record,) = [town.reputation.register.record(user.id)]
    assert record is not None
    assert record.history.today_tokens == 5.0


async def _go_on(town: Town, task: asyncio.Task[Record]) -> Record:
    town.store.may_go_on.set()
    return await task


async def test_a_store_that_fails_refuses_nobody_and_is_asked_again(town: Town) -> None:
    user = await town.user(Standing.ESTABLISHED)
    town.store.is_broken = True

    assert await town.reputation.meet(user) == Record.of(user)
    assert town.standing(user) is Standing.NEWCOMER
    assert town.reputation.failures == 1
    town.reputation.served(user.id, 1e6, 1)
    assert town.reputation.register.changed() == [], "nothing is written over what could not be read"

    town.store.is_broken = False
    await town.reputation.meet(user)
    assert town.standing(user) is Standing.ESTABLISHED


async def test_changes_wait_for_a_store_that_fails(town: Town) -> None:
    user = await town.user()
    await town.reputation.meet(user)
    town.reputation.served(user.id, 5.0, 1)
    town.store.is_broken = True

    assert await town.reputation.flush() is False
    assert await town.reputation.flush() is False
    assert town.reputation.failures == 2
    town.reputation.served(user.id, 5.0, 1)
    town.store.is_broken = False

    assert await town.reputation.flush() is True
    (kept,) = await town.store.find([user.id])
    assert kept.history.tokens == 10.0
    assert town.reputation.register.changed() == []


async def test_only_what_changed_is_written_and_in_batches(town: Town) -> None:
    town.reputation = town.restarted(most=2000)
    users = [await town.user() for _ in range(1201)]
    for user in users:
        town.reputation.joined(user, NET, is_flooded=False)

    assert await town.reputation.flush()
    assert town.store.sizes == [500, 500, 201]
    assert await town.reputation.flush()
    assert len(town.store.sizes) == 3


async def test_it_is_written_now_and_then_until_it_is_stopped(town: Town) -> None:
    user = await town.user()
    turns: asyncio.Queue[None] = asyncio.Queue()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await turns.get()

    task = asyncio.create_task(town.reputation.flush_now_and_then(sleep))
    town.reputation.joined(user, NET, is_flooded=True)
    town.store.is_broken = True
    turns.put_nowait(None)
    await until(lambda: town.reputation.failures == 1)
    town.store.is_broken = False
    turns.put_nowait(None)
    await until(lambda: town.store.sizes == [1])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert set(slept) == {FLUSH_EVERY_S}
    assert await town.store.find([user.id]) == [Record.of(user, NET, is_born_in_flood=True, is_self_made=True)]


async def test_accounts_made_while_a_flood_runs_start_at_the_bottom_together(town: Town) -> None:
    ana, bo, cy = [await town.user() for _ in range(3)]
    town.reputation.joined(ana, NET, is_flooded=True)
    town.reputation.joined(bo, NET, is_flooded=False)
    town.reputation.joined(cy, None, is_flooded=False)

    register = town.reputation.register
    assert [town.standing(user) for user in (ana, bo, cy)] == [Standing.VISITOR, Standing.NEWCOMER, Standing.NEWCOMER]
    assert register.cohort(ana.id) == register.cohort(bo.id) == f"net:{NET}"
    assert register.cohort(cy.id) == cy.id


async def test_an_operators_word_counts_and_is_kept_at_once(town: Town) -> None:
    user = await town.user(Standing.SUSPECT)

    assert await town.reputation.vouch(user, is_vouched=True) is Standing.ESTABLISHED
    assert town.standing(user) is Standing.ESTABLISHED
    assert [record.is_vouched for record in await town.store.find([user.id])] == [True]
    assert await town.reputation.vouch(user, is_vouched=False) is Standing.NEWCOMER
    assert [record.is_vouched for record in await town.store.find([user.id])] == [False]


async def test_of_somebody_without_an_account_is_found_what_is_kept_and_nothing_else(town: Town) -> None:
    known, nobody = (await town.user(Standing.ESTABLISHED)).id, UserId.of(b"12345678")

    found = [await town.reputation.find(principal) for principal in (known, known, nobody)]

    assert found == [town.reputation.register.record(known)] * 2 + [None]
    assert (town.store.calls["find"], len(town.reputation.register)) == (2, 1)
    town.store.is_broken = True
    with pytest.raises(StorageUnavailableError):
        await town.reputation.find(nobody)


async def test_who_came_while_the_store_was_asked_is_found(town: Town) -> None:
    principal = UserId.of(b"12345678")
    town.store.may_go_on.clear()
    finding = asyncio.create_task(town.reputation.find(principal))
    await until(lambda: town.store.calls["find"] == 1)
    came = Record.of_caller(principal, town.clock())
    town.reputation.register.change(came)
    town.store.may_go_on.set()

    assert await finding is came


async def test_a_word_for_a_record_counts_with_all_that_was_counted_meanwhile(town: Town) -> None:
    user = await town.user()
    read = await town.reputation.find(user.id)
    assert read is not None
    town.reputation.served(user.id, 5.0, 1)

    assert await town.reputation.vouch_record(read, is_vouched=True) is Standing.ESTABLISHED

    (kept,) = await town.store.find([user.id])
    assert (kept.is_vouched, kept.history.tokens) == (True, 5.0)


async def test_a_word_given_to_somebody_whom_there_is_no_room_to_remember_is_kept_all_the_same(town: Town) -> None:
    town.reputation = town.restarted(most=1)
    operator, user = await town.user(Standing.OPERATOR), await town.user()
    await town.reputation.meet(operator)

    assert await town.reputation.vouch(user, is_vouched=True) is Standing.ESTABLISHED

    assert [record.is_vouched for record in await town.store.find([user.id])] == [True]


async def test_a_word_that_cannot_be_kept_is_said_to_be_so(town: Town) -> None:
    known, unknown = await town.user(), await town.user()
    await town.reputation.meet(known)
    town.store.is_broken = True

    for user in (known, unknown):
        with pytest.raises(StorageUnavailableError):
            await town.reputation.vouch(user, is_vouched=True)

    town.store.is_broken = False
    assert await town.reputation.flush()
    assert [record.is_vouched for record in await town.store.find([known.id, unknown.id])] == [True, False]


@pytest.mark.parametrize("flushes", [1, 2])
async def test_neither_a_word_nor_what_was_counted_is_lost_to_an_older_record_that_is_being_written(
    town: Town, flushes: int
) -> None:
    user = await town.user()
    await town.reputation.meet(user)
    town.reputation.served(user.id, 5.0, 1)
    town.store.held = held = asyncio.Event()
    flushing = [asyncio.create_task(town.reputation.flush()) for _ in range(flushes)]
    await until(lambda: town.store.calls["tried"] == 1)
    vouching = asyncio.create_task(town.reputation.vouch(user, is_vouched=True))
    await until(lambda: town.standing(user) is Standing.ESTABLISHED)
    for _ in range(10):
        await asyncio.sleep(0)  # As far as anything gets that does not wait for the older record.
    town.reputation.served(user.id, 5.0, 1)
    held.set()

    await asyncio.gather(*flushing, vouching)
    assert await town.reputation.flush()

    (kept,) = await town.store.find([user.id])
    assert (kept.is_vouched, kept.history.tokens) == (True, 10.0)


async def test_a_list_tells_the_newest_standing_and_remembers_nobody(town: Town) -> None:
    established, suspect, newcomer = [
        await town.user(standing) for standing in (Standing.ESTABLISHED, Standing.MEMBER, Standing.NEWCOMER)
    ]
    await town.reputation.meet(suspect)
    town.reputation.register.find_against(suspect.id, town.clock() + 60)
    deleted = a_user()

    standings = await town.reputation.standings([newcomer, suspect, established, deleted])

    assert standings == [Standing.NEWCOMER, Standing.SUSPECT, Standing.ESTABLISHED, Standing.NEWCOMER]
    assert len(town.reputation.register) == 1
