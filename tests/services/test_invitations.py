"""Invitations, and requests to be let in, over fakes."""

from __future__ import annotations

import os

import msgspec
import pytest

from tests.storage import a_user
from tidegate.core import credentials
from tidegate.core.accounts import Role, User
from tidegate.core.credentials import Kind, ServerKeys
from tidegate.core.events import InviteChanged, JoinRequestsAnswered, Tag
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.registration.invites import HELD_S, Invite, InvitePlan
from tidegate.core.registration.requests import Left, RequestKind, RequestPlan
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register
from tidegate.ports.invitations import QuotaSpentError, Wanted
from tidegate.services.invitations import Invitations
from tidegate.services.join_requests import WAITING_INVITE_S, Approved, Requests
from tidegate.services.reputation import Reputation
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.invitations import MemoryInvitationStore, MemoryJoinRequestStore
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.standing import MemoryStandingStore, a_record

KEYS = ServerKeys(1, {1: b"k" * 32})
NET = Fingerprint("0123456789abcdef")
BO = "bo@example.org"
APPROVAL, WAITING = RequestKind.APPROVAL, RequestKind.WAITING


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(text.encode().hex().ljust(16, "0")[:16])


def _id() -> UserId:
    return UserId.of(os.urandom(8))


class CountedStore(MemoryInvitationStore):
    """Counts how often it is asked for a text."""

    asked = 0

    async def find(self, digest: bytes) -> Invite | None:
        self.asked += 1
        return await super().find(digest)


class Town:
    """Both services over fakes."""

    def __init__(self) -> None:
        self.clock = HandClock(1_790_000_000.0)
        self.journal = RecordingJournal()
        self.accounts = MemoryAccountStore()
        self.store = CountedStore(self.accounts)
        self.reputation = Reputation(MemoryStandingStore(self.accounts), Register(StandingPlan(), 100), self.clock)
        self.invitations = Invitations(
            self.store, KEYS, self.reputation, InvitePlan(per_month=2), self.journal, _fingerprint, self.clock
        )
        self.requests = Requests(
            MemoryJoinRequestStore(self.accounts, self.store),
            self.invitations,
            RequestPlan(most=5, per_network=3),
            self.journal,
            self.clock,
        )

    async def somebody(self, standing: Standing, email: str | None = None) -> User:
        user = msgspec.structs.replace(
            a_user(email), role=Role.OPERATOR if standing is Standing.OPERATOR else Role.USER
        )
        await self.accounts.add_user(user, None)
        self.reputation.register.change(a_record(user.id, standing, self.clock()))
        return user

    async def left(self, *emails: str, kind: RequestKind = APPROVAL) -> None:
        for email in emails:
            assert await self.requests.leave(email, kind) is Left.LEFT
            self.clock.advance(300)

    def told(self) -> list[Tag]:
        return [one.event for one in self.journal.events if isinstance(one, InviteChanged | JoinRequestsAnswered)]


@pytest.fixture
def town() -> Town:
    return Town()


async def test_an_invitation_leads_to_one_account(town: Town) -> None:
    """Looked at as often as one likes, used once, and known whose word it was."""
    ana, bo = await town.somebody(Standing.ESTABLISHED), await town.somebody(Standing.NEWCOMER, BO)
    invite, text = await town.invitations.create(ana)

    assert await town.invitations.look(text) == invite
    assert await town.invitations.use(text, bo.id, BO) is not None
    assert await town.invitations.look(text) is None
    assert await town.invitations.use(text, _id(), BO) is None
    assert await town.invitations.inviter(bo.id) == ana.id
    assert town.told() == [Tag.INVITE_MADE, Tag.INVITE_USED]


async def test_junk_never_reaches_the_store(town: Town) -> None:
    """Nor does another kind of credential, nor what another service issued."""
    _, text = await town.invitations.create(None)
    key = credentials.issue(Kind.API_KEY, _id(), KEYS, now=0, entropy=bytes(16))
    foreign = credentials.issue(Kind.INVITE, _id(), ServerKeys(1, {1: b"o" * 32}), now=0, entropy=bytes(16))
    for junk in ("", text[:-1], text + "x", key, foreign, "tg_invt_" + "a" * 79, "\ud800" * 87):
        assert await town.invitations.look(junk) is None
        assert await town.invitations.use(junk, _id(), BO) is None
        await town.invitations.give_back(junk, _id())

    assert town.store.asked == 0
    assert await town.invitations.look(text) is not None


