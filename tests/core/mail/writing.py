"""Letters to test with."""

from __future__ import annotations

from tidegate.core.mail import wording
from tidegate.core.mail.letter import Letter

NOW = 1_000_000.0
SITE = "tide.example"
URL = "https://tide.example/link/abc"


def strangers_letter(recipient: str = "ana@example.org", now: float = NOW) -> Letter:
    return wording.confirm(recipient, URL, SITE, now)


def accounts_letter(recipient: str = "ana@example.org", now: float = NOW) -> Letter:
    return wording.reset(recipient, URL, SITE, now)
