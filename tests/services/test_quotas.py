"""Budgets decide in memory, last in the store, and are charged by what requests come to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import pytest

from tests.admitting import an_admission, claim_of, user_of
from tests.storage import a_user
from tidegate.core.accounts import ApiKey, User
from tidegate.core.admission.claims import Spent
from tidegate.core.identifiers import KeyId, UserId
from tidegate.core.quotas.budget import Budget, Kept, Payer, State
from tidegate.core.quotas.ledger import Exhausted, Ledger, Out
from tidegate.core.quotas.windows import Window
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.admission import Admission
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.services.quotas import (
    FLUSH_EVERY_S,
    QuotaExhaustedError,
    QuotaHeldError,
    Quotas,
    of_key,
    of_user,
)
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.quotas import MemoryQuotaStore

AWAY = "cannot be reached"
NOW = 1_800_000_000.0


class FailingStore(MemoryQuotaStore):
    """Cannot be reached while `is_down`; `meanwhile` happens during the next question."""

    is_down = False

    def __init__(self, accounts: MemoryAccountStore) -> None:
        super().__init__(accounts)
        self.meanwhile: asyncio.Future[None] | None = None

    async def find(self, payers: Sequence[str]) -> list[Kept]:
        if self.is_down:
            raise StorageUnavailableError(AWAY)
        found = await super().find(payers)
        if self.meanwhile is not None:
            waited, self.meanwhile = self.meanwhile, None
            await waited
        return found

    async def save(self, used: Sequence[tuple[UserId, Kept]]) -> None:
        if self.is_down:
            raise StorageUnavailableError(AWAY)
        await super().save(used)


class Town:
    """An account, its key, and one store that several processes use one after the other."""

    def __init__(self) -> None:
        self.clock = HandClock(NOW)
        self.accounts = MemoryAccountStore()
        self.store = FailingStore(self.accounts)
        self.quotas = self.started()

    def started(self, **limits: int) -> Quotas:
        """A process that knows nobody yet."""
        self.quotas = Quotas(self.store, Ledger(Budget(**limits), 100), self.clock)
        return self.quotas

    async def user(self) -> tuple[User, ApiKey]:
        user = a_user()
        await self.accounts.add_user(user, None)
        key = ApiKey(id=KeyId.of(os.urandom(8)), owner=user.id, name="", label="", scopes=frozenset(), created_at_s=NOW)
        return user, key

    def spend(self, payers: tuple[Payer, ...], tokens: int) -> None:
        answer = self.quotas.reserve(payers, tokens)
        assert isinstance(answer, Out)
        self.quotas.settle(answer.number, tokens)

    def day(self, payer: Payer) -> State:
        return next(state for state in self.quotas.states((payer,)) if state.window is Window.DAY)


@pytest.fixture
def town() -> Town:
    return Town()


async def test_use_and_limits_outlive_a_restart(town: Town) -> None:
    """Of the account and of the key; and each is asked for once."""
    user, key = await town.user()
    payers = await town.quotas.meet(user, key)
    await town.quotas.change(of_key(key), {"per_day": 100})
    town.spend(payers, 70)
    assert await town.quotas.flush()

    town.started(per_day=80)
    assert await town.quotas.meet(user, key) == payers == (of_user(user.id), of_key(key))
    asked = town.store.calls["find"]
    await town.quotas.meet(user, key)
    await town.quotas.meet(user)

    assert town.store.calls["find"] == asked
    assert [(town.day(payer).used, town.day(payer).limit) for payer in payers] == [(70, 80), (70, 100)]
    town.spend(payers, 20)
    assert isinstance(town.quotas.reserve(payers, 1), Exhausted)


async def test_nothing_is_written_while_nothing_was_used(town: Town) -> None:
    """Looking at a page is no use."""
    user, _ = await town.user()
    await town.quotas.meet(user)

    assert await town.quotas.flush()

    assert town.store.calls["save"] == 0


async def test_while_the_store_is_away_the_defaults_count_and_use_is_added_to_what_it_has(town: Town) -> None:
    """Nobody is refused for its sake, and nothing is forgotten for long."""
    user, _ = await town.user()
    town.spend(await town.quotas.meet(user), 30)
    await town.quotas.flush()
    town.started(per_day=50)
    town.store.is_down = True

    payers = await town.quotas.meet(user)
    town.spend(payers, 15)
    assert not await town.quotas.flush()
    assert (town.day(payers[0]).used, town.quotas.failures) == (15, 2)

    town.store.is_down = False
    assert await town.quotas.flush()
    assert town.day(payers[0]).used == 45
    town.started()
    await town.quotas.meet(user)
    assert town.day(payers[0]).used == 45


async def test_a_limit_that_changes_while_it_is_read_is_read_again(town: Town) -> None:
    """Otherwise the old one would count until the next restart."""
    user, _ = await town.user()
    town.store.meanwhile = asyncio.ensure_future(town.quotas.change(of_user(user.id), {"per_day": 7}))

    await town.quotas.meet(user)

    assert town.day(of_user(user.id)).limit == 7


async def test_of_two_changes_at_once_both_count(town: Town) -> None:
    """Neither takes back what the other set."""
    user, _ = await town.user()
    payer = of_user(user.id)

    await asyncio.gather(
        town.quotas.change(payer, {"per_day": 7}),
        town.quotas.change(payer, {"per_hour": 3}),
    )

    assert await town.quotas.limits([payer]) == [Budget(per_day=7, per_hour=3)]


async def test_lists_tell_of_everybody_and_remember_nobody(town: Town) -> None:
    """Those that are here by memory, the others by the store."""
    (ana, _), (bo, _) = await town.user(), await town.user()
    town.spend(await town.quotas.meet(bo), 4)
    await town.quotas.flush()
    town.started()
    town.spend(await town.quotas.meet(ana), 9)

    described = await town.quotas.described([of_user(bo.id), of_user(ana.id)])

    used = [next(state.used for state in states if state.window is Window.MONTH) for states in described]
    assert used == [4, 9]
    assert len(town.quotas.ledger) == 1


async def test_use_is_written_now_and_then(town: Town) -> None:
    """A crash loses no more than what was used since."""
    user, _ = await town.user()
    town.spend(await town.quotas.meet(user), 4)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 1:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await town.quotas.flush_now_and_then(sleep)

    assert pauses == [FLUSH_EVERY_S] * 2
    assert town.store.calls["save"] == 1


# ------------------------------------------------------------ on the way of a request


ANA = of_user(user_of("ana").id)


def admitting(town: Town, *, slots: int = 2, max_waiting: int = 4, **limits: int) -> Admission:
    return an_admission(town.clock, slots, max_waiting, quotas=town.started(**limits))


async def test_a_request_holds_what_it_may_come_to_and_is_charged_what_it_came_to(town: Town) -> None:
    """Cached tokens too: a budget bounds what is asked for, whatever it costs the engine."""
    admission = admitting(town, per_day=1000)

    ticket = admission.take(claim_of(output_tokens=64), (ANA,), 464)
    assert town.day(ANA).held == 464
    await admission.place(ticket)
    admission.progress(ticket, 10, 100, 4)
    assert town.day(ANA).held == 164, "the engine has counted the prompt"
    admission.leave(ticket, Spent(prompt_tokens=100, cached_tokens=40, output_tokens=20))

    assert (town.day(ANA).held, town.day(ANA).used) == (0, 120)


async def test_who_leaves_before_the_end_pays_for_what_they_had(town: Town) -> None:
    """Otherwise whoever hangs up before the last word would read for nothing."""
    admission = admitting(town, per_day=1000)
    ticket = admission.take(claim_of(), (ANA,), 104)
    await admission.place(ticket)
    admission.progress(ticket, 30, 30, 4)
    admission.spend(ticket, 5)

    admission.leave(ticket)
    admission.leave(ticket)

    assert (town.day(ANA).held, town.day(ANA).used) == (0, 35)


async def test_what_an_answer_that_still_runs_has_come_to_is_kept_over_a_crash(town: Town) -> None:
    """A long one would be free otherwise, and as many as run; at its end it is charged what it came to and no more."""
    user, _ = await town.user()
    admission = admitting(town, per_day=1000)
    payers = await admission.meet(user)
    ticket = admission.take(claim_of(output_tokens=64), payers, 464)
    await admission.place(ticket)
    admission.progress(ticket, 30, 30, 4)
    admission.spend(ticket, 5)
    assert await town.quotas.flush()
    before, after = town.quotas, town.started(per_day=1000)
    await after.meet(user)
    assert town.day(payers[0]).used == 35

    town.quotas = before
    assert (town.day(payers[0]).used, town.day(payers[0]).held) == (35, 94 - 35)
    admission.spend(ticket, 3)
    admission.leave(ticket, Spent(prompt_tokens=30, output_tokens=7))
    assert (town.day(payers[0]).used, town.day(payers[0]).held) == (37, 0)
    assert await town.quotas.flush()
    town.started()
    await town.quotas.meet(user)
    assert town.day(payers[0]).used == 37


async def test_who_leaves_an_engine_that_does_not_count_its_prompt_pays_for_about_that_prompt(town: Town) -> None:
    """All of it was read when the answer began. Otherwise whoever hangs up before the last word reads for nothing."""
    admission = admitting(town, per_day=10_000)
    ticket = admission.take(claim_of(prompt_bytes=3500), (ANA,), 4000)
    await admission.place(ticket)
    admission.spend(ticket, 5)

    admission.leave(ticket)

    assert town.day(ANA).used == 1000 + 5


async def test_whoever_is_held_up_by_another_models_line_is_told_when_that_will_be_over(town: Town) -> None:
    """Each model has a line of its own, and all of them one budget."""
    one, other = admitting(town, per_day=100), an_admission(town.clock, quotas=town.quotas)
    ticket = one.take(claim_of(output_tokens=640), (ANA,), 700)
    with pytest.raises(QuotaHeldError) as here:
        one.take(claim_of(), (ANA,), 104)

    with pytest.raises(QuotaHeldError) as there:
        other.take(claim_of(), (ANA,), 104)

    assert there.value.retry_after_s == here.value.retry_after_s > 1.0
    one.leave(ticket)
    assert other.take(claim_of(), (ANA,), 104)


async def test_what_an_account_may_have_in_is_one_number_for_all_models(town: Town) -> None:
    """Otherwise as many more would be its as there are models. Others are let in, and it is when one of its is over."""
    quotas = town.started()
    one, other = (an_admission(town.clock, max_per_owner=2, quotas=quotas) for _ in range(2))
    tickets = [one.take(claim_of(), (ANA,), 104), other.take(claim_of(), (ANA,), 104)]

    for line in (one, other):
        with pytest.raises(TooManyInFlightError) as refused:
            line.take(claim_of(), (ANA,), 104)
        assert (refused.value.inside, refused.value.retry_after_s >= 1.0) == (2, True)
        assert line.in_flight(user_of("ana")) == (2, 2)
    assert quotas.ledger.out == 2
    one.take(claim_of("bo"), (of_user(user_of("bo").id),), 104)
    other.leave(tickets[1])
    one.take(claim_of(), (ANA,), 104)


async def test_who_never_came_to_the_engine_pays_nothing(town: Town) -> None:
    """Whether it gave up waiting or found no room."""
    admission = admitting(town, slots=1, max_waiting=1, per_day=10_000)
    tickets = [admission.take(claim_of(), (ANA,), 104) for _ in range(2)]
    with pytest.raises(OverloadedError):
        admission.take(claim_of(), (ANA,), 104)
    assert town.day(ANA).held == 2 * 104

    for ticket in tickets:
        admission.leave(ticket)

    assert (town.day(ANA).held, town.day(ANA).used) == (0, 0)


async def test_a_spent_budget_refuses_before_there_is_a_ticket(town: Town) -> None:
    """And says until when, to the caller and in words."""
    admission = admitting(town, per_day=100)
    ticket = admission.take(claim_of(), (ANA,), 104)
    with pytest.raises(QuotaHeldError) as held:
        admission.take(claim_of(), (ANA,), 104)
    admission.leave(ticket, Spent(prompt_tokens=90, output_tokens=30))

    with pytest.raises(QuotaExhaustedError) as refused:
        admission.take(claim_of(), (ANA,), 104)

    assert held.value.retry_after_s >= 1.0
    assert refused.value.retry_after_s == 57_600.0
    assert str(refused.value) == (
        "This account has used up the 100 tokens that it may use in one day. "
        "Please try again from 2027-01-16 00:00 UTC on."
    )
    assert (admission.remembered, admission.scheduler.owners) == (0, 0)


async def test_a_key_is_called_a_key_and_a_minute_is_told_in_seconds(town: Town) -> None:
    """Whoever has several knows which budget it is."""
    _, key = await town.user()
    admission = admitting(town)
    town.quotas.ledger.know(of_key(key), Kept(payer=key.id, budget=Budget(per_minute=5)))
    town.clock.advance(14.5)
    admission.leave(admission.take(claim_of(), (ANA, of_key(key)), 104), Spent(prompt_tokens=9))

    with pytest.raises(QuotaExhaustedError) as refused:
        admission.take(claim_of(), (ANA, of_key(key)), 104)

    assert str(refused.value) == (
        "This key has used up the 5 tokens that it may use in one minute. Please try again in 46 s."
    )


async def test_without_budgets_nobody_pays(town: Town) -> None:
    """An admission that keeps none asks no store."""
    user, _ = await town.user()
    admission = an_admission(town.clock)

    assert await admission.meet(user) == ()
    ticket = admission.take(claim_of(), (ANA,), 104)
    await admission.place(ticket)
    admission.progress(ticket, 1, 2, 0)
    admission.leave(ticket)

    assert town.store.calls.total() == 0
