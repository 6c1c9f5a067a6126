"""A real SMTP server on loopback, that does what a test needs of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class PostOffice:
    """Takes letters; `answers` says otherwise by recipient or command, `stall` has it never answer DATA."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, str] = {}
        self.stall = False
        self.came = asyncio.Event()
        self.greeted: list[str] = []
        self.was_tls: list[bool] = []
        self.port = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greeted.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 OK")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.stall:
            self.came.set()
            await asyncio.Event().wait()
        if "DATA" in self.answers:
            return self.answers["DATA"]
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, _class=EmailMessage, policy=default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.was_tls.append(session.ssl is not None)
        self.came.set()
        return "250 OK"


def _authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and (given.login, given.password) == (b"tide", b"in and out")
    return AuthResult(success=is_right, handled=False)


@asynccontextmanager
async def post_office(
    *,
    tls: ssl.SSLContext | None = None,
    is_tls_from_the_start: bool = False,
    is_locked: bool = False,
    port: int = 0,
    **options: Any,
) -> AsyncIterator[PostOffice]:
    """Open one; with `is_locked` it asks for a name and a password."""
    office = PostOffice()
    loop = asyncio.get_running_loop()
    if is_locked:
        options |= {"authenticator": _authenticated, "auth_required": True}
    made: list[SMTP] = []

    def factory() -> SMTP:
        made.append(
            SMTP(
                office,
                hostname="post.example",
                enable_SMTPUTF8=options.get("enable_SMTPUTF8", True),
                tls_context=None if is_tls_from_the_start else tls,
                require_starttls=tls is not None and not is_tls_from_the_start,
                auth_require_tls=tls is not None and not is_tls_from_the_start,
                loop=loop,
                **{name: value for name, value in options.items() if name != "enable_SMTPUTF8"},
            )
        )
        return made[-1]

    server = await loop.create_server(factory, "127.0.0.1", port, ssl=tls if is_tls_from_the_start else None)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()
        for one in made:
            if one.transport is not None:
                one.transport.close()
        # What was in the middle of a letter is ended with its connection.
        tasks = [one._handler_coroutine for one in made if one._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
