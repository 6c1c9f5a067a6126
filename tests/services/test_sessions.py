"""People sign up, in and out; a session is found while it lives; nobody learns who has an account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from hashlib import sha256
from typing import Any

import argon2
import pytest

from tests.budgets import a_quotas
from tests.hashing import CHEAP, Gated
from tests.reputation import a_reputation
from tidegate.core.accounts import Role, User
from tidegate.core.credentials import Kind, ServerKeys, issue
from tidegate.core.entering.places import Claim
from tidegate.core.events import (
    AccountChanged,
    AnyEvent,
    LoginOutcome,
    LoginTried,
    SignUpOutcome,
    SignUpTried,
    Tag,
)
from tidegate.core.identifiers import Fingerprint, RequestId, SessionId
from tidegate.core.reasons import Reason
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.accounts import Clerk, NotFoundError
from tidegate.services.passwords import PasswordLane, PasswordsBusyError
from tidegate.services.sessions import (
    MOST_SESSIONS,
    USE_GRAIN_S,
    Sessions,
    Trace,
    WrongCredentialsError,
)
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

KEYS = ServerKeys(1, {1: b"k" * 32})
ANA, PASSWORD = "ana@example.org", "a tide waits for nobody"
TRACE = Trace(id=RequestId.of(b"requests"), src=Fingerprint("a" * 16), net=Fingerprint("b" * 16))
SESSION_S = 86400.0


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class CountingLane(PasswordLane):
    """Counts what was asked of it; full when told so."""

    def __init__(self, hasher: argon2.PasswordHasher) -> None:
        super().__init__(hasher=hasher)
        self.hashed = 0
        self.verified = 0
        self.is_full = False

    def require_room(self, claim: Claim | None = None) -> None:
        del claim
        if self.is_full:
            raise PasswordsBusyError(0.5)

    async def hash(self, password: str, email: str = "", claim: Claim | None = None) -> str:
        hashed = await super().hash(password, email, claim)
        self.hashed += 1
        return hashed

    async def verify(self, stored_hash: str | None, password: str, claim: Claim | None = None) -> bool:
        self.verified += 1
        return await super().verify(stored_hash, password, claim)


class Gate:
    """Sessions over fakes."""

    def __init__(self, *, hasher: argon2.PasswordHasher = CHEAP) -> None:
        self.clock = HandClock(1_000_000.0)
        self.journal = RecordingJournal()
        self.store = MemoryAccountStore()
        self.lane = CountingLane(hasher)
        self.ended: list[SessionId] = []
        self.later: list[Coroutine[Any, Any, None]] = []
        self.clerk = Clerk(
            accounts=self.store,
            server_keys=KEYS,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            passwords=self.lane,
            reputation=a_reputation(self.store, self.clock),
            quotas=a_quotas(self.store, self.clock),
        )
        self.sessions = Sessions(
            clerk=self.clerk,
            session_s=SESSION_S,
            later=self.later.append,
            ended=self.ended.extend,
        )

    async def finish_later(self) -> None:
        while self.later:
            await self.later.pop()

    async def ana(self) -> User:
        return await self.clerk.create_user(ANA, password=PASSWORD)

    def logins(self) -> list[LoginTried]:
        return self.journal.of(LoginTried)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.lane.close()
    for work in made.later:
        work.close()


async def test_who_signs_up_is_signed_in_and_known_by_their_session(gate: Gate) -> None:
    signed_in, text = await gate.sessions.join(" Ana@Example.org", PASSWORD, Role.USER, TRACE)

    assert (signed_in.user.email, signed_in.user.role) == (ANA, Role.USER)
    assert (signed_in.session.created_at_s, signed_in.session.expires_at_s) == (1_000_000.0, 1_000_000.0 + SESSION_S)
    assert await gate.sessions.find(text) == signed_in
    acct = fingerprint(signed_in.user.id)
    assert gate.journal.events == [
        AccountChanged(t=1_000_000.0, event=Tag.ACCOUNT_CREATED, acct=acct),
        SignUpTried(t=1_000_000.0, id=TRACE.id, outcome=SignUpOutcome.OK, src=TRACE.src, net=TRACE.net, acct=acct),
    ]


async def test_a_taken_address_costs_a_hash_like_a_free_one(gate: Gate) -> None:
    """Otherwise the time would tell before the sentence does."""
    await gate.ana()
    hashed, calls = gate.lane.hashed, gate.store.calls.copy()

    with pytest.raises(EmailTakenError):
        await gate.sessions.join("ANA@example.org", PASSWORD, Role.USER, TRACE)

    assert gate.lane.hashed == hashed + 1
    assert gate.store.calls - calls == {"add_user": 1}
    assert gate.journal.of(SignUpTried)[-1].reason is Reason.EMAIL_TAKEN


@pytest.mark.parametrize(("email", "password", "field"), [("ana", PASSWORD, "email"), (ANA, "short", "password")])
async def test_a_sign_up_that_cannot_be_names_the_field_and_is_recorded(
    gate: Gate, email: str, password: str, field: str
) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        await gate.sessions.join(email, password, Role.USER, TRACE)

    tried = gate.journal.of(SignUpTried)[-1]
    assert (tried.outcome, tried.reason, tried.acct) == (SignUpOutcome.REFUSED, Reason.INVALID_VALUE, None)
    assert gate.store.calls.total() == 0


async def test_the_right_password_begins_a_new_session_each_time(gate: Gate) -> None:
    user = await gate.ana()

    first, first_text = await gate.sessions.sign_in("ANA@example.org ", PASSWORD, TRACE)
    second, second_text = await gate.sessions.sign_in(ANA, PASSWORD, TRACE)

    assert first.session.id != second.session.id
    assert first_text != second_text
    assert [await gate.sessions.find(text) for text in (first_text, second_text)] == [first, second]
    assert gate.logins()[-1] == LoginTried(
        t=1_000_000.0,
        id=TRACE.id,
        outcome=LoginOutcome.OK,
        src=TRACE.src,
        net=TRACE.net,
        acct=fingerprint(user.id),
        sess=fingerprint(second.session.id),
        user=fingerprint(ANA),
        known_device=False,
    )


@pytest.mark.parametrize(
    ("email", "outcome"),
    [
        (ANA, LoginOutcome.BAD_PASSWORD),
        ("bo@example.org", LoginOutcome.BAD_PASSWORD),
        ("stranger@example.org", LoginOutcome.UNKNOWN_USER),
        ("no address", LoginOutcome.UNKNOWN_USER),
    ],
    ids=["known", "without password", "unknown", "malformed"],
)
@pytest.mark.parametrize("password", ["not the right one", "", "x" * 5000])
async def test_a_failed_sign_in_does_the_same_work_and_says_the_same_for_every_address(
    gate: Gate, email: str, outcome: LoginOutcome, password: str
) -> None:
    """One question to the store, one verification, one event: a stranger learns nothing from the time it takes."""
    await gate.ana()
    await gate.clerk.create_user("bo@example.org")
    calls = gate.store.calls.copy()

    with pytest.raises(WrongCredentialsError) as refused:
        await gate.sessions.sign_in(email, password, TRACE)

    assert str(refused.value) == ""
    assert gate.store.calls - calls == {"user_with_password": 1}
    assert gate.lane.verified == 1
    assert [(tried.outcome, tried.acct, tried.sess) for tried in gate.logins()] == [(outcome, None, None)]
    assert not gate.later


async def test_an_address_looks_the_same_in_the_log_however_it_is_typed(gate: Gate) -> None:
    for email in (" Cy@Example.org", "cy@example.org"):
        with pytest.raises(WrongCredentialsError):
            await gate.sessions.sign_in(email, PASSWORD, TRACE)

    assert {tried.user for tried in gate.logins()} == {fingerprint("cy@example.org")}


async def test_a_full_lane_turns_sign_ins_away_before_the_store_is_asked(gate: Gate) -> None:
    await gate.ana()
    calls = gate.store.calls.copy()
    gate.lane.is_full = True

    with pytest.raises(PasswordsBusyError):
        await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    with pytest.raises(PasswordsBusyError):
        await gate.sessions.join("bo@example.org", PASSWORD, Role.USER, TRACE)

    assert gate.store.calls == calls
    tried: list[AnyEvent] = [*gate.logins(), *gate.journal.of(SignUpTried)]
    assert [(one.outcome, one.reason) for one in tried if isinstance(one, LoginTried | SignUpTried)] == [
        (LoginOutcome.REFUSED, Reason.SIGN_IN_BUSY),
        (SignUpOutcome.REFUSED, Reason.SIGN_IN_BUSY),
    ]


async def test_a_hash_with_yesterdays_parameters_is_renewed_after_a_good_sign_in_only(gate: Gate) -> None:
    user = await gate.ana()
    old = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    await gate.store.set_password_hash(user.id, old)
    with pytest.raises(WrongCredentialsError):
        await gate.sessions.sign_in(ANA, "not the right one", TRACE)
    assert not gate.later

    await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    await gate.finish_later()

    found = await gate.store.user_with_password(ANA)
    assert found is not None
    assert found[1] not in {None, old}
    assert not gate.lane.is_outdated(found[1] or "")
    await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    assert not gate.later


async def test_an_old_hash_stays_when_there_is_no_room_to_renew_it(gate: Gate) -> None:
    user = await gate.ana()
    old = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    await gate.store.set_password_hash(user.id, old)
    await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    gate.lane.is_full = True

    await gate.finish_later()

    assert (await gate.store.user_with_password(ANA) or (None, None))[1] == old


async def test_a_renewed_hash_does_not_bring_the_old_password_back(gate: Gate) -> None:
    user = await gate.ana()
    old = argon2.PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    await gate.store.set_password_hash(user.id, old)
    here, _ = await gate.sessions.sign_in(ANA, PASSWORD, TRACE)

    await gate.sessions.change_password(here, PASSWORD, "another tide, another time")
    await gate.finish_later()

    with pytest.raises(WrongCredentialsError):
        await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    await gate.sessions.sign_in(ANA, "another tide, another time", TRACE)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.001)


@pytest.fixture
def slow() -> Iterator[tuple[Gate, Gated]]:
    """Passwords are hashed and verified when they are let."""
    hasher = Gated()
    hasher.let.set()
    made = Gate(hasher=hasher)
    yield made, hasher
    hasher.let.set()
    made.lane.close()


async def test_an_old_password_that_is_being_verified_while_it_is_changed_begins_no_session(
    slow: tuple[Gate, Gated],
) -> None:
    """It was right when it was asked for, and is not when the session would begin."""
    gate, hasher = slow
    user, new_hash = await gate.ana(), CHEAP.hash("another tide, another time")
    hasher.let.clear()
    begun = hasher.begun
    signing_in = asyncio.create_task(gate.sessions.sign_in(ANA, PASSWORD, TRACE))
    await _until(lambda: hasher.begun > begun)

    await gate.store.set_password_hash(user.id, new_hash)
    await gate.store.end_sessions(user.id)
    hasher.let.set()

    with pytest.raises(WrongCredentialsError):
        await signing_in
    assert await gate.store.sessions(user.id, gate.clock()) == []
    assert [(tried.outcome, tried.reason, tried.sess) for tried in gate.logins()] == [
        (LoginOutcome.BAD_PASSWORD, Reason.WRONG_CREDENTIALS, None)
    ]


async def test_of_two_changes_at_once_the_one_that_knew_the_old_password_last_does_not_win(
    slow: tuple[Gate, Gated],
) -> None:
    gate, hasher = slow
    here, _ = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    new_hash = CHEAP.hash("another tide, another time")
    hasher.let.clear()
    begun = hasher.begun
    changing = asyncio.create_task(gate.sessions.change_password(here, PASSWORD, "what somebody else would like"))
    await _until(lambda: hasher.begun > begun)

    await gate.store.set_password_hash(here.user.id, new_hash)
    hasher.let.set()

    with pytest.raises(WrongCredentialsError):
        await changing
    assert (await gate.store.user_with_password(ANA) or (None, None))[1] == new_hash


async def test_what_this_service_did_not_issue_never_reaches_the_store(gate: Gate) -> None:
    user = await gate.ana()
    genuine = issue(Kind.SESSION, user.id, KEYS, now=1.0, entropy=b"e" * 16)
    other_keys = ServerKeys(1, {1: b"x" * 32})
    calls = gate.store.calls.copy()

    for text in (
        "",
        "junk",
        genuine[:-1] + ("0" if genuine[-1] != "0" else "1"),
        issue(Kind.SESSION, user.id, other_keys, now=1.0, entropy=b"e" * 16),
        issue(Kind.API_KEY, user.id, KEYS, now=1.0, entropy=b"e" * 16),
    ):
        assert await gate.sessions.find(text) is None
    assert gate.store.calls == calls

    assert await gate.sessions.find(genuine) is None, "genuine, but never begun"
    assert gate.store.calls - calls == {"live_session": 1}


async def test_a_session_ends_with_its_time(gate: Gate) -> None:
    _, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)

    gate.clock.advance(SESSION_S - 1)
    assert await gate.sessions.find(text) is not None
    gate.clock.advance(1)
    assert await gate.sessions.find(text) is None


async def test_a_sessions_last_use_is_kept_to_the_hour(gate: Gate) -> None:
    signed_in, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    for seconds in (USE_GRAIN_S - 1, 1.0, 1.0):
        gate.clock.advance(seconds)
        await gate.sessions.find(text)
        await gate.finish_later()

    assert gate.store.calls["note_session_use"] == 1
    assert [session.last_seen_at_s for session in await gate.sessions.live(signed_in)] == [1_000_000.0 + USE_GRAIN_S]


async def test_signing_out_ends_this_session_only_and_tells_whoever_holds_streams(gate: Gate) -> None:
    here, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    _, other_text = await gate.sessions.sign_in(ANA, PASSWORD, TRACE)

    await gate.sessions.sign_out(here)
    await gate.sessions.sign_out(here)

    assert await gate.sessions.find(text) is None
    assert await gate.sessions.find(other_text) is not None
    assert gate.ended == [here.session.id]
    ended = AccountChanged(t=1_000_000.0, event=Tag.ACCOUNT_SESSIONS_ENDED, acct=fingerprint(here.user.id))
    assert gate.journal.events.count(ended) == 1


async def test_one_other_session_or_all_others_are_ended(gate: Gate) -> None:
    here, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    others = [(await gate.sessions.sign_in(ANA, PASSWORD, TRACE))[0].session.id for _ in range(3)]

    await gate.sessions.end(here, others[0])
    assert gate.ended == others[:1]
    await gate.sessions.end_others(here)

    assert sorted(gate.ended) == sorted(others)
    assert [session.id for session in await gate.sessions.live(here)] == [here.session.id]
    assert await gate.sessions.find(text) == here


async def test_nobody_ends_anothers_session(gate: Gate) -> None:
    here, _ = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    bo, bos_text = await gate.sessions.join("bo@example.org", PASSWORD, Role.USER, TRACE)

    with pytest.raises(NotFoundError, match=r"^session: "):
        await gate.sessions.end(here, bo.session.id)
    await gate.sessions.end_others(here)

    assert await gate.sessions.find(bos_text) == bo
    assert gate.ended == []


async def test_a_changed_password_ends_all_other_sessions(gate: Gate) -> None:
    here, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    other, other_text = await gate.sessions.sign_in(ANA, PASSWORD, TRACE)

    await gate.sessions.change_password(here, PASSWORD, "and the moon pulls on")

    assert await gate.sessions.find(text) == here
    assert await gate.sessions.find(other_text) is None
    assert gate.ended == [other.session.id]
    with pytest.raises(WrongCredentialsError):
        await gate.sessions.sign_in(ANA, PASSWORD, TRACE)
    await gate.sessions.sign_in(ANA, "and the moon pulls on", TRACE)
    tags = [event.event for event in gate.journal.of(AccountChanged)]
    assert tags == [Tag.ACCOUNT_CREATED, Tag.ACCOUNT_PASSWORD_CHANGED, Tag.ACCOUNT_SESSIONS_ENDED]


@pytest.mark.parametrize(
    ("current", "new", "error"),
    [
        ("not the right one", "and the moon pulls on", WrongCredentialsError),
        (PASSWORD, "short", ValueError),
        (PASSWORD, "ana@example.org", ValueError),
    ],
)
async def test_a_password_that_may_not_be_changed_stays(
    gate: Gate, current: str, new: str, error: type[Exception]
) -> None:
    here, _ = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)

    with pytest.raises(error):
        await gate.sessions.change_password(here, current, new)

    assert gate.ended == []
    await gate.sessions.sign_in(ANA, PASSWORD, TRACE)


async def test_an_account_has_a_bounded_number_of_sessions_and_the_oldest_goes_first(gate: Gate) -> None:
    user = await gate.ana()
    begun = []
    for _ in range(MOST_SESSIONS + 2):
        gate.clock.advance(1.0)
        begun.append((await gate.sessions.begin(user))[0])

    assert gate.ended == [one.session.id for one in begun[:2]]
    assert len(await gate.sessions.live(begun[-1])) == MOST_SESSIONS


async def test_neither_session_nor_password_stands_in_the_log_or_in_what_is_kept(gate: Gate) -> None:
    signed_in, text = await gate.sessions.join(ANA, PASSWORD, Role.USER, TRACE)
    await gate.sessions.sign_in(ANA, PASSWORD, TRACE)

    seen = repr((gate.journal.events, signed_in, vars(gate.store)))
    assert text not in seen
    assert PASSWORD not in seen
    assert ANA not in repr(gate.journal.events)


async def test_many_sign_ins_at_once_are_each_their_own(gate: Gate) -> None:
    await gate.ana()

    made = await asyncio.gather(*(gate.sessions.sign_in(ANA, PASSWORD, TRACE) for _ in range(3)))

    assert len({text for _, text in made}) == 3
