"""People sign in on their own devices whatever strangers do; strangers get their share, and are told what they need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import argon2
import msgspec
import pytest

from tests.hashing import CHEAP, Gated
from tests.services.test_sessions import ANA, PASSWORD, TRACE, Gate, fingerprint
from tidegate.core.accounts import User
from tidegate.core.entering.entering import Entering, EnteringPlan, Why
from tidegate.core.events import LoginOutcome
from tidegate.core.identifiers import Fingerprint
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.sessions import ChallengeNeededError, Proof, Trace, WrongCredentialsError
from tidegate.testing.clock import until
from tidegate.testing.standing import a_record


class Town(Gate):
    """With a challenge to ask strangers for, and who was told of new devices."""

    def __init__(self, *, has_challenge: bool = True, hasher: argon2.PasswordHasher = CHEAP) -> None:
        super().__init__(hasher=hasher)
        self.new_devices: list[tuple[User, Trace]] = []
        self.dead: list[bytes] = []
        # What real hashes would leave to strangers; those of tests take no time.
        self.lane.capacity = lambda: 6.7  # type: ignore[method-assign] # as said
        self.entering = Entering(EnteringPlan(has_challenge=has_challenge))
        self.sessions = msgspec.structs.replace(
            self.sessions,
            entering=self.entering,
            on_new_device=lambda *told: self.new_devices.append(told),
            dead=self.dead.append,
        )

    async def marked(self, email: str = ANA) -> str:
        """Ana's device."""
        user = await self.clerk.create_user(email, password=PASSWORD)
        return self.sessions.mark(user, "")

    async def flood(self, times: int = 60) -> None:
        """Wrong passwords, for addresses and from places that nobody has anything to do with."""
        for number in range(times):
            with pytest.raises((WrongCredentialsError, ChallengeNeededError)):
                await self.sessions.sign_in(f"nobody{number}@example.org", "not the right one", elsewhere(number))


def elsewhere(number: int = 0) -> Trace:
    return Trace(id=TRACE.id, src=Fingerprint(f"{number:016x}"), net=Fingerprint(f"{number:016x}"))


@pytest.fixture
def town() -> Iterator[Town]:
    made = Town()
    yield made
    made.lane.close()


async def test_while_strangers_guess_a_known_device_signs_in_and_a_stranger_is_asked_for_an_effort_first(
    town: Town,
) -> None:
    """
    Before the store is asked, and before a password is looked at.
    """
    mark = await town.marked()
    await town.flood()
    calls, verified = town.store.calls.copy(), town.lane.verified

    with pytest.raises(ChallengeNeededError) as needed:
        await town.sessions.sign_in(ANA, PASSWORD, elsewhere())
    assert (town.store.calls, town.lane.verified) == (calls, verified)
    assert needed.value.why is Why.PRESSURE
    assert (town.logins()[-1].outcome, town.logins()[-1].reason) == (LoginOutcome.REFUSED, None)

    await town.sessions.sign_in(ANA, PASSWORD, elsewhere(), proof=Proof(effort=needed.value.effort))
    assert (town.logins()[-1].outcome, town.logins()[-1].known_device) == (LoginOutcome.OK, False)
    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark)
    assert (town.logins()[-1].outcome, town.logins()[-1].known_device) == (LoginOutcome.OK, True)


async def test_a_device_of_an_account_of_ones_own_is_worth_nothing_for_anothers(town: Town) -> None:
    await town.ana()
    own = await town.marked("eve@example.org")
    await town.flood()

    with pytest.raises(ChallengeNeededError):
        await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=own)
    await town.sessions.sign_in("eve@example.org", PASSWORD, TRACE, marks=own)


async def test_a_crowd_at_one_account_locks_strangers_out_of_nothing_and_its_holder_never_notices(town: Town) -> None:
    mark = await town.marked()
    for number in range(14):
        town.clock.now += 15.0
        effort = Proof(effort=1 << number)
        with pytest.raises(WrongCredentialsError):
            await town.sessions.sign_in(ANA, "not the right one", elsewhere(number), proof=effort)

    with pytest.raises(ChallengeNeededError) as needed:
        await town.sessions.sign_in(ANA, PASSWORD, elsewhere(99))
    assert needed.value.why is Why.ACCOUNT
    assert town.logins()[-1].outcome is LoginOutcome.LOCKED
    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark)
    await town.sessions.sign_in(ANA, PASSWORD, elsewhere(99))


