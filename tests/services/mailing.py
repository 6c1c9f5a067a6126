"""Letters over fakes: what was written, what came of it, and the links in it."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from hashlib import sha256
from typing import Any

from tests.budgets import a_quotas
from tests.hashing import CHEAP
from tests.reputation import a_reputation
from tidegate.core.accounts import User
from tidegate.core.credentials import ServerKeys
from tidegate.core.events import LetterHandled, MailOutcome
from tidegate.core.identifiers import Fingerprint, RequestId, SessionId
from tidegate.core.mail.budgets import MailBudgets, MailPlan
from tidegate.core.mail.letter import LetterKind
from tidegate.services.accounts import Clerk
from tidegate.services.letters import Letters
from tidegate.services.outbox import Outbox
from tidegate.services.passwords import PasswordLane
from tidegate.services.recovery import Recovery
from tidegate.services.sessions import Sessions, Trace
from tidegate.services.verification import Verification
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.mail import MemoryMailer

KEYS = ServerKeys(1, {1: b"k" * 32})
ANA, PASSWORD, NEW_PASSWORD = "ana@example.org", "a tide waits for nobody", "and the moon pulls on"
TRACE = Trace(id=RequestId.of(b"requests"), src=Fingerprint("a" * 16), net=Fingerprint("b" * 16))
SITE = "https://tide.example"


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


class PostRoom:
    """Everything that letters are made of, open to a test."""

    def __init__(self, *, plan: MailPlan | None = None, is_on: bool = True) -> None:
        self.clock = HandClock(1_000_000.0)
        self.journal = RecordingJournal()
        self.store = MemoryAccountStore()
        self.lane = PasswordLane(hasher=CHEAP)
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
            ended=self.ended.extend,
        )
        self.sessions = Sessions(clerk=self.clerk, session_s=86400.0, later=self.later.append)
        self.mailer = MemoryMailer()
        self.outbox = Outbox(self.mailer, self.journal, fingerprint, self.clock)
        self.letters = self.a_start(plan or MailPlan(), is_on=is_on)
        self.verification = Verification(self.sessions, self.letters)
        self.recovery = Recovery(self.sessions, self.letters)

    def a_start(self, plan: MailPlan, *, is_on: bool = True) -> Letters:
        return Letters(self.clerk, self.outbox if is_on else None, MailBudgets(plan), f"{SITE}/", self.later.append)

    async def ana(self, password: str | None = PASSWORD) -> User:
        return await self.clerk.create_user(ANA, password=password)

    async def deliver(self) -> None:
        """Do what nobody waits for, and hand over what is due."""
        while self.later:
            await self.later.pop(0)
        while await self.outbox.step():
            pass

    async def token(self) -> str:
        """The link's token in the letter that is delivered last."""
        await self.deliver()
        found = re.search(rf"^{SITE}/\S+/(\S+)$", self.mailer.sent[-1].text(), re.MULTILINE)
        assert found is not None
        return found[1]

    def kinds(self) -> list[LetterKind]:
        return [letter.kind for letter in self.mailer.sent]

    def outcomes(self) -> list[MailOutcome]:
        return [event.outcome for event in self.journal.of(LetterHandled)]

    def close(self) -> None:
        self.lane.close()
        for left in self.later:
            left.close()
