"""What every JoinRequestStore promises."""

from __future__ import annotations

import asyncio
import os

from tests.storage import a_user
from tidegate.core.identifiers import Fingerprint, InviteId, JoinRequestId
from tidegate.core.registration.invites import Invite
from tidegate.core.registration.requests import JoinRequest, RequestKind
from tidegate.ports.accounts import AccountStore
from tidegate.ports.invitations import InvitationStore, JoinRequestStore, Waiting, Wanted

NOW = 1000.0
NET = Fingerprint("0123456789abcdef")
APPROVAL, WAITING = RequestKind.APPROVAL, RequestKind.WAITING


def _request(
    email: str,
    *,
    kind: RequestKind = APPROVAL,
    net: Fingerprint | None = None,
    place: float = 1.0,
    asked_at_s: float = NOW,
    note: str = "",
) -> JoinRequest:
    return JoinRequest(
        id=JoinRequestId.of(os.urandom(8)),
        kind=kind,
        email=email,
        net=net,
        note=note,
        asked_at_s=asked_at_s,
        expires_at_s=asked_at_s + 100,
        place=place,
    )


async def _left(store: JoinRequestStore, *requests: JoinRequest) -> None:
    for request in requests:
        assert await store.leave(request, most=1000)


async def _open(store: JoinRequestStore, kind: RequestKind = APPROVAL, now: float = NOW) -> list[JoinRequest]:
    return [one.request for one in await store.requests(kind, now, 100)]


def _invitation(request: JoinRequest) -> tuple[JoinRequestId, Invite, bytes]:
    invite = Invite(
        id=InviteId.of(os.urandom(8)), made_by=None, email=request.email, made_at_s=NOW, expires_at_s=NOW + 9
    )
    return request.id, invite, os.urandom(32)


async def test_requests_wait_in_their_places(join_requests: JoinRequestStore) -> None:
    """Each kind in a line of its own, until they expire."""
    ana, bo, eve = (
        _request("ana@example.org", place=2.5, net=NET, note="I teach"),
        _request("bo@example.org", place=2.25, asked_at_s=NOW - 50),
        _request("eve@example.org", kind=WAITING),
    )
    await _left(join_requests, ana, bo, eve)

    assert await _open(join_requests) == [bo, ana]
    assert await _open(join_requests, WAITING) == [eve]
    assert await _open(join_requests, now=NOW + 50) == [ana]
    assert [await join_requests.count(kind, NOW) for kind in RequestKind] == [2, 1]
    assert await join_requests.requests(APPROVAL, NOW, 1) == [Waiting(request=bo, has_account=False)]


async def test_asking_again_keeps_the_place_and_lasts_longer(join_requests: JoinRequestStore) -> None:
    """Under any address of the same box."""
    first = _request("ana@gmail.com", place=1.0, note="first", net=NET)
    again = _request("a.na+2@gmail.com", place=9.0, note="second", asked_at_s=NOW + 50)
    await _left(join_requests, first, again)

    (kept,) = await _open(join_requests, now=NOW + 120)

    assert (kept.id, kept.email, kept.place, kept.note, kept.net) == (first.id, first.email, 1.0, "first", NET)
    assert (kept.asked_at_s, kept.expires_at_s) == (NOW, NOW + 150)


async def test_nobody_takes_anothers_turn_by_asking_for_something_else_in_their_name(
    join_requests: JoinRequestStore,
) -> None:
    """Anybody can type anybody's address: one kind of request leaves the other as it is."""
    waiting = _request("ana@example.org", place=1.0, kind=WAITING)
    other = _request("ana+x@example.org", place=9.0, note="not hers", asked_at_s=NOW + 1)
    await _left(join_requests, waiting, other)

    assert await _open(join_requests, WAITING) == [waiting]
    assert [one.note for one in await _open(join_requests)] == ["not hers"]


async def test_an_operators_no_counts_for_whatever_else_the_same_box_asks(join_requests: JoinRequestStore) -> None:
    asked = _request("ana@example.org")
    waiting = _request("a+n@example.org", kind=WAITING)
    await _left(join_requests, asked, _request("ana+x@example.org", kind=WAITING), waiting)

    assert await join_requests.refuse([asked.id]) == 1
    await _left(join_requests, _request("ana+y@example.org", kind=WAITING, asked_at_s=NOW + 1))

    assert await _open(join_requests, WAITING) == [waiting]
    assert await _open(join_requests) == []


