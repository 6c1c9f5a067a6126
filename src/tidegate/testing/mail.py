"""A Mailer and a Mailbox in memory."""

from __future__ import annotations

import asyncio

from tidegate.core.mail.letter import Letter
from tidegate.ports.mail import KeptLetter


class MemoryMailer:
    """Keeps letters and sets `heard`; raises what stands first in `troubles` instead, while anything does."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self.sent: list[Letter] = []
        self.troubles: list[Exception] = []
        self.tried = 0
        self.heard = asyncio.Event()
        self.is_closed = False

    async def send(self, letter: Letter) -> None:
        """Keep it, or raise."""
        self.tried += 1
        await asyncio.sleep(0)
        self.heard.set()
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(letter)

    async def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True

    async def letters(self) -> list[KeptLetter]:
        """All of them, newest first."""
        return [self._kept(number) for number in reversed(range(len(self.sent)))]

    async def letter(self, name: str) -> KeptLetter | None:
        """One of them; None for any name that is not one's."""
        return next((kept for kept in await self.letters() if kept.name == name), None)

    def _kept(self, number: int) -> KeptLetter:
        letter = self.sent[number]
        return KeptLetter(
            name=f"{number:020d}-00000000",
            recipient=letter.recipient,
            subject=letter.subject,
            sent_at_s=float(number),
            text=letter.text(),
        )
