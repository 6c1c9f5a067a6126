"""A letter as a message that mail servers and readers understand (RFC 5322, 2045)."""

from __future__ import annotations

import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from hashlib import blake2s

from tidegate.core.mail.addresses import mailable
from tidegate.core.mail.letter import Letter


def message_of(letter: Letter, from_address: str, from_name: str, now: float) -> EmailMessage:
    """The message: plain text first, the same as a page beside it.

    Every header is made by the standard library of parts that it checks: a line end in one is an error, not a header
    more. Raises ValueError for a recipient that is not mailable.
    """
    local, _, domain = mailable(letter.recipient).rpartition("@")
    message = EmailMessage(policy=SMTP if letter.recipient.isascii() else SMTPUTF8)
    message["From"] = Address(display_name=from_name, addr_spec=from_address)
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.datetime.fromtimestamp(now, datetime.UTC))
    message["Message-ID"] = f"<{_name(letter)}@{from_address.rpartition('@')[2]}>"
    # Holiday notices shall not be sent back to it (RFC 3834 section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text())
    message.add_alternative(letter.page(), subtype="html")
    return message


def _name(letter: Letter) -> str:
    """The same each time that this letter is handed over: whoever gets it twice can tell (RFC 5322 section 3.6.4)."""
    said = "\0".join((letter.kind, letter.recipient, letter.url, repr(letter.good_until_s)))
    return blake2s(said.encode(), digest_size=16, person=b"letter").hexdigest()
