"""Makes of settings what sends letters, or what keeps them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.adapters.mail.smtp import SmtpMailer, SmtpPlan
from tidegate.config import Settings, SettingsError
from tidegate.config.mail import MailSettings
from tidegate.core.mail.budgets import MailBudgets, MailPlan
from tidegate.ports.mail import Mailbox
from tidegate.services.accounts import Clerk
from tidegate.services.letters import Letters
from tidegate.services.outbox import Outbox

_FROM_HERE = "tidegate@localhost.localdomain"
"""Whom letters are from that never leave this machine."""


class Post(msgspec.Struct, frozen=True):
    """The letters, and the mailbox where they are kept instead of delivered."""

    letters: Letters
    mailbox: Mailbox | None


def post(
    settings: Settings,
    clerk: Clerk,
    datadir: DataDir,
    local_url: str,
    later: Callable[[Coroutine[Any, Any, None]], None],
) -> Post:
    """All of it. `local_url` is where links lead without a public one. Raises SettingsError."""
    mail = settings.mail
    box = None
    outbox = None
    if mail.delivery != "off":
        if mail.delivery == "disk":
            box = DiskMailbox(datadir.mail_path, mail.from_address or _FROM_HERE, mail.from_name)
        outbox = Outbox(box or SmtpMailer(smtp_plan(mail)), clerk.journal, clerk.fingerprint, clerk.clock)
    return Post(Letters(clerk, outbox, MailBudgets(mail_plan(mail)), mail.public_url or local_url, later), box)


def smtp_plan(mail: MailSettings) -> SmtpPlan:
    """How the server is spoken to. Raises SettingsError for a password that cannot be read."""
    try:
        password = mail.password_of()
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return SmtpPlan(
        host=str(mail.smtp_host),
        port=mail.smtp_port,
        security=mail.security,
        from_address=str(mail.from_address),
        from_name=mail.from_name,
        username=mail.username,
        password=password,
        timeout_s=mail.timeout_s,
    )


def mail_plan(mail: MailSettings) -> MailPlan:
    """How many letters may be sent."""
    given = {name: getattr(mail, name) for name in MailPlan.__struct_fields__ if name != "large_domains"}
    return MailPlan(**given, large_domains=frozenset(mail.large_domains))