async def test_the_store_and_the_log_never_see_its_text(town: Town) -> None:
    """And the text tells nobody who made it."""
    ana = await town.somebody(Standing.ESTABLISHED)
    invite, text = await town.invitations.create(ana, BO)

    genuine = credentials.read(text, Kind.INVITE, KEYS)
    assert isinstance(genuine, credentials.Genuine)
    assert genuine.principal != ana.id
    assert list(town.store.kept) == [genuine.digest]
    logged = msgspec.json.encode(town.journal.events, enc_hook=str).decode()
    assert not any(secret in logged for secret in (text, BO, invite.id))


async def test_an_account_that_was_not_made_leaves_it_open(town: Town) -> None:
    """At once when it is given back; after a while when nobody could."""
    _, text = await town.invitations.create(None)
    refused, lost, made = _id(), _id(), _id()

    assert await town.invitations.use(text, refused, BO)
    await town.invitations.give_back(text, refused)
    assert await town.invitations.use(text, lost, BO)
    assert await town.invitations.use(text, made, BO) is None
    town.clock.advance(HELD_S + 1)
    assert await town.invitations.use(text, made, BO)
    assert Tag.INVITE_GIVEN_BACK in town.told()


async def test_only_the_well_known_invite_and_only_so_many(town: Town) -> None:
    """Operators any number; a month later again."""
    operator, ana, new = [
        await town.somebody(standing) for standing in (Standing.OPERATOR, Standing.ESTABLISHED, Standing.NEWCOMER)
    ]
    for _ in range(5):
        await town.invitations.create(operator)
    for _ in range(2):
        await town.invitations.create(ana)

    for refused in (ana, new):
        with pytest.raises(QuotaSpentError):
            await town.invitations.create(refused)
    left = [(await town.invitations.quota(who)).left for who in (operator, ana, new)]
    assert left == [None, 0, 0]
    town.clock.advance(31 * DAY_S)
    town.reputation.register.know(a_record(ana.id, Standing.ESTABLISHED, town.clock()))
    assert (await town.invitations.quota(ana)).is_left


async def test_whoever_brought_abusers_brings_fewer(town: Town) -> None:
    """Until the finding has run out."""
    ana, bo = await town.somebody(Standing.ESTABLISHED), await town.somebody(Standing.NEWCOMER, BO)
    _, text = await town.invitations.create(ana)
    await town.invitations.use(text, bo.id, BO)
    assert town.reputation.register.find_against(bo.id, town.clock() + DAY_S)

    quota = await town.invitations.quota(ana)

    assert (quota.most, quota.left, quota.is_left) == (1, 0, False)
    with pytest.raises(QuotaSpentError):
        await town.invitations.create(ana)
    town.clock.advance(DAY_S)
    assert (await town.invitations.quota(ana)).left == 1


@pytest.mark.parametrize("lasts_s", [0.0, -1.0, 91 * DAY_S, float("nan"), float("inf")])
async def test_an_invitation_lasts_as_long_as_one_can_mean(town: Town, lasts_s: float) -> None:
    with pytest.raises(ValueError, match="days: expected"):
        await town.invitations.create(None, lasts_s=lasts_s)


async def test_an_invitation_for_one_address_is_for_no_other(town: Town) -> None:
    """However it was written."""
    _, text = await town.invitations.create(None, " BO@Example.org")

    assert await town.invitations.use(text, _id(), "eve@example.org") is None
    assert await town.invitations.use(text, _id(), BO) is not None


async def test_whoever_made_one_lists_and_ends_it(town: Town) -> None:
    """And the swept ones are gone."""
    ana = await town.somebody(Standing.ESTABLISHED)
    invite, text = await town.invitations.create(ana)

    assert await town.invitations.listed(ana.id) == [invite]
    assert not await town.invitations.revoke(invite.id, by=_id())
    assert await town.invitations.revoke(invite.id, by=ana.id)
    assert await town.invitations.look(text) is None
    town.clock.advance(60 * DAY_S)
    later, _ = await town.invitations.create(None)
    assert await town.invitations.listed() == [later]


