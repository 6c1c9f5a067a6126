"""Invitations, requests to be let in, probation, and what names tell, as the settings would have them."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from tidegate.adapters.lists.carried import disposable_list, name_model
from tidegate.adapters.sql.store import SqlStore
from tidegate.app.plans import Plans
from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint
from tidegate.core.registration.invites import InvitePlan
from tidegate.core.registration.names import Letters, Recent
from tidegate.core.registration.probation import Probation
from tidegate.core.registration.requests import RequestPlan
from tidegate.ports.journal import Journal
from tidegate.services.invitations import Invitations
from tidegate.services.join_requests import Approved, Requests
from tidegate.services.letters import Letters as Post
from tidegate.services.reputation import Reputation
from tidegate.services.usher import Usher

_KEY_BYTES = 32


class People(msgspec.Struct, frozen=True, kw_only=True):
    """What decides about who is new. `recent` tells what the addresses of sign-ups say."""

    probation: Probation
    usher: Usher
    recent: Recent

    def with_letters(self, letters: Post) -> People:
        """The same where whoever is let in is told by letter."""

        async def deliver(approved: Approved) -> bool:
            if approved.text is None:
                return False
            lasts_s = approved.expires_at_s - time.time()
            try:
                return letters.invite(approved.email, letters.invitation_url(approved.text), lasts_s)
            except ValueError:
                return False  # Mail cannot be sent there: the operator sees the link instead.

        return msgspec.structs.replace(self, usher=msgspec.structs.replace(self.usher, deliver=deliver))

    def apply(self, plans: Plans) -> None:
        """Go on under other plans."""
        self.probation.plan = plans.probation
        self.usher.invitations.plan = plans.invites
        self.usher.requests.plan = plans.requests


def open_invitations(
    *,
    store: SqlStore,
    reputation: Reputation,
    invites: InvitePlan,
    requests: RequestPlan,
    server_keys: ServerKeys,
    journal: Journal,
    fingerprint: Callable[[str], Fingerprint],
) -> Usher:
    """Make what invitations and requests are kept and answered by."""
    invitations = Invitations(store.invitations, server_keys, reputation, invites, journal, fingerprint, time.time)
    asked = Requests(store.join_requests, invitations, requests, journal, time.time)
    return Usher(invitations=invitations, requests=asked, accounts=store.accounts, clock=time.time)


def open_recent(key: bytes) -> Recent:
    """Make what tells the addresses of sign-ups; `key` hides names."""
    return Recent(Letters(name_model()), disposable_list(), key[:_KEY_BYTES])
