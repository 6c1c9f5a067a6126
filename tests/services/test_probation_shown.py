"""Operators see who is on probation, and nobody is said to be who has a limit of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.budgets import a_quotas
from tests.hashing import CHEAP
from tests.reputation import a_reputation
from tidegate.core.accounts import User
from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint
from tidegate.core.quotas.windows import Window
from tidegate.core.registration.probation import Probation, ProbationPlan
from tidegate.services.accounts import Clerk
from tidegate.services.passwords import PasswordLane
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

ANA = "ana@example.org"


class Desk:
    """A clerk over fakes; what was known of Ana is forgotten by memory, as after a restart."""

    def __init__(self) -> None:
        self.clock, accounts = HandClock(), MemoryAccountStore()
        self.passwords = PasswordLane(hasher=CHEAP)
        self.reputation = a_reputation(accounts, self.clock)
        probation = Probation(self.reputation.register, ProbationPlan(tokens=1000))
        quotas = a_quotas(accounts, self.clock)
        quotas.ledger.probation = probation
        self.clerk = Clerk(
            accounts=accounts,
            server_keys=ServerKeys(1, {1: b"k" * 32}),
            journal=RecordingJournal(),
            fingerprint=lambda _: Fingerprint("0" * 16),
            clock=self.clock,
            passwords=self.passwords,
            reputation=self.reputation,
            quotas=quotas,
            on_probation=lambda record: probation.of(record, self.clock()),
        )

    async def joined(self) -> User:
        user = await self.clerk.create_user(ANA)
        self.reputation.joined(user, None, is_flooded=False)
        await self.reputation.flush()
        self.reputation.register.forget(user.id)
        return user

    async def told(self) -> int:
        (ana,) = await self.clerk.users()
        return ana.probation_tokens


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.passwords.close()


async def test_the_list_and_the_sheet_say_what_a_new_account_may_use(desk: Desk) -> None:
    """Also of somebody whom memory does not know."""
    await desk.joined()

    assert await desk.told() == 500
    sheet = await desk.clerk.set_quota(ANA)
    assert [(one.window, one.limit) for one in sheet.windows if one.is_probation] == [(Window.DAY, 500)]
    assert sheet.is_on_probation


async def test_whoever_has_a_limit_of_their_own_is_not_said_to_be_new(desk: Desk) -> None:
    """It is what counts for them, and what an operator wanted."""
    await desk.joined()

    sheet = await desk.clerk.set_quota(ANA, limits={Window.DAY: 0})

    assert not sheet.is_on_probation
    assert await desk.told() == 0


async def test_whom_an_operator_made_an_account_for_is_not_new(desk: Desk) -> None:
    await desk.clerk.create_user(ANA)

    assert await desk.told() == 0
    assert not (await desk.clerk.set_quota(ANA)).is_on_probation
