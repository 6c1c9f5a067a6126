"""What every InvitationStore promises."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from tests.storage import a_user
from tidegate.core.accounts import User
from tidegate.core.identifiers import InviteId, UserId
from tidegate.core.registration.invites import HELD_S, Invite
from tidegate.ports.accounts import AccountStore
from tidegate.ports.invitations import InvitationStore, QuotaSpentError

NOW = 1000.0
EMAIL = "bo@example.org"


async def _added(accounts: AccountStore, email: str | None = None) -> User:
    user = a_user(email)
    await accounts.add_user(user, None)
    return user


def _id() -> UserId:
    return UserId.of(os.urandom(8))


def _invite(made_by: UserId | None = None, *, email: str | None = None, made_at_s: float = NOW) -> Invite:
    return Invite(
        id=InviteId.of(os.urandom(8)), made_by=made_by, email=email, made_at_s=made_at_s, expires_at_s=made_at_s + 500
    )


async def _kept(store: InvitationStore, invite: Invite) -> bytes:
    digest = os.urandom(32)
    await store.add(invite, digest)
    return digest


async def test_an_invitation_comes_back_as_it_was_made(accounts: AccountStore, invitations: InvitationStore) -> None:
    """By its digest, and by nothing else."""
    ana = await _added(accounts)
    bound = _invite(ana.id, email=EMAIL)
    digest = await _kept(invitations, bound)

    assert await invitations.find(digest) == bound
    assert await invitations.find(os.urandom(32)) is None


async def test_an_invitation_is_used_once(accounts: AccountStore, invitations: InvitationStore) -> None:
    """And it is known for whom, and by whose word."""
    ana = await _added(accounts)
    invite = _invite(ana.id)
    digest, first = await _kept(invitations, invite), await _added(accounts)

    used = await invitations.use(digest, first.id, first.email, NOW + 1)

    assert used == msgspec.structs.replace(invite, used_by=first.id, used_at_s=NOW + 1)
    assert await invitations.use(digest, _id(), EMAIL, NOW + 2) is None
    assert await invitations.use(digest, _id(), EMAIL, NOW + 2 + HELD_S) is None
    assert await invitations.inviter(first.id) == ana.id
    assert await invitations.invited(ana.id, 10) == [first.id]


async def test_of_many_who_use_one_at_once_one_has_it(invitations: InvitationStore) -> None:
    """Whoever is first; the others are told at once."""
    digest = await _kept(invitations, _invite())
    racers = [_id() for _ in range(8)]

    used = await asyncio.gather(*(invitations.use(digest, racer, EMAIL, NOW) for racer in racers))

    (won,) = [one for one in used if one is not None]
    found = await invitations.find(digest)
    assert found is not None
    assert found.used_by == won.used_by


@pytest.mark.parametrize("late_s", [500, 600])
async def test_what_expired_was_revoked_or_is_anothers_is_not_used(invitations: InvitationStore, late_s: int) -> None:
    """Nor what was never made."""
    expired, bound = await _kept(invitations, _invite()), await _kept(invitations, _invite(email=EMAIL))
    revoked = _invite()
    revoked_digest = await _kept(invitations, revoked)
    assert await invitations.revoke(revoked.id, NOW)

    assert await invitations.use(expired, _id(), EMAIL, NOW + late_s) is None
    assert await invitations.use(revoked_digest, _id(), EMAIL, NOW) is None
    assert await invitations.use(bound, _id(), "other@example.org", NOW) is None
    assert await invitations.use(os.urandom(32), _id(), EMAIL, NOW) is None
    assert await invitations.use(bound, _id(), EMAIL, NOW) is not None


async def test_given_back_it_is_open_again(invitations: InvitationStore) -> None:
    """By whoever had it, and nobody else."""
    digest, failed = await _kept(invitations, _invite()), _id()
    await invitations.use(digest, failed, EMAIL, NOW)

    assert not await invitations.give_back(digest, _id())
    assert await invitations.give_back(digest, failed)
    assert await invitations.inviter(failed) is None
    assert await invitations.use(digest, _id(), EMAIL, NOW) is not None


async def test_with_its_account_made_it_is_not_given_back(accounts: AccountStore, invitations: InvitationStore) -> None:
    """One invitation never leads to two accounts."""
    digest, made = await _kept(invitations, _invite()), await _added(accounts)
    await invitations.use(digest, made.id, made.email, NOW)

    assert not await invitations.give_back(digest, made.id)
    assert await invitations.use(digest, _id(), EMAIL, NOW + 10 * HELD_S) is None


async def test_whoever_was_lost_on_the_way_does_not_take_it_along(invitations: InvitationStore) -> None:
    """An account that never came to be holds it for a while only."""
    digest, lost, later = await _kept(invitations, _invite()), _id(), _id()
    await invitations.use(digest, lost, EMAIL, NOW)

    assert await invitations.use(digest, later, EMAIL, NOW + HELD_S) is None
    used = await invitations.use(digest, later, EMAIL, NOW + HELD_S + 1)

    assert used is not None
    assert used.used_by == later


async def test_only_so_many_are_made(accounts: AccountStore, invitations: InvitationStore) -> None:
    """Also when all of them are made at once; those revoked unused do not count, nor old ones, nor another's."""
    ana, bo = await _added(accounts), await _added(accounts)
    await _kept(invitations, _invite(bo.id))
    await _kept(invitations, _invite(ana.id, made_at_s=NOW - 100))
    revoked = _invite(ana.id)
    await _kept(invitations, revoked)
    await invitations.revoke(revoked.id, NOW)

    async def made() -> bool:
        try:
            await invitations.add(_invite(ana.id), os.urandom(32), most=2, since_s=NOW - 50)
        except QuotaSpentError:
            return False
        return True

    assert sorted(await asyncio.gather(*(made() for _ in range(5)))) == [False, False, False, True, True]
    assert await invitations.made_since(ana.id, NOW - 50) == 2


