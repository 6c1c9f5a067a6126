"""The first operator: made with a one-time code that only whoever started the service has seen.

Never is the first visitor made an operator. There is a code only while nobody
is one, it lives in memory, and it works once.
"""

from __future__ import annotations

import hmac
import secrets

from tidegate.core.accounts import Role
from tidegate.services.sessions import Sessions, SignedIn, Trace

_CODE_BYTES = 16


class SetupClosedError(Exception):
    """The code is wrong or was used, or there is an operator already."""


class Setup:
    """Waits for the first operator. `code` is None once there is one."""

    def __init__(self, sessions: Sessions, code: str | None) -> None:
        """Take what `prepare` found."""
        self._sessions = sessions
        self.code = code

    @classmethod
    async def prepare(cls, sessions: Sessions) -> Setup:
        """Ask the store whether an operator is missing, and only then make a code."""
        is_missing = not await sessions.clerk.accounts.has_operator()
        return cls(sessions, secrets.token_hex(_CODE_BYTES) if is_missing else None)

    def is_open(self) -> bool:
        """Whether somebody with the code could become the operator."""
        return self.code is not None

    def matches(self, code: str) -> bool:
        """Whether it is the code, in constant time."""
        return self.code is not None and hmac.compare_digest(code.encode("utf-8", "surrogatepass"), self.code.encode())

    async def make_operator(self, code: str, email: str, password: str, trace: Trace) -> tuple[SignedIn, str]:
        """Make the operator and sign them in; the answered text goes into the cookie and nowhere else.

        Raises SetupClosedError, or what stops an account from being made (ValueError naming the field,
        EmailTakenError, PasswordsBusyError): then the code can be used again.
        """
        if not self.matches(code):
            raise SetupClosedError
        # Out of reach before anything is awaited: of two who come at once, the second finds it closed.
        kept, self.code = self.code, None
        try:
            if not await self._sessions.clerk.accounts.has_operator():
                return await self._sessions.join(email, password, Role.OPERATOR, trace)
        except BaseException:
            self.code = kept
            raise
        raise SetupClosedError
