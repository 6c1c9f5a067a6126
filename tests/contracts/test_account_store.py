"""What every AccountStore promises."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from tests.storage import a_key, a_user
from tidegate.core.accounts import Role, User
from tidegate.core.identifiers import KeyId, UserId
from tidegate.ports.accounts import AccountStore, EmailTakenError, PasswordChangedError


async def _added(accounts: AccountStore, **kwargs: float) -> User:
    user = a_user(**kwargs)  # type: ignore[arg-type]
    await accounts.add_user(user, None)
    return user


async def test_a_user_is_found_again_by_id_and_by_address(accounts: AccountStore) -> None:
    user = msgspec.structs.replace(a_user("ana@example.org"), role=Role.OPERATOR)
    await accounts.add_user(user, "$argon2id$x")

    assert await accounts.user(user.id) == user
    assert await accounts.user_by_email("ana@example.org") == user
    assert await accounts.user_with_password("ana@example.org") == (user, "$argon2id$x")


async def test_an_unknown_user_is_none_and_not_an_error(accounts: AccountStore) -> None:
    await _added(accounts)

    assert await accounts.user(UserId.of(os.urandom(8))) is None
    assert await accounts.user_by_email("nobody@example.org") is None
    assert await accounts.user_by_email("nul\0@example.org") is None
    assert await accounts.user_by_email("half\ud800@example.org") is None
    for email in ("nobody@example.org", "nul\0@example.org", "half\ud800@example.org", ""):
        assert await accounts.user_with_password(email) is None


async def test_an_account_may_have_no_password(accounts: AccountStore) -> None:
    user = await _added(accounts)

    assert await accounts.user_with_password(user.email) == (user, None)


async def test_an_address_belongs_to_one_account_even_when_two_ask_at_once(accounts: AccountStore) -> None:
    rivals = [a_user("ana@example.org") for _ in range(5)]

    outcomes = await asyncio.gather(*(accounts.add_user(user, None) for user in rivals), return_exceptions=True)

    assert [outcome for outcome in outcomes if outcome is None] == [None]
    assert sum(isinstance(outcome, EmailTakenError) for outcome in outcomes) == 4
    assert len(await accounts.users()) == 1


async def test_a_user_id_in_use_is_refused_and_the_first_user_stays(accounts: AccountStore) -> None:
    user = await _added(accounts)

    with pytest.raises(ValueError, match="in use"):
        await accounts.add_user(msgspec.structs.replace(user, email="other@example.org"), None)
    assert await accounts.users() == [user]


async def test_users_are_listed_oldest_first(accounts: AccountStore) -> None:
    late, early = await _added(accounts, created_at_s=9.0), await _added(accounts, created_at_s=3.0)

    assert await accounts.users() == [early, late]


async def test_a_live_key_is_found_with_its_owner(accounts: AccountStore) -> None:
    user = await _added(accounts)
    key = a_key(user.id)
    await accounts.add_key(user.id, key, b"d" * 32)

    assert await accounts.live_key(user.id, b"d" * 32) == (user, key)
    assert await accounts.live_key(user.id, b"e" * 32) is None
    assert await accounts.keys(user.id) == [key]


async def test_a_key_needs_an_owner_who_exists(accounts: AccountStore) -> None:
    nobody = UserId.of(os.urandom(8))

    with pytest.raises(LookupError):
        await accounts.add_key(nobody, a_key(nobody), b"d" * 32)


async def test_a_key_cannot_be_added_for_somebody_else(accounts: AccountStore) -> None:
    ana, bo = await _added(accounts), await _added(accounts)

    with pytest.raises(ValueError, match="another owner"):
        await accounts.add_key(ana.id, a_key(bo.id), b"d" * 32)
    assert await accounts.keys(bo.id) == []


async def test_a_digest_belongs_to_one_key(accounts: AccountStore) -> None:
    ana, bo = await _added(accounts), await _added(accounts)
    await accounts.add_key(ana.id, a_key(ana.id), b"d" * 32)

    with pytest.raises(ValueError, match="in use"):
        await accounts.add_key(bo.id, a_key(bo.id), b"d" * 32)


async def test_a_revoked_key_opens_nothing_and_is_still_listed(accounts: AccountStore) -> None:
    user = await _added(accounts)
    first, second = a_key(user.id, created_at_s=2.0), a_key(user.id, created_at_s=1.0)
    await accounts.add_key(user.id, first, b"1" * 32)
    await accounts.add_key(user.id, second, b"2" * 32)

    assert await accounts.revoke_key(user.id, first.id, 7.5) is True

    assert await accounts.live_key(user.id, b"1" * 32) is None
    assert await accounts.live_key(user.id, b"2" * 32) == (user, second)
    assert await accounts.keys(user.id) == [second, msgspec.structs.replace(first, revoked_at_s=7.5)]


async def test_revoking_twice_says_no_and_keeps_the_first_time(accounts: AccountStore) -> None:
    user = await _added(accounts)
    key = a_key(user.id)
    await accounts.add_key(user.id, key, b"d" * 32)
    await accounts.revoke_key(user.id, key.id, 7.5)

    assert await accounts.revoke_key(user.id, key.id, 9.0) is False
    assert (await accounts.keys(user.id))[0].revoked_at_s == 7.5
    assert await accounts.revoke_key(user.id, KeyId.of(os.urandom(8)), 9.0) is False


async def test_the_last_use_of_a_key_is_remembered(accounts: AccountStore) -> None:
    user = await _added(accounts)
    key = a_key(user.id)
    await accounts.add_key(user.id, key, b"d" * 32)

    await accounts.note_key_use(user.id, key.id, 12.5)
    await accounts.note_key_use(user.id, KeyId.of(os.urandom(8)), 13.5)

    assert (await accounts.keys(user.id))[0].last_used_at_s == 12.5


async def test_another_owner_can_neither_find_nor_end_nor_touch_a_key(accounts: AccountStore) -> None:
    ana, bo = await _added(accounts), await _added(accounts)
    key = a_key(ana.id)
    await accounts.add_key(ana.id, key, b"d" * 32)

    assert await accounts.live_key(bo.id, b"d" * 32) is None
    assert await accounts.keys(bo.id) == []
    assert await accounts.revoke_key(bo.id, key.id, 5.0) is False
    await accounts.note_key_use(bo.id, key.id, 5.0)
    assert await accounts.keys(ana.id) == [key]


@pytest.mark.parametrize("unstorable", ["a\0b", "half \ud83d of a pair"])
async def test_text_that_no_database_keeps_alike_is_refused(accounts: AccountStore, unstorable: str) -> None:
    user = await _added(accounts)

    with pytest.raises(ValueError):
        await accounts.add_user(a_user(unstorable), None)
    with pytest.raises(ValueError):
        await accounts.add_key(user.id, a_key(user.id, name=unstorable), b"d" * 32)
    assert await accounts.users() == [user]
    assert await accounts.keys(user.id) == []


async def test_a_name_may_be_in_any_script(accounts: AccountStore) -> None:
    user = await _added(accounts)
    key = a_key(user.id, name="Räkner 🌊 海 'quoted\" \\ % _ ; --")
    await accounts.add_key(user.id, key, b"d" * 32)

    assert await accounts.keys(user.id) == [key]


async def test_the_newest_users_come_first_and_no_more_than_asked_for(accounts: AccountStore) -> None:
    oldest, newest, middle = [await _added(accounts, created_at_s=at_s) for at_s in (1.0, 3.0, 2.0)]

    assert await accounts.newest_users(2) == [newest, middle]
    assert await accounts.newest_users(9) == [newest, middle, oldest]


async def test_whether_there_is_an_operator_who_can_sign_in_is_known(accounts: AccountStore) -> None:
    await accounts.add_user(a_user(), "$argon2id$hash")
    assert await accounts.has_operator() is False

    operator = msgspec.structs.replace(a_user(), role=Role.OPERATOR)
    await accounts.add_user(operator, None)
    assert await accounts.has_operator() is False, "an operator without a password opens no page"

    await accounts.set_password_hash(operator.id, "$argon2id$hash")
    assert await accounts.has_operator() is True


async def test_a_password_is_replaced_for_one_user_only(accounts: AccountStore) -> None:
    ana, bo = a_user(), a_user()
    for user in (ana, bo):
        await accounts.add_user(user, "$argon2id$old")

    await accounts.set_password_hash(ana.id, "$argon2id$new")

    assert await accounts.user_with_password(ana.email) == (ana, "$argon2id$new")
    assert await accounts.user_with_password(bo.email) == (bo, "$argon2id$old")
    with pytest.raises(LookupError):
        await accounts.set_password_hash(UserId.of(os.urandom(8)), "$argon2id$new")
    with pytest.raises(ValueError):
        await accounts.set_password_hash(ana.id, "a\0b")


async def test_a_password_is_replaced_only_while_it_is_the_one_that_was_verified(accounts: AccountStore) -> None:
    ana = a_user()
    await accounts.add_user(ana, "$argon2id$old")

    await accounts.set_password_hash(ana.id, "$argon2id$new", if_password_hash="$argon2id$old")
    with pytest.raises(PasswordChangedError):
        await accounts.set_password_hash(ana.id, "$argon2id$late", if_password_hash="$argon2id$old")

    assert await accounts.user_with_password(ana.email) == (ana, "$argon2id$new")
    with pytest.raises(LookupError):
        await accounts.set_password_hash(UserId.of(os.urandom(8)), "$argon2id$x", if_password_hash="$argon2id$old")
