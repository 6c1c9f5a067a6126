"""Who delivers letters, and where they are kept to be looked at while there is nobody who does."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tidegate.core.mail.letter import Letter


class LetterRefusedError(Exception):
    """This letter will not be taken, ever: there is no such mailbox, or it cannot be written to."""


class LetterPutOffError(Exception):
    """This letter is not taken now; others may be. Try again later."""


class LetterUnansweredError(LetterPutOffError):
    """All of this letter may have been given, and no word came of what became of it: it may well arrive."""


class MailUnavailableError(Exception):
    """Nothing can be delivered now. The message says why, for the operator, and quotes nobody's address or password."""


class Mailer(Protocol):
    """Hands letters over."""

    async def send(self, letter: Letter) -> None:
        """Hand a letter over; when this returns it is another's to deliver.

        Raises LetterRefusedError, LetterPutOffError, LetterUnansweredError or MailUnavailableError.
        """

    async def close(self) -> None:
        """Let go of what was kept open."""


class KeptLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter in a mailbox. `name` is how it is asked for; `sent_at_s` in Unix s."""

    name: str
    recipient: str
    subject: str
    sent_at_s: float
    text: str


class Mailbox(Protocol):
    """Letters that were kept instead of delivered."""

    async def letters(self) -> list[KeptLetter]:
        """All of them, newest first."""

    async def letter(self, name: str) -> KeptLetter | None:
        """One of them; None for any name that is not one's."""
