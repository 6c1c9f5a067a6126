"""What tests share that need somebody to invite people and to answer those who asked to be let in."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint
from tidegate.core.registration.invites import InvitePlan
from tidegate.core.registration.requests import RequestPlan
from tidegate.ports.accounts import AccountStore
from tidegate.ports.journal import Journal
from tidegate.services.invitations import Invitations
from tidegate.services.join_requests import Requests
from tidegate.services.reputation import Reputation
from tidegate.services.usher import Usher
from tidegate.testing.clock import HandClock
from tidegate.testing.invitations import MemoryInvitationStore, MemoryJoinRequestStore


def an_usher(
    accounts: AccountStore,
    server_keys: ServerKeys,
    reputation: Reputation,
    journal: Journal,
    fingerprint: Callable[[str], Fingerprint],
    clock: HandClock,
) -> Usher:
    """Over fakes, by the default plans."""
    store = MemoryInvitationStore(accounts)
    invitations = Invitations(store, server_keys, reputation, InvitePlan(), journal, fingerprint, clock)
    requests = Requests(MemoryJoinRequestStore(accounts, store), invitations, RequestPlan(), journal, clock)
    return Usher(invitations=invitations, requests=requests, accounts=accounts, clock=clock)
