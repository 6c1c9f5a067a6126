"""Hands letters to an SMTP server (RFC 5321, 8314), over a connection for each.

A connection that is kept open goes stale in a dozen ways; one more handshake
for a letter is cheap beside what a letter is worth, and the budgets see to it
that there are few.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any, Final, Literal

import aiosmtplib
import msgspec

from tidegate.adapters.mail.messages import message_of
from tidegate.core.mail.letter import Letter
from tidegate.ports.mail import LetterPutOffError, LetterRefusedError, LetterUnansweredError, MailUnavailableError

_PERMANENT: Final = 500
_CLOSING: Final = 421
"""The service is not available and closes the channel (RFC 5321 section 4.2.3)."""


class SmtpPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server is, how it is spoken to, and as whom; it may take `timeout_s` for that, and for a letter."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    from_address: str
    from_name: str
    username: str | None = None
    password: str | None = None
    timeout_s: float = 30.0

    def __repr__(self) -> str:
        """Say where, and nothing of the password."""
        return f"SmtpPlan({self.host}:{self.port})"


class _Client(aiosmtplib.SMTP):
    """Remembers whether it began to give a letter: from then on silence does not mean that nobody took it."""

    is_given = False

    async def data(self, message: str | bytes, /, *, timeout: Any = None) -> aiosmtplib.SMTPResponse:  # noqa: ASYNC109 - the library's own signature
        self.is_given = True
        return await super().data(message, timeout=timeout)


class SmtpMailer:
    """A Mailer that speaks SMTP. `tls` is what certificates are judged by: the system's, by default."""

    def __init__(
        self, plan: SmtpPlan, tls: ssl.SSLContext | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Connect to nobody yet."""
        self.plan = plan
        self._tls = None if plan.security == "none" else tls or ssl.create_default_context()
        self._clock = clock

    async def send(self, letter: Letter) -> None:
        """Hand a letter over. Raises LetterRefusedError, LetterPutOffError, MailUnavailableError.

        Raises LetterUnansweredError where the server may have taken it.
        """
        try:
            message = message_of(letter, self.plan.from_address, self.plan.from_name, self._clock())
        except ValueError as error:
            raise LetterRefusedError from error
        client = await self._connected()
        try:
            async with asyncio.timeout(self.plan.timeout_s):
                await self._hand_over(client, message, letter.recipient)
        except TimeoutError as error:
            # It listens. What takes it so long may be this letter's recipient, and then the others shall not wait.
            raise _broken_off(client) from error
        finally:
            client.close()

    async def close(self) -> None:
        """Nothing is kept open."""

    async def _hand_over(self, client: _Client, message: EmailMessage, recipient: str) -> None:
        try:
            await client.send_message(message, sender=self.plan.from_address, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code, self._where()) from error
        except aiosmtplib.SMTPNotSupported as error:  # An address outside ASCII, and a server that knows only ASCII.
            raise LetterRefusedError from error
        except aiosmtplib.SMTPSenderRefused as error:
            msg = f"{self._where()} takes no mail from mail.from_address (answer {error.code})"
            raise MailUnavailableError(msg) from error
        except aiosmtplib.SMTPResponseException as error:
            raise (_broken_off(client) if error.code < 0 else _refused(error.code, self._where())) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _broken_off(client) from error  # If the server is gone, the next letter finds that out.

    async def _connected(self) -> _Client:
        plan = self.plan
        client = _Client(
            hostname=plan.host,
            port=plan.port,
            # Said to the server, and found in every letter's headers: not this machine's name.
            local_hostname=plan.from_address.rpartition("@")[2],
            timeout=plan.timeout_s,
            use_tls=plan.security == "tls",
            start_tls=plan.security == "starttls",
            tls_context=self._tls,
            username=plan.username,
            password=plan.password,
        )
        try:
            async with asyncio.timeout(plan.timeout_s):
                await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            msg = f"{self._where()} does not accept mail.username and its password (answer {error.code})"
            raise MailUnavailableError(msg) from error
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            client.close()
            msg = f"{self._where()}: {_why(error, plan.security)}"
            raise MailUnavailableError(msg) from error
        return client

    def _where(self) -> str:
        return f"{self.plan.host}:{self.plan.port}"


_NO_STARTTLS: Final = "it offers no STARTTLS, so nothing is sent: is the port right, and nobody in between?"


def _broken_off(client: _Client) -> LetterPutOffError:
    return LetterUnansweredError() if client.is_given else LetterPutOffError()


def _refused(code: int, where: str) -> Exception:
    if code == _CLOSING:
        return MailUnavailableError(f"{where} takes no mail now (answer {code})")
    return LetterRefusedError() if code >= _PERMANENT else LetterPutOffError()


def _why(error: Exception, security: str) -> str:
    """In our own words: a server's may quote anything."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not good: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS could not be agreed on; is mail.security = {security!r} right for this port?"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing listens there"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiosmtplib.SMTPTimeoutError | TimeoutError):
        return "no answer in time"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"it answered {error.code}" if error.code > 0 else "what it says is not SMTP"
    if security == "starttls" and "STARTTLS extension" in str(error):  # The library has no class of its own for it.
        return _NO_STARTTLS
    return f"no conversation came about ({type(error).__name__})"
