"""Letters in virtual time: within the service's own budgets, and there at once.

Each letter that a sign-up leads to is counted as the service counts it (core/mail/budgets.py).
Nobody has their mailbox filled by somebody else's asking here: an address is whoever typed it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.core.accounts import normalise_email
from tidegate.core.mail.addresses import mailable
from tidegate.core.mail.budgets import MailBudgets, MailPlan
from tidegate.core.mail.letter import LetterKind
from tidegate.core.mail.verified import VerifiedShare
from tidegate.core.registration.names import NameSignals, Recent
from tidegate.core.registration.signals import Share
from tidegate.lab.actors.visitors import PROVIDERS
from tidegate.lab.simulator.errands import Errands

ANY_PROVIDER: Final = "mail.example"
"""Where an act says nothing else, an address is at one of the large providers."""


class UntaggedNames(Recent):
    """Judges names by what somebody chose, without the tag that tells them apart here."""

    def judge(self, email: str, now: float) -> NameSignals:
        """Tell what an address says, and count it as the latest sign-up."""
        local, _, domain = email.rpartition("@")
        return super().judge(f"{local.rpartition('+')[0]}@{domain}", now)


def tagged(local_part: str, domain: str, number: int) -> str:
    """The address that nobody else has. Raises ValueError for what is none."""
    return normalise_email(f"{local_part}+{number}@{domain}")


class Post:
    """Letters that are only counted."""

    def __init__(self, plan: MailPlan, errands: Errands) -> None:
        """Nothing was sent."""
        large = plan.large_domains | {ANY_PROVIDER, *PROVIDERS}
        self.verified = VerifiedShare()
        self._budgets = MailBudgets(msgspec.structs.replace(plan, large_domains=large))
        self._errands = errands
        self._arrived: dict[str, float] = {}

    async def confirm_sign_up(self, email: str) -> None:
        """Send the link that makes an account, if there is a letter left. Raises ValueError naming the field."""
        local, _, domain = mailable(email).rpartition("@")
        now = self._errands.unix()
        if self._budgets.take(LetterKind.CONFIRM, f"{local.rpartition('+')[2]}@{domain}", now) is None:
            self._arrived[email] = now
            self.verified.sent(now, now)

    def budget_left(self, promised: int = 0) -> float | None:
        """The part of the letters to strangers that is left, 0 to 1, after so many promised ones."""
        return self._budgets.left(self._errands.unix(), promised)

    def open(self, email: str) -> float | None:
        """When the letter was written that is in somebody's mailbox (Unix s); None without one. It is there once."""
        return self._arrived.pop(email, None)

    def share(self, since: float | None) -> Share:
        """Of those who were written to, how many confirmed their address."""
        part, of = self.verified.share(self._errands.unix(), since)
        return Share(round(part * of), of)
