"""People at the door, over fakes."""

from __future__ import annotations

from collections.abc import Coroutine
from hashlib import sha256
from typing import Any

import msgspec

from tests.budgets import a_quotas
from tests.hashing import CHEAP
from tests.inviting import an_usher
from tests.newcomers import WORKED, a_joining
from tests.reputation import a_reputation
from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import Fingerprint, RequestId
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.waiting import Admitted, Waiting
from tidegate.services.accounts import Clerk
from tidegate.services.joining import (
    TICK_S,
    Form,
    Line,
    Made,
    Shown,
    Written,
)
from tidegate.services.passwords import PasswordLane
from tidegate.services.permits import JoiningPlan
from tidegate.services.sessions import Sessions, Trace
from tidegate.services.work import Answer, Work
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

KEYS = ServerKeys(1, {1: b"k" * 32})
PASSWORD = "a tide waits for nobody"
TRACE = Trace(id=RequestId.of(b"requests"), src=Fingerprint("a" * 16), net=Fingerprint("b" * 16))
LIMITED = (RegistrationMode.THROTTLED, RegistrationMode.WAITING_ROOM, RegistrationMode.INVITE, RegistrationMode.CLOSED)


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class Post:
    """Letters that are only counted."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.most = 10_000

    async def confirm_sign_up(self, email: str) -> None:
        self.sent.append(email)

    def budget_left(self, promised: int = 0) -> float | None:
        return max(0.0, 1.0 - (len(self.sent) + promised) / self.most)


class Town:
    """People at the door, over fakes."""

    def __init__(
        self,
        *,
        at_once: float = 2.0,
        plan: JoiningPlan | None = None,
        is_mail_on: bool = False,
        steady: HandClock | None = None,
    ) -> None:
        self.clock = HandClock()
        self.journal = RecordingJournal()
        self.accounts = MemoryAccountStore()
        self.passwords = PasswordLane(hasher=CHEAP)
        self.later: list[Coroutine[Any, Any, None]] = []
        self.reputation = a_reputation(self.accounts, self.clock)
        clerk = Clerk(
            accounts=self.accounts,
            server_keys=KEYS,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=self.clock,
            passwords=self.passwords,
            reputation=self.reputation,
            quotas=a_quotas(self.accounts, self.clock),
        )
        self.sessions = Sessions(clerk=clerk, session_s=86400.0, later=self.later.append)
        self.usher = an_usher(self.accounts, KEYS, self.reputation, self.journal, fingerprint, self.clock)
        self.post = Post() if is_mail_on else None
        self.used: list[int] = []
        self.joining = a_joining(
            self.sessions,
            self.clock,
            letters=self.post,
            invitations=self.usher.invitations,
            plan=plan,
            calm_at_once=at_once,
            steady=steady,
            use_up=self.used.append,
        )
        self.people = 0

    def press(self) -> None:
        """More come than in calm."""
        self.joining.registration.came(1000)

    def set(self, mode: RegistrationMode) -> None:
        self.joining.registration.override(mode, 86_400.0)

    def somebody(self) -> Shown:
        """A stranger from a network of their own."""
        self.people += 1
        return Shown(seed=f"seed{self.people}".encode(), network=f"net{self.people}".encode())

    def work(self, shown: Shown) -> Answer:
        """What the page asks of them, done."""
        step = self.joining.look(shown)
        assert isinstance(step, Form | Line), step
        assert step.work is not None
        return done(step.work)

    def ticket(self, shown: Shown) -> str:
        return self.joining.line_up(shown, self.work(shown), TRACE)

    async def sign_up(self, shown: Shown, answer: Answer | None = None, email: str = "") -> Made | Written | str:
        """Send the form; the ticket, for whoever must wait."""
        ticket = self.joining.admit(shown, answer or Answer(), TRACE)
        if ticket is not None and not self.joining.is_pass(ticket):
            return ticket
        trace = trace_of(shown)
        return await self.joining.sign_up(ticket, email or f"person{self.people}@example.org", PASSWORD, trace)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK_S)):
            self.clock.advance(TICK_S)
            self.joining.tick()

    async def count(self) -> int:
        return len(await self.accounts.users())


def trace_of(shown: Shown) -> Trace:
    """Of a request from their network."""
    return msgspec.structs.replace(TRACE, net=fingerprint(shown.network.decode()))


def done(work: Work) -> Answer:
    return Answer(challenge=work.text, answer=WORKED * work.effort, took_s=0.5)


def with_ticket(shown: Shown, ticket: str) -> Shown:
    return Shown(seed=shown.seed, ticket=ticket, network=shown.network)


def place(town: Town, ticket: str) -> Waiting:
    found = town.joining.room.poll(ticket, town.clock())
    assert isinstance(found, Waiting)
    assert not isinstance(found, Admitted)
    return found
