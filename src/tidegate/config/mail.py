"""The settings of mail, as `settings.py` has all others."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from tidegate.core.mail.addresses import mailable

_Letters = Annotated[int, Meta(ge=1, le=100_000)]
_Words = Annotated[str, Meta(min_length=1)]
_WebAddress = Annotated[
    str, Meta(pattern="^https?://[^/]", extra={"allowed": "an address that begins with http:// or https://"})
]
_PASSWORD_FILE_BYTES = 4096


class MailSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Letters to people: they confirm addresses, replace forgotten passwords, and tell of new devices.

    Without them, whoever signs up is not asked whether the address is theirs.
    """

    delivery: Annotated[
        Literal["off", "smtp", "disk"],
        Meta(
            description="`smtp` hands letters to a server; `disk` keeps them in data_dir/mail, for development: they "
            "are read on the operator's port; `off` sends none."
        ),
    ] = "off"
    smtp_host: Annotated[_Words | None, Meta(description="The SMTP server.")] = None
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="Its port: 587 with `starttls`, 465 with `tls`.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(
            description="How the connection is protected: `starttls` turns to TLS before anything is said, `tls` from "
            "the start; `none` only for a server on this machine."
        ),
    ] = "starttls"
    username: Annotated[_Words | None, Meta(description="Who this service is at the server.")] = None
    password: Annotated[
        _Words | None,
        Meta(description="Its password; best set as TIDEGATE_MAIL_PASSWORD. Never logged."),
    ] = None
    password_file: Annotated[
        Path | None,
        Meta(description="Or a file with nothing else in it, such as a credential of systemd; it counts first."),
    ] = None
    from_address: Annotated[
        str | None, Meta(description="Whom letters are from. Answers go there, and what cannot be delivered.")
    ] = None
    from_name: Annotated[str, Meta(min_length=1, max_length=64, description="And the name that is shown with it.")] = (
        "Tidegate"
    )
    public_url: Annotated[
        _WebAddress | None,
        Meta(
            description="Where people reach this service: what links in letters begin with. Never taken from a "
            "request, which a stranger writes. Needed with `smtp`.",
        ),
    ] = None
    timeout_s: Annotated[
        float, Meta(ge=1, le=300, description="How long the server may take for one letter before it is tried again.")
    ] = 30.0
    per_hour: Annotated[_Letters, Meta(description="Letters in an hour, in all; below what the server allows.")] = 500
    per_day: Annotated[_Letters, Meta(description="Letters in a day, in all.")] = 3000
    reserve: Annotated[
        float,
        Meta(
            ge=0.0,
            le=0.9,
            description="The part of them that only people with an account get letters from: however many strangers "
            "sign up, a password can be reset.",
        ),
    ] = 0.3
    person_per_hour: Annotated[
        int, Meta(ge=1, le=100, description="Letters to one person in an hour, of each cause, however it is spelt.")
    ] = 3
    person_per_day: Annotated[int, Meta(ge=1, le=1000, description="And in a day.")] = 6
    domain_part: Annotated[
        float, Meta(ge=0.001, le=1.0, description="The part of strangers' letters that one mail domain may have.")
    ] = 0.1
    large_part: Annotated[
        float,
        Meta(ge=0.001, le=1.0, description="The same for providers where very many people have their mail."),
    ] = 0.7
    network_part: Annotated[
        float,
        Meta(
            ge=0.001,
            le=1.0,
            description="The part of all letters that may be asked for in accounts' names (a new password, a link that "
            "signs in) from one network (/24, /48); raise it where most of your users are in one.",
        ),
    ] = 0.05
    large_domains: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=253)], ...],
        Meta(max_length=1000, description="Domains that count as such beside the known ones, as your own may."),
    ] = ()

    def password_of(self) -> str | None:
        """The password, wherever it is kept. Raises ValueError without repeating anything of it."""
        if self.password_file is None:
            return self.password
        try:
            with self.password_file.expanduser().open("rb") as file:
                text = file.read(_PASSWORD_FILE_BYTES + 1)
        except OSError as error:
            msg = f"mail.password_file = '{self.password_file}': cannot be read: {error.strerror}"
            raise ValueError(msg) from error
        password = text.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
        if not password or len(text) > _PASSWORD_FILE_BYTES or "\n" in password or "\ufffd" in password:
            msg = f"mail.password_file = '{self.password_file}': expected one line, the password"
            raise ValueError(msg)
        return password


def check_mail(mail: MailSettings) -> None:
    """Refuse what could not work, or would show a password or a link to the network. Raises ValueError."""
    if mail.from_address is not None:
        _check_address(mail.from_address)
    for name in mail.large_domains:
        if not (name.isascii() and name == name.lower() and "." in name.strip(".")):
            msg = f"mail.large_domains = {name!r}: expected names such as example.org, in small letters and ASCII"
            raise ValueError(msg)
    if mail.public_url is not None:
        _check_url(mail.public_url)
    if mail.delivery == "smtp":
        _check_smtp(mail)


def _check_smtp(mail: MailSettings) -> None:
    for name in ("smtp_host", "from_address", "public_url"):
        if getattr(mail, name) is None:
            msg = f"mail.delivery = 'smtp': set mail.{name}"
            raise ValueError(msg)
    if mail.security == "none" and not _is_here(str(mail.smtp_host)):
        msg = (
            f"mail.security = 'none': {mail.smtp_host} is not this machine, and links that open accounts would travel "
            "readable; use 'starttls' or 'tls'"
        )
        raise ValueError(msg)
    if (mail.username is None) != (mail.password is None and mail.password_file is None):
        msg = "mail.username: belongs together with a password (mail.password or mail.password_file); set both or none"
        raise ValueError(msg)


def _check_url(text: str) -> None:
    try:
        parts = urlsplit(text)
        is_plain = parts.port != 0 and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        is_plain, parts = False, urlsplit("")
    if not is_plain or parts.path not in {"", "/"} or not text.isascii() or not text.isprintable() or " " in text:
        msg = "mail.public_url: expected no more than the beginning of every address, such as https://chat.example.org"
        raise ValueError(msg)


def _check_address(text: str) -> None:
    try:
        is_plain = mailable(text) == text and text.isascii()
    except ValueError:
        is_plain = False
    if not is_plain:
        msg = "mail.from_address: expected one such as tidegate@example.org, in small letters and ASCII"
        raise ValueError(msg)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