async def test_no_more_are_kept_than_there_is_room_for(join_requests: JoinRequestStore) -> None:
    """Whoever is here already is told the same; whoever expired makes room."""
    ana, bo = _request("ana@example.org"), _request("bo@example.org")

    assert await join_requests.leave(ana, most=1)
    assert not await join_requests.leave(bo, most=1)
    assert not await join_requests.leave(ana, most=1)
    later = _request("bo@example.org", asked_at_s=NOW + 100)
    assert await join_requests.leave(later, most=1)
    assert await _open(join_requests, now=NOW + 100) == [later]


async def test_it_is_told_who_has_an_account_by_now(accounts: AccountStore, join_requests: JoinRequestStore) -> None:
    """They need no invitation."""
    await accounts.add_user(a_user("ana@example.org"), None)
    await _left(join_requests, _request("ana@example.org", place=1), _request("bo@example.org", place=2))

    assert [one.has_account for one in await join_requests.requests(APPROVAL, NOW, 10)] == [True, False]


async def test_many_are_meant_at_once(join_requests: JoinRequestStore) -> None:
    """By their ids, their domain, or their network; of one kind, in their order."""
    ana = _request("ana@school.example", place=3)
    bo = _request("bo@school.example", place=2, net=NET)
    eve = _request("eve@example.org", place=1, net=NET)
    other = _request("cy@school.example", kind=WAITING, net=NET)
    await _left(join_requests, ana, bo, eve, other, _request("dan@notschool.example"))

    async def meant(wanted: Wanted, limit: int = 10) -> list[JoinRequest]:
        return [one.request for one in await join_requests.wanted(wanted, APPROVAL, NOW, limit)]

    assert await meant(Wanted(domain="school.example")) == [bo, ana]
    assert await meant(Wanted(net=NET)) == [eve, bo]
    assert await meant(Wanted(ids=(ana.id,), net=NET)) == [eve, bo, ana]
    assert await meant(Wanted(net=NET), 1) == [eve]
    assert await meant(Wanted()) == []


async def test_an_approved_request_becomes_an_invitation(
    join_requests: JoinRequestStore, invitations: InvitationStore
) -> None:
    """In one step, and only where the request is still there."""
    ana, bo = _request("ana@example.org"), _request("bo@example.org")
    await _left(join_requests, ana)
    made, in_vain = _invitation(ana), _invitation(bo)

    assert await join_requests.approve([made, in_vain]) == [ana.id]

    assert await invitations.find(made[2]) == made[1]
    assert await invitations.find(in_vain[2]) is None
    assert await _open(join_requests) == []


async def test_of_two_who_approve_one_does(join_requests: JoinRequestStore, invitations: InvitationStore) -> None:
    """So that nobody gets two letters."""
    requests = [_request(f"{number}@example.org") for number in range(20)]
    await _left(join_requests, *requests)

    approved = await asyncio.gather(*(join_requests.approve(list(map(_invitation, requests))) for _ in range(3)))

    assert sorted(one for answered in approved for one in answered) == sorted(request.id for request in requests)
    assert len(await invitations.invites(None, 100)) == 20


async def test_whoever_was_refused_stays_refused(join_requests: JoinRequestStore) -> None:
    """Asking again does not bring it before the operator again, until it has expired."""
    ana = _request("ana@example.org")
    await _left(join_requests, ana)

    assert await join_requests.refuse([ana.id, JoinRequestId.of(os.urandom(8))]) == 1
    assert await join_requests.refuse([ana.id]) == 0
    await _left(join_requests, _request("ana@example.org", asked_at_s=NOW + 90))
    assert await _open(join_requests, now=NOW + 90) == []
    assert await join_requests.wanted(Wanted(ids=(ana.id,)), APPROVAL, NOW, 9) == []
    await _left(join_requests, _request("ana@example.org", asked_at_s=NOW + 200))
    assert len(await _open(join_requests, now=NOW + 200)) == 1


async def test_what_is_removed_is_gone(join_requests: JoinRequestStore) -> None:
    """And nothing else."""
    ana, bo = _request("ana@example.org"), _request("bo@example.org")
    await _left(join_requests, ana, bo)

    await join_requests.remove([ana.id])

    assert await _open(join_requests) == [bo]
