"""Which addresses mail can be sent to, and which of them are the same person's.

Narrower than `accounts.normalise_email`: what stands in an envelope and in a
header must not be able to say anything else there (RFC 5321 section 4.1.2
without quoted names and address literals; ASVS 5.0 1.3.11). Somebody whose
address needs those cannot be written to here.
"""

from __future__ import annotations

import re
from typing import Final

from tidegate.core.accounts import normalise_email

_LOCAL: Final = re.compile(r"""[^\s@<>()\[\]\\,;:"'`|\x00-\x20\x7f]{1,64}\Z""")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_MOST_DOMAIN_CHARACTERS: Final = 253
_SHORT: Final = 3
_PROTON: Final = ("proton.me", "-_.")
_YANDEX: Final = ("yandex.ru", "-.")
_GOOGLE: Final = ("gmail.com", ".")
_APPLE: Final = ("icloud.com", "")
_PROVIDERS: Final = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), _GOOGLE),
    **dict.fromkeys(("proton.me", "protonmail.com", "pm.me"), _PROTON),
    **dict.fromkeys(("yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua"), _YANDEX),
    **dict.fromkeys(("icloud.com", "me.com", "mac.com"), _APPLE),
}
"""Domains of one provider at which a name is the same person's: the one name for them, and what it overlooks in it."""

_NAMED_BELOW: Final = (".fastmail.com", ".fastmail.fm")
"""Where anything@ana.fastmail.com is read by ana@fastmail.com."""


def mailable(email: str) -> str:
    """The form in which an address is written to: its domain in ASCII (RFC 5890). Raises ValueError."""
    address = normalise_email(email)
    local, _, domain = address.rpartition("@")
    ascii_domain = _ascii(domain)
    is_local = _LOCAL.match(local) and not local.startswith((".", "-")) and not local.endswith(".")
    if not is_local or ".." in local or ascii_domain is None:
        msg = "email: mail cannot be sent to this address; expected one such as ana@example.org"
        raise ValueError(msg)
    return f"{local}@{ascii_domain}"


def person_of(recipient: str) -> str:
    """One name for all the ways to write a mailable address that one person reads.

    What follows a plus is the reader's own, and a few providers overlook dots and more, have several domains, or take
    mail for every name below a person's: whoever would bomb a mailbox must not get a new budget for each spelling.
    """
    local, _, domain = recipient.rpartition("@")
    for below in _NAMED_BELOW:
        if domain.endswith(below):
            local, domain = domain.removesuffix(below).rpartition(".")[2], below[1:]
    local = local.partition("+")[0] or local
    domain, overlooked = _PROVIDERS.get(domain, (domain, ""))
    return f"{local.translate(dict.fromkeys(map(ord, overlooked))) or local}@{domain}"


def owner_of(recipient: str) -> str:
    """The domain that was most likely registered: names below it cost its owner nothing.

    The last two labels, or three where the second is short below a country, as in example.co.uk.
    """
    labels = recipient.rpartition("@")[2].split(".")
    is_public = len(labels) > 2 and len(labels[-1]) < _SHORT and len(labels[-2]) <= _SHORT  # noqa: PLR2004 - as said
    return ".".join(labels[-3:] if is_public else labels[-2:])


def _ascii(domain: str) -> str | None:
    try:
        encoded = domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = encoded.split(".")
    is_domain = len(labels) > 1 and len(encoded) <= _MOST_DOMAIN_CHARACTERS and all(map(_LABEL.match, labels))
    return encoded if is_domain and not labels[-1].isdigit() else None