async def test_whoever_is_gone_invites_nobody(invitations: InvitationStore) -> None:
    """An invitation without its maker would be nobody's word."""
    with pytest.raises(LookupError):
        await invitations.add(_invite(_id()), os.urandom(32), most=3)


async def test_they_are_listed_newest_first(accounts: AccountStore, invitations: InvitationStore) -> None:
    """One person's, or all; no more than were asked for."""
    ana = await _added(accounts)
    old, new, of_command = _invite(ana.id), _invite(ana.id, made_at_s=NOW + 2), _invite(made_at_s=NOW + 1)
    for invite in (of_command, old, new):
        await _kept(invitations, invite)

    assert await invitations.invites(None, 10) == [new, of_command, old]
    assert await invitations.invites(ana.id, 10) == [new, old]
    assert await invitations.invites(None, 1) == [new]


async def test_whoever_made_one_ends_it(accounts: AccountStore, invitations: InvitationStore) -> None:
    """Once, while nobody used it, and nobody else's."""
    ana, bo = await _added(accounts), await _added(accounts)
    open_one, used = _invite(ana.id), _invite(ana.id)
    digest, used_digest = await _kept(invitations, open_one), await _kept(invitations, used)
    await invitations.use(used_digest, _id(), EMAIL, NOW)

    assert not await invitations.revoke(open_one.id, NOW, made_by=bo.id)
    assert not await invitations.revoke(used.id, NOW, made_by=ana.id)
    assert await invitations.revoke(open_one.id, NOW + 1, made_by=ana.id)
    assert not await invitations.revoke(open_one.id, NOW + 2)
    assert await invitations.find(digest) == msgspec.structs.replace(open_one, revoked_at_s=NOW + 1)


async def test_old_ones_go_and_who_invited_whom_stays(accounts: AccountStore, invitations: InvitationStore) -> None:
    """What nobody used is forgotten, or what was used for an account that there is not."""
    ana, came = await _added(accounts), await _added(accounts)
    used, lost, unused, later = [
        await _kept(invitations, _invite(ana.id, made_at_s=made_at_s)) for made_at_s in (NOW, NOW, NOW, NOW + 100)
    ]
    await invitations.use(used, came.id, came.email, NOW + 1)
    await invitations.use(lost, _id(), EMAIL, NOW + 1)

    assert await invitations.remove_old(NOW + 501) == 2

    assert await invitations.inviter(came.id) == ana.id
    assert await invitations.find(unused) is None
    assert await invitations.find(later) is not None
