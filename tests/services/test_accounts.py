"""What an operator does with accounts, done once for the command line and the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256

import argon2
import msgspec
import pytest

from tests.budgets import a_quotas
from tests.reputation import a_reputation
from tidegate.core.accounts import ApiKey, Role, Scope, Session, User
from tidegate.core.credentials import Kind, ServerKeys, digest, read
from tidegate.core.events import AccountChanged, Tag
from tidegate.core.identifiers import Fingerprint, KeyId, SessionId, UserId
from tidegate.core.standing.classes import Standing
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.accounts import (
    MOST_LIVE_KEYS,
    Clerk,
    CreatedKey,
    CreateKey,
    CreateUser,
    KnownUser,
    ListKeys,
    ListUsers,
    NotFoundError,
    RevokeKey,
    SetPassword,
    Vouch,
)
from tidegate.services.authenticate import Caller, Forbidden, Unknown, authenticate
from tidegate.services.passwords import PasswordLane
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

KEYS = ServerKeys(1, {1: b"k" * 32})


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


@pytest.fixture
def journal() -> RecordingJournal:
    return RecordingJournal()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1000.0)


@pytest.fixture
def store() -> MemoryAccountStore:
    return MemoryAccountStore()


@pytest.fixture
def clerk(store: MemoryAccountStore, journal: RecordingJournal, clock: HandClock) -> Iterator[Clerk]:
    lane = PasswordLane()
    yield Clerk(
        accounts=store,
        server_keys=KEYS,
        journal=journal,
        fingerprint=fingerprint,
        clock=clock,
        passwords=lane,
        reputation=a_reputation(store, clock),
        quotas=a_quotas(store, clock),
    )
    lane.close()


async def test_a_user_is_made_under_the_normalised_address_and_found_in_the_list(clerk: Clerk) -> None:
    user = await clerk.perform(CreateUser(email=" Ana@Example.org ", role=Role.OPERATOR))

    assert isinstance(user, User)
    assert (user.email, user.role) == ("ana@example.org", Role.OPERATOR)
    assert (user.created_at_s, user.member_since_s) == (1000.0, 1000.0)
    assert await clerk.perform(ListUsers()) == [user]


async def test_an_address_makes_one_account_only(clerk: Clerk) -> None:
    await clerk.create_user("ana@example.org")

    with pytest.raises(EmailTakenError):
        await clerk.create_user("ANA@example.org")
    assert len(await clerk.users()) == 1


async def test_an_imported_member_keeps_their_date_but_nobody_comes_from_the_future(clerk: Clerk) -> None:
    user = await clerk.create_user("ana@example.org", member_since_s=12.5)

    assert (user.created_at_s, user.member_since_s) == (1000.0, 12.5)
    with pytest.raises(ValueError, match=r"^since: "):
        await clerk.create_user("bo@example.org", member_since_s=1000.5)


@pytest.mark.parametrize("since_s", [float("nan"), float("inf")])
async def test_a_date_is_a_date(clerk: Clerk, since_s: float) -> None:
    with pytest.raises(ValueError, match=r"^since: "):
        await clerk.create_user("ana@example.org", member_since_s=since_s)


async def test_a_password_is_kept_as_an_argon2_hash_only(clerk: Clerk, store: MemoryAccountStore) -> None:
    password = "a tide waits for nobody"
    user = await clerk.create_user("ana@example.org", password=password)

    found = await store.user_with_password(user.email)

    assert found is not None
    kept = found[1]
    assert kept is not None
    assert password not in kept
    assert kept.startswith("$argon2id$")
    assert argon2.PasswordHasher().verify(kept, password)


async def test_an_account_may_have_no_password(clerk: Clerk, store: MemoryAccountStore) -> None:
    user = await clerk.create_user("ana@example.org")

    assert await store.user_with_password(user.email) == (user, None)


@pytest.mark.parametrize(
    "password", ["", "x" * 14, "x" * 1025, "half a pair \ud83d of it"], ids=["none", "short", "long", "broken"]
)
async def test_a_password_out_of_bounds_makes_no_account_and_is_not_repeated(clerk: Clerk, password: str) -> None:
    with pytest.raises(ValueError, match=r"^password: ") as refused:
        await clerk.create_user("ana@example.org", password=password)

    assert not password or password not in str(refused.value)
    assert "\ud83d" not in str(refused.value)
    assert "ud83d" not in str(refused.value)
    assert await clerk.users() == []


@pytest.mark.parametrize("email", ["ana", "ana@localhost", "a\ud83d@example.org"])
async def test_what_is_no_address_makes_no_account(clerk: Clerk, email: str) -> None:
    with pytest.raises(ValueError, match=r"^email: "):
        await clerk.create_user(email)
    assert await clerk.users() == []


async def test_a_new_key_opens_the_door_and_its_text_is_kept_nowhere(
    clerk: Clerk, store: MemoryAccountStore, journal: RecordingJournal
) -> None:
    user = await clerk.create_user("ana@example.org")

    made = await clerk.perform(CreateKey(email="Ana@example.org", name="laptop"))

    assert isinstance(made, CreatedKey)
    assert (made.key.owner, made.key.name, made.key.scopes) == (user.id, "laptop", frozenset(Scope))
    assert await authenticate(made.text, Scope.CHAT, store, KEYS) == Caller(user, made.key)
    assert made.text not in repr((made.key, await clerk.keys("ana@example.org"), journal.events))


async def test_a_key_may_do_what_it_was_made_for_and_nothing_else(clerk: Clerk, store: MemoryAccountStore) -> None:
    user = await clerk.create_user("ana@example.org")

    made = await clerk.create_key("ana@example.org", scopes=frozenset({Scope.MODELS}))

    assert await authenticate(made.text, Scope.MODELS, store, KEYS) == Caller(user, made.key)
    assert await authenticate(made.text, Scope.CHAT, store, KEYS) == Forbidden(Caller(user, made.key), Scope.CHAT)
    with pytest.raises(ValueError, match=r"^scopes: "):
        await clerk.create_key("ana@example.org", scopes=frozenset())


async def test_an_account_has_a_bounded_number_of_live_keys_however_fast_they_are_asked_for(
    clerk: Clerk, store: MemoryAccountStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clerk.create_user("ana@example.org")
    kept = store.keys

    async def keys_after_a_while(owner: UserId) -> list[ApiKey]:
        found = await kept(owner)
        await asyncio.sleep(0)  # A real store lets others go on here.
        return found

    monkeypatch.setattr(store, "keys", keys_after_a_while)

    asked = [clerk.create_key("ana@example.org") for _ in range(MOST_LIVE_KEYS + 3)]
    made = await asyncio.gather(*asked, return_exceptions=True)

    refused = [str(one) for one in made if isinstance(one, ValueError)]
    assert refused == [f"key: an account has at most {MOST_LIVE_KEYS} live keys; revoke one first"] * 3
    keys = await clerk.keys("ana@example.org")
    assert len(keys) == MOST_LIVE_KEYS
    await clerk.revoke_key("ana@example.org", keys[0].id)
    await clerk.create_key("ana@example.org")


async def test_two_keys_are_never_alike(clerk: Clerk) -> None:
    await clerk.create_user("ana@example.org")
    made = [await clerk.create_key("ana@example.org") for _ in range(20)]

    assert len({one.text for one in made}) == len({one.key.id for one in made}) == 20
    assert all(read(one.text, Kind.API_KEY, KEYS).__class__.__name__ == "Genuine" for one in made)
    assert len({digest(one.text) for one in made}) == 20


@pytest.mark.parametrize("name", ["x" * 101, "a\nb", "a\0b", "half \ud83d"])
async def test_a_keys_name_is_short_and_printable(clerk: Clerk, name: str) -> None:
    await clerk.create_user("ana@example.org")

    with pytest.raises(ValueError, match=r"^name: "):
        await clerk.create_key("ana@example.org", name)
    assert await clerk.keys("ana@example.org") == []


async def test_a_revoked_key_is_listed_as_such_and_opens_nothing(
    clerk: Clerk, store: MemoryAccountStore, clock: HandClock
) -> None:
    await clerk.create_user("ana@example.org")
    made = await clerk.create_key("ana@example.org")
    clock.advance(5.0)

    await clerk.perform(RevokeKey(email="ana@example.org", key_id=made.key.id))

    listed = await clerk.perform(ListKeys(email="ana@example.org"))
    assert isinstance(listed, list)
    assert [key.revoked_at_s for key in listed if isinstance(key, ApiKey)] == [1005.0]
    assert await authenticate(made.text, Scope.CHAT, store, KEYS) == Unknown("revoked")


async def test_what_is_not_there_is_said_by_name(clerk: Clerk) -> None:
    await clerk.create_user("ana@example.org")
    await clerk.create_user("bo@example.org")
    hers = (await clerk.create_key("ana@example.org")).key.id

    for act in (CreateKey(email="cy@example.org"), ListKeys(email="cy@example.org")):
        with pytest.raises(NotFoundError, match=r"^user: "):
            await clerk.perform(act)
    for email, key_id in (("ana@example.org", KeyId.of(bytes(8))), ("bo@example.org", hers)):
        with pytest.raises(NotFoundError, match=r"^key: "):
            await clerk.revoke_key(email, key_id)
    await clerk.revoke_key("ana@example.org", hers)
    with pytest.raises(NotFoundError, match=r"^key: "):
        await clerk.revoke_key("ana@example.org", hers)


async def test_what_cannot_be_a_keys_id_is_blamed_on_the_key_and_not_repeated(clerk: Clerk) -> None:
    """People paste the key itself."""
    await clerk.create_user("ana@example.org")
    text = (await clerk.create_key("ana@example.org")).text

    with pytest.raises(ValueError, match=r"^key: ") as refused:
        await clerk.revoke_key("ana@example.org", text)
    assert text not in str(refused.value)


async def test_every_act_that_changes_something_is_recorded_by_fingerprint(
    clerk: Clerk, journal: RecordingJournal
) -> None:
    user = await clerk.create_user("ana@example.org")
    key = (await clerk.create_key("ana@example.org")).key
    await clerk.keys("ana@example.org")
    await clerk.users()
    await clerk.revoke_key("ana@example.org", key.id)

    acct, by_key = fingerprint(user.id), fingerprint(key.id)
    assert journal.events == [
        AccountChanged(t=1000.0, event=Tag.ACCOUNT_CREATED, acct=acct),
        AccountChanged(t=1000.0, event=Tag.KEY_CREATED, acct=acct, key=by_key),
        AccountChanged(t=1000.0, event=Tag.KEY_REVOKED, acct=acct, key=by_key),
    ]


async def test_an_act_that_fails_is_not_recorded(clerk: Clerk, journal: RecordingJournal) -> None:
    with pytest.raises(ValueError):
        await clerk.create_user("nobody")
    with pytest.raises(NotFoundError):
        await clerk.create_key("nobody@example.org")

    assert journal.events == []


async def test_a_password_that_was_forgotten_is_replaced_and_ends_every_session(
    clerk: Clerk, store: MemoryAccountStore, journal: RecordingJournal
) -> None:
    told: list[SessionId] = []
    clerk = msgspec.structs.replace(clerk, ended=told.extend)
    user = await clerk.create_user("ana@example.org", password="the one that was forgotten")
    session = Session(id=SessionId.of(bytes(8)), owner=user.id, created_at_s=1.0, expires_at_s=9e9, last_seen_at_s=1.0)
    await store.add_session(session, b"d" * 32, most=9)

    await clerk.perform(SetPassword(email="ANA@example.org", password="another that is kept"))

    found = await store.user_with_password("ana@example.org")
    assert found is not None
    assert await clerk.passwords.verify(found[1], "another that is kept")
    assert not await clerk.passwords.verify(found[1], "the one that was forgotten")
    assert (told, await store.sessions(user.id, 2.0)) == ([session.id], [])
    assert journal.of(AccountChanged)[-1].event is Tag.ACCOUNT_PASSWORD_CHANGED


async def test_an_account_that_was_made_without_a_password_gets_its_first(
    clerk: Clerk, store: MemoryAccountStore
) -> None:
    await clerk.create_user("ana@example.org")

    await clerk.set_password("ana@example.org", "a first one that is long")

    found = await store.user_with_password("ana@example.org")
    assert found is not None
    assert await clerk.passwords.verify(found[1], "a first one that is long")


async def test_nobodys_password_is_set_and_none_that_breaks_the_rules(clerk: Clerk) -> None:
    await clerk.create_user("ana@example.org")

    with pytest.raises(NotFoundError):
        await clerk.set_password("bo@example.org", "long enough for anybody")
    with pytest.raises(ValueError, match="password: "):
        await clerk.set_password("ana@example.org", "short")


async def test_an_operator_can_vouch_for_somebody_and_take_it_back(clerk: Clerk, journal: RecordingJournal) -> None:
    user = await clerk.perform(CreateUser(email="ana@example.org"))
    assert isinstance(user, KnownUser)
    assert user.standing is Standing.NEWCOMER

    vouched = await clerk.perform(Vouch(email="Ana@Example.org"))
    assert vouched == msgspec.structs.replace(user, standing=Standing.ESTABLISHED, is_vouched=True)
    assert await clerk.perform(ListUsers()) == [vouched]
    assert await clerk.perform(Vouch(email="ana@example.org", is_withdrawn=True)) == user
    assert await clerk.perform(ListUsers()) == [user]

    told = [(event.event, event.acct) for event in journal.of(AccountChanged)]
    tags = (Tag.ACCOUNT_CREATED, Tag.ACCOUNT_VOUCHED, Tag.ACCOUNT_VOUCH_WITHDRAWN)
    assert told == [(tag, fingerprint(user.id)) for tag in tags]


async def test_nobody_vouches_for_nobody(clerk: Clerk, journal: RecordingJournal) -> None:
    with pytest.raises(NotFoundError, match=r"bo@example\.org"):
        await clerk.perform(Vouch(email="bo@example.org"))
    with pytest.raises(ValueError, match=r"^email: "):
        await clerk.perform(Vouch(email="bo"))
    assert journal.events == []
