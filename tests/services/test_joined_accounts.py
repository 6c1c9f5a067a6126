"""Where and when an account was made is remembered from its first moment."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.budgets import a_quotas
from tests.hashing import CHEAP
from tests.reputation import a_reputation
from tidegate.core.accounts import Role
from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.standing.classes import Standing
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.accounts import Clerk
from tidegate.services.passwords import PasswordLane
from tidegate.services.sessions import Sessions, Trace
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

ANA, PASSWORD = "ana@example.org", "a tide waits for nobody"
TRACE = Trace(id=RequestId.of(b"requests"), src=Fingerprint("a" * 16), net=Fingerprint("b" * 16))


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class Town:
    """Sign-up over fakes, flooded or not."""

    def __init__(self, passwords: PasswordLane) -> None:
        self.is_flooded = False
        self.later: list[Coroutine[Any, Any, None]] = []
        self.clock = HandClock()
        accounts = MemoryAccountStore()
        self.reputation = a_reputation(accounts, self.clock)
        self.clerk = Clerk(
            accounts=accounts,
            server_keys=ServerKeys(1, {1: b"k" * 32}),
            journal=RecordingJournal(),
            fingerprint=fingerprint,
            clock=self.clock,
            passwords=passwords,
            reputation=self.reputation,
            quotas=a_quotas(accounts, self.clock),
        )
        self.sessions = Sessions(
            clerk=self.clerk,
            session_s=86_400.0,
            later=self.later.append,
            is_flooded=lambda: self.is_flooded,
        )


@pytest.fixture
def town() -> Iterator[Town]:
    passwords = PasswordLane(hasher=CHEAP)
    yield Town(passwords)
    passwords.close()


@pytest.mark.parametrize(("is_flooded", "standing"), [(False, Standing.NEWCOMER), (True, Standing.VISITOR)])
async def test_sign_ups_belong_to_their_network_and_those_in_a_flood_start_at_the_bottom(
    town: Town, is_flooded: bool, standing: Standing
) -> None:
    town.is_flooded = is_flooded

    signed_in, _ = await town.sessions.join(ANA, PASSWORD, Role.USER, TRACE)

    register = town.reputation.register
    assert register.standing(signed_in.user.id, town.clock()) is standing
    assert register.cohort(signed_in.user.id) == f"net:{TRACE.net}"
    assert [record.principal for record in register.changed()] == [signed_in.user.id], "it waits to be kept"


async def test_a_flood_changes_nothing_for_those_who_have_an_account(town: Town) -> None:
    user = await town.clerk.create_user(ANA, password=PASSWORD)
    town.is_flooded = True

    await town.sessions.sign_in(ANA, PASSWORD, TRACE)
    with pytest.raises(EmailTakenError):
        await town.sessions.join(ANA, PASSWORD, Role.USER, TRACE)

    assert await town.reputation.standings([user]) == [Standing.NEWCOMER]
    assert town.reputation.register.changed() == []


async def test_whom_an_operator_makes_an_account_stands_alone(town: Town) -> None:
    user = await town.clerk.create_user(ANA)
    assert (await town.reputation.meet(user)).cohort == user.id