async def test_a_known_device_with_too_many_wrong_passwords_is_a_strangers_and_the_gate_is_told(town: Town) -> None:
    mark = await town.marked()
    for _ in range(town.entering.plan.attempts.most_missed):
        assert town.dead == []
        with pytest.raises(WrongCredentialsError):
            await town.sessions.sign_in(ANA, "not the right one", TRACE, marks=mark)
        assert town.logins()[-1].known_device

    assert len(town.dead) == 1
    with pytest.raises(WrongCredentialsError):
        await town.sessions.sign_in(ANA, "not the right one", TRACE, marks=mark)
    assert not town.logins()[-1].known_device


async def test_whoever_signs_in_where_their_account_never_had_is_told_of_and_nobody_else(town: Town) -> None:
    mark = await town.marked()
    other = await town.marked("bo@example.org")

    signed_in, _ = await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=other)
    assert town.new_devices == [(signed_in.user, TRACE)]
    both = town.sessions.mark(signed_in.user, other)
    await town.sessions.sign_in("bo@example.org", PASSWORD, TRACE, marks=both)
    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=both)
    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark)
    with pytest.raises(WrongCredentialsError):
        await town.sessions.sign_in(ANA, "not the right one", TRACE)
    assert len(town.new_devices) == 1


async def test_a_mark_ends_with_its_time(town: Town) -> None:
    mark = await town.marked()
    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark)
    assert town.new_devices == []
    town.clock.now += town.sessions.device_s

    await town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark)
    assert len(town.new_devices) == 1


@pytest.mark.parametrize("email", [ANA, "stranger@example.org", "no address", "bo@example.org"])
async def test_with_a_mark_too_every_address_gets_the_same_work_and_the_same_words(town: Town, email: str) -> None:
    """
    Also that of an account which is no more, on a device where it had signed in.
    """
    mark = await town.marked()
    gone = User(
        id=(await town.clerk.users())[0].id,
        email="bo@example.org",
        role=(await town.clerk.users())[0].role,
        created_at_s=1.0,
        member_since_s=1.0,
    )
    calls, verified = town.store.calls.copy(), town.lane.verified

    with pytest.raises(WrongCredentialsError) as refused:
        await town.sessions.sign_in(email, "not the right one", TRACE, marks=f"{mark}.{town.sessions.mark(gone, '')}")

    assert str(refused.value) == ""
    assert town.store.calls - calls == {"user_with_password": 1}
    assert town.lane.verified == verified + 1


async def test_without_a_challenge_strangers_draw_lots_and_known_devices_go_first() -> None:
    hasher = Gated()
    hasher.let.set()
    town = Town(has_challenge=False, hasher=hasher)
    mark = await town.marked()
    town.clerk.reputation.register.know(
        a_record((await town.clerk.users())[0].id, Standing.ESTABLISHED, town.clock.now)
    )
    hasher.let.clear()
    begun = hasher.begun
    crowd = [
        asyncio.ensure_future(town.sessions.sign_in(f"nobody{number}@example.org", PASSWORD, elsewhere(number)))
        for number in range(200)
    ]
    await until(lambda: hasher.begun == begun + 1)
    own = asyncio.ensure_future(town.sessions.sign_in(ANA, PASSWORD, TRACE, marks=mark))
    await until(lambda: sum(one.done() for one in crowd) == 200 - 13)
    hasher.let.set()

    await own
    ended = await asyncio.gather(*crowd, return_exceptions=True)
    ran, next_one, *later = hasher.verified
    assert next_one != ran, "ana's own hash was the next that was looked at"
    assert set(later) == {ran}
    assert sum(isinstance(one, WrongCredentialsError) for one in ended) == 13
    assert sum(isinstance(one, PasswordsBusyError) for one in ended) == 187
    assert town.sessions.is_attacked()
    refused = [tried for tried in town.logins() if tried.outcome is LoginOutcome.REFUSED]
    assert {tried.reason for tried in refused} == {Reason.SIGN_IN_BUSY}
    assert {tried.user for tried in town.logins() if tried.known_device} == {fingerprint(ANA)}
    town.lane.close()
