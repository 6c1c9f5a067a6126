"""What every AccountStore promises of sessions."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from tests.storage import a_session, a_user
from tidegate.core.accounts import Session, User
from tidegate.core.identifiers import SessionId, UserId
from tidegate.ports.accounts import AccountStore, PasswordChangedError


async def _added(accounts: AccountStore) -> User:
    user = a_user()
    await accounts.add_user(user, None)
    return user


async def _signed_in(accounts: AccountStore, owner: UserId, created_at_s: float, most: int = 9) -> Session:
    session = a_session(owner, created_at_s)
    await accounts.add_session(session, session.id.encode().ljust(32)[:32], most=most)
    return session


async def test_a_live_session_is_found_with_its_owner_until_it_expires(accounts: AccountStore) -> None:
    user = await _added(accounts)
    session = a_session(user.id, 200.0, 900.0)

    assert await accounts.add_session(session, b"d" * 32, most=3) == []

    assert await accounts.live_session(user.id, b"d" * 32, 899.9) == (user, session)
    assert await accounts.live_session(user.id, b"e" * 32, 899.9) is None
    assert await accounts.live_session(user.id, b"d" * 32, 900.0) is None
    assert await accounts.sessions(user.id, 899.9) == [session]
    assert await accounts.sessions(user.id, 900.0) == []


async def test_a_session_needs_an_owner_who_exists(accounts: AccountStore) -> None:
    with pytest.raises(LookupError):
        await accounts.add_session(a_session(UserId.of(os.urandom(8))), b"d" * 32, most=3)


async def test_an_id_or_digest_in_use_is_refused_and_ends_nobodys_session(accounts: AccountStore) -> None:
    ana, bo = await _added(accounts), await _added(accounts)
    session, mine = a_session(ana.id), a_session(bo.id)
    await accounts.add_session(session, b"1" * 32, most=1)
    await accounts.add_session(mine, b"2" * 32, most=1)

    with pytest.raises(ValueError, match="in use"):
        await accounts.add_session(a_session(bo.id), b"1" * 32, most=1)
    with pytest.raises(ValueError, match="in use"):
        await accounts.add_session(msgspec.structs.replace(session, owner=bo.id), b"3" * 32, most=1)
    assert await accounts.sessions(ana.id, 300.0) == [session]
    assert await accounts.sessions(bo.id, 300.0) == [mine]


async def test_the_oldest_beyond_the_most_are_ended_and_named(accounts: AccountStore) -> None:
    user, other = await _added(accounts), await _added(accounts)
    untouched = await _signed_in(accounts, other.id, 1.0)
    second, first, third = [await _signed_in(accounts, user.id, at_s) for at_s in (220.0, 210.0, 230.0)]
    fourth = a_session(user.id, 240.0)

    assert set(await accounts.add_session(fourth, b"4" * 32, most=2)) == {first.id, second.id}

    assert await accounts.sessions(user.id, 250.0) == [fourth, third]
    assert await accounts.sessions(other.id, 250.0) == [untouched]


async def test_the_new_session_stays_though_the_clock_stepped_back(accounts: AccountStore) -> None:
    user = await _added(accounts)
    late = await _signed_in(accounts, user.id, 500.0)
    early = a_session(user.id, 100.0)

    assert await accounts.add_session(early, b"e" * 32, most=1) == [late.id]
    assert await accounts.sessions(user.id, 101.0) == [early]


async def test_expired_sessions_are_removed_and_take_nobodys_place(accounts: AccountStore) -> None:
    user = await _added(accounts)
    expired, live = a_session(user.id, 300.0, 400.0), a_session(user.id, 200.0, 900.0)
    await accounts.add_session(expired, b"1" * 32, most=9)
    await accounts.add_session(live, b"2" * 32, most=9)
    new = a_session(user.id, 400.0)

    assert await accounts.add_session(new, b"3" * 32, most=2) == []

    assert await accounts.sessions(user.id, 0.0) == [new, live]
    assert await accounts.end_session(user.id, expired.id) is False


async def test_many_sign_ins_at_once_leave_no_more_than_the_most(accounts: AccountStore) -> None:
    user = await _added(accounts)

    await asyncio.gather(*(_signed_in(accounts, user.id, 200.0 + number, most=3) for number in range(8)))

    assert len(await accounts.sessions(user.id, 300.0)) == 3


async def test_the_last_use_of_a_session_is_remembered(accounts: AccountStore) -> None:
    user = await _added(accounts)
    session = await _signed_in(accounts, user.id, 200.0)

    await accounts.note_session_use(user.id, session.id, 333.5)
    await accounts.note_session_use(user.id, SessionId.of(os.urandom(8)), 444.5)

    assert await accounts.sessions(user.id, 400.0) == [msgspec.structs.replace(session, last_seen_at_s=333.5)]


async def test_an_ended_session_opens_nothing_and_is_gone(accounts: AccountStore) -> None:
    user = await _added(accounts)
    session, other = a_session(user.id), await _signed_in(accounts, user.id, 100.0)
    await accounts.add_session(session, b"d" * 32, most=9)

    assert await accounts.end_session(user.id, session.id) is True

    assert await accounts.live_session(user.id, b"d" * 32, 300.0) is None
    assert await accounts.sessions(user.id, 300.0) == [other]
    assert await accounts.end_session(user.id, session.id) is False


async def test_all_sessions_but_one_can_be_ended_together(accounts: AccountStore) -> None:
    user, bo = await _added(accounts), await _added(accounts)
    first, kept, last = [await _signed_in(accounts, user.id, at_s) for at_s in (1.0, 2.0, 3.0)]
    his = await _signed_in(accounts, bo.id, 1.0)

    assert set(await accounts.end_sessions(user.id, keep=kept.id)) == {first.id, last.id}
    assert await accounts.sessions(user.id, 9.0) == [kept]
    assert await accounts.end_sessions(user.id) == [kept.id]
    assert await accounts.end_sessions(user.id) == []
    assert await accounts.sessions(bo.id, 9.0) == [his]


async def test_another_owner_can_neither_find_nor_end_nor_touch_a_session(accounts: AccountStore) -> None:
    ana, bo = await _added(accounts), await _added(accounts)
    session = a_session(ana.id)
    await accounts.add_session(session, b"d" * 32, most=9)

    assert await accounts.live_session(bo.id, b"d" * 32, 300.0) is None
    assert await accounts.sessions(bo.id, 300.0) == []
    assert await accounts.end_session(bo.id, session.id) is False
    assert await accounts.end_sessions(bo.id) == []
    await accounts.note_session_use(bo.id, session.id, 300.0)
    assert await accounts.sessions(ana.id, 300.0) == [session]


async def test_a_session_begins_only_while_the_verified_hash_is_the_stored_one(accounts: AccountStore) -> None:
    user, nobody = a_user(), a_session(UserId.of(os.urandom(8)))
    await accounts.add_user(user, "old")
    first, late, new = (a_session(user.id, at_s) for at_s in (200.0, 210.0, 220.0))
    await accounts.add_session(first, b"1" * 32, most=1, if_password_hash="old")
    await accounts.set_password_hash(user.id, "new")

    with pytest.raises(PasswordChangedError):
        await accounts.add_session(late, b"2" * 32, most=1, if_password_hash="old")
    assert await accounts.sessions(user.id, 300.0) == [first]
    with pytest.raises(LookupError):
        await accounts.add_session(nobody, b"2" * 32, most=1, if_password_hash="old")
    await accounts.add_session(new, b"3" * 32, most=1, if_password_hash="new")
    assert await accounts.sessions(user.id, 300.0) == [new]


async def test_a_password_changed_amid_sign_ins_leaves_no_session_of_the_old_one(accounts: AccountStore) -> None:
    """Whoever ends the sessions after the change has ended all that the old password ever began."""
    user = a_user()
    await accounts.add_user(user, "old")
    sessions = [a_session(user.id, 200.0 + number) for number in range(24)]

    async def change() -> None:
        await accounts.set_password_hash(user.id, "new", if_password_hash="old")
        await accounts.end_sessions(user.id)

    async def sign_in(session: Session) -> None:
        digest = session.id.encode().ljust(32)[:32]
        await accounts.add_session(session, digest, most=50, if_password_hash="old")

    before, after = map(list, (map(sign_in, sessions[:12]), map(sign_in, sessions[12:])))
    outcomes = await asyncio.gather(*before, change(), *after, return_exceptions=True)

    assert await accounts.sessions(user.id, 300.0) == []
    assert outcomes[12] is None
    assert {type(one) for one in outcomes} <= {type(None), PasswordChangedError}
    with pytest.raises(PasswordChangedError):
        await sign_in(sessions[-1])
