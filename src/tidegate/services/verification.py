"""An account is made when its owner has shown that they read the mail of its address.

Until then there is nothing: no account, no password. So nobody can prepare an
account with a stranger's address and a password of their own, and wait for its
owner to find it.
"""

from __future__ import annotations

import msgspec

from tidegate.core.accounts import Role
from tidegate.core.events import AddressVerified, VerifyOutcome
from tidegate.core.identifiers import Fingerprint
from tidegate.core.mail import links
from tidegate.core.mail.addresses import mailable, owner_of
from tidegate.core.mail.links import Broken, Purpose
from tidegate.core.reasons import Reason
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.letters import Letters
from tidegate.services.sessions import Sessions, SignedIn, Trace


class LinkInvalidError(Exception):
    """The link does not work: `why` says whether it was ever good."""

    def __init__(self, why: Broken) -> None:
        """Carry the reason."""
        super().__init__(why)
        self.why = why


class Pending(msgspec.Struct, frozen=True):
    """A sign-up that a link can finish; the link was written at `written_at_s` (Unix s)."""

    email: str
    written_at_s: float


class Verification(msgspec.Struct, frozen=True):
    """Finishes sign-ups."""

    sessions: Sessions
    letters: Letters

    def read(self, token: str) -> Pending:
        """What a link would finish. Changes nothing. Raises LinkInvalidError."""
        clerk = self.sessions.clerk
        found = links.read(Purpose.CONFIRM, token, clerk.server_keys, clerk.clock())
        if isinstance(found, Broken):
            raise LinkInvalidError(found)
        return Pending(found.subject.decode(), found.written_at_s)

    async def pending(self, token: str) -> Pending:
        """What a link would still finish. Changes nothing. Raises LinkInvalidError, EmailTakenError.

        Whoever has the link reads the mail of the address, so that it has an account is no secret from them.
        """
        found = self.read(token)
        if await self.sessions.clerk.accounts.user_by_email(found.email) is not None:
            raise EmailTakenError
        return found

    async def finish(self, token: str, password: str, trace: Trace) -> tuple[SignedIn, str]:
        """Make the account, verified, and sign its owner in; the answered text goes into the cookie.

        Raises LinkInvalidError, EmailTakenError when it was made meanwhile, PasswordsBusyError, or ValueError
        naming the field. Also while registration is closed: the letter was sent before.
        """
        try:
            pending = self.read(token)
        except LinkInvalidError:
            self._tell(trace, VerifyOutcome.REFUSED, reason=Reason.LINK_INVALID)
            raise
        try:
            made = await self.sessions.join(pending.email, password, Role.USER, trace)
        except EmailTakenError:
            self._tell(trace, VerifyOutcome.REFUSED, pending, reason=Reason.EMAIL_TAKEN)
            raise
        clerk, user = self.sessions.clerk, made[0].user
        clerk.reputation.verified(user)
        self.letters.verified.confirmed(pending.written_at_s, clerk.clock())
        self._tell(trace, VerifyOutcome.OK, pending, acct=clerk.fingerprint(user.id))
        return made

    def _tell(
        self,
        trace: Trace,
        outcome: VerifyOutcome,
        pending: Pending | None = None,
        *,
        acct: Fingerprint | None = None,
        reason: Reason | None = None,
    ) -> None:
        clerk = self.sessions.clerk
        now = clerk.clock()
        clerk.journal.record(
            AddressVerified(
                t=now,
                id=trace.id,
                outcome=outcome,
                src=trace.src,
                net=trace.net,
                acct=acct,
                mail_domain=None if pending is None else clerk.fingerprint(owner_of(mailable(pending.email))),
                latency_s=None if pending is None else round(now - pending.written_at_s, 3),
                reason=reason,
            )
        )