async def test_who_is_invited_by_one_person_is_one_cohort(town: Town) -> None:
    """And counts as having made the account themselves."""
    ana, bo = await town.somebody(Standing.ESTABLISHED), await town.somebody(Standing.NEWCOMER, BO)

    town.reputation.joined(bo, NET, is_flooded=False, inviter=ana.id)

    record = town.reputation.register.record(bo.id)
    assert record == Record.of(bo, NET, is_self_made=True, inviter=ana.id)
    assert record.cohort == f"inv:{ana.id}"


# ---------------------------------------------------------------- requests


async def test_an_approved_request_is_an_invitation_for_that_address(town: Town) -> None:
    """And is gone from the list."""
    await town.left(BO, "eve@example.org")
    listed = await town.requests.listed()

    (approved,) = await town.requests.approve(Wanted(ids=(listed[0].request.id,)))

    assert approved.email == BO
    assert approved.text is not None
    invite = await town.invitations.look(approved.text)
    assert invite is not None
    assert (invite.email, invite.expires_at_s) == (BO, approved.expires_at_s)
    assert await town.requests.count(APPROVAL) == 1
    assert town.told() == [Tag.JOIN_REQUESTS_APPROVED]


async def test_whoever_has_an_account_gets_no_second(town: Town) -> None:
    """They are answered all the same, so that they can be reminded of it."""
    await town.left(BO, kind=WAITING)
    await town.somebody(Standing.NEWCOMER, BO)

    (answered,) = await town.requests.waiting_next(5)

    assert (answered.email, answered.text) == (BO, None)
    assert await town.requests.count(WAITING) == 0
    assert town.told() == []


async def test_turns_come_in_the_order_of_their_windows(town: Town) -> None:
    """Each once, with a day to come."""
    await town.left(BO, "eve@example.org", "cy@example.org", kind=WAITING)
    now = town.clock()

    first, second = await town.requests.waiting_next(2), await town.requests.waiting_next(9)

    assert [one.email for one in (*first, *second)] == [BO, "eve@example.org", "cy@example.org"]
    assert first[0].expires_at_s == now + WAITING_INVITE_S
    assert await town.requests.waiting_next(9) == []


async def test_within_a_window_the_draw_decides(town: Town) -> None:
    """Whoever is quick gains nothing by it: of two, each is first about as often."""
    town.requests.plan = RequestPlan(most=5, per_network=1000)
    firsts = set()
    for _ in range(40):
        for email in (BO, "eve@example.org"):
            assert await town.requests.leave(email, WAITING) is Left.LEFT
        assert len({one.request.place for one in await town.requests.listed(WAITING)}) == 2
        firsts.add((await town.requests.waiting_next(2))[0].email)

    assert firsts == {BO, "eve@example.org"}


async def test_it_is_not_told_who_is_here_already(town: Town) -> None:
    """An address with an account, one that asked before, and a new one are answered alike and counted alike."""
    await town.somebody(Standing.NEWCOMER, BO)

    for email in (BO, BO, "eve@example.org"):
        assert await town.requests.leave(email, APPROVAL, NET) is Left.LEFT
    for email in (BO, "new@example.org"):
        assert await town.requests.leave(email, APPROVAL, NET) is Left.NETWORK_FULL


async def test_there_is_room_for_so_many(town: Town) -> None:
    """Whoever asks again is told the same as whoever is new."""
    town.requests.plan = RequestPlan(most=2, per_network=100)
    await town.left(BO, "eve@example.org")

    for email in (BO, "new@example.org"):
        assert await town.requests.leave(email, APPROVAL) is Left.FULL


@pytest.mark.parametrize(("email", "note"), [("nonsense", ""), (BO, "x" * 301)])
async def test_what_nobody_can_mean_is_refused(town: Town, email: str, note: str) -> None:
    with pytest.raises(ValueError, match=r"^(email|note): "):
        await town.requests.leave(email, APPROVAL, note=note)


async def test_many_are_refused_at_once(town: Town) -> None:
    """By their domain; nobody of them is asked about again."""
    await town.left(BO, "eve@example.org", "cy@other.example")

    assert await town.requests.refuse(Wanted(domain="example.org")) == 2
    assert [one.request.email for one in await town.requests.listed()] == ["cy@other.example"]
    assert await town.requests.refuse(Wanted()) == 0
    assert town.told() == [Tag.JOIN_REQUESTS_REFUSED]
    assert isinstance((await town.requests.approve(Wanted(domain="other.example")))[0], Approved)
