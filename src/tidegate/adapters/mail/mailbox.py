"""A mailbox on disk for development: letters are kept as files instead of delivered.

The newest `most` are kept. Each holds a link that works, so all of it is for
the owner of the data directory only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

from tidegate.adapters.mail.messages import message_of
from tidegate.core.mail.letter import Letter
from tidegate.ports.mail import KeptLetter, LetterRefusedError, MailUnavailableError

_NAME: Final = re.compile(r"[0-9]{20}-[0-9a-f]{8}\Z")
MOST_LETTERS: Final = 200


class DiskMailbox:
    """A Mailer and a Mailbox in one folder, which is made with the first letter."""

    def __init__(
        self,
        folder: Path,
        from_address: str,
        from_name: str,
        *,
        most: int = MOST_LETTERS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Touch nothing yet."""
        self._folder = folder
        self._from = (from_address, from_name)
        self._most = most
        self._clock = clock

    async def send(self, letter: Letter) -> None:
        """Keep a letter, and let go of the oldest beyond the bound."""
        now = self._clock()
        try:
            message = message_of(letter, *self._from, now)
        except ValueError as error:
            raise LetterRefusedError from error
        try:
            await asyncio.to_thread(self._keep, f"{time.time_ns():020d}-{secrets.token_hex(4)}", message.as_bytes())
        except OSError as error:
            msg = f"{self._folder} cannot be written: {error.strerror}"
            raise MailUnavailableError(msg) from error

    async def close(self) -> None:
        """Nothing is open."""

    async def letters(self) -> list[KeptLetter]:
        """All of them, newest first."""
        return await asyncio.to_thread(lambda: [found for name in self._names() if (found := self._read(name))])

    async def names(self) -> list[str]:
        """What each of them is called, newest first. Raises OSError where the folder cannot be read."""
        return await asyncio.to_thread(self._names)

    async def letter(self, name: str) -> KeptLetter | None:
        """One of them; None for any name that is not one's."""
        return await asyncio.to_thread(self._read, name) if _NAME.match(name) else None

    def _keep(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / f"{name}.eml"
        draft = path.with_suffix(".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        draft.rename(path)
        for old in self._names()[self._most :]:
            (self._folder / f"{old}.eml").unlink(missing_ok=True)

    def _names(self) -> list[str]:
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):  # Nothing was sent yet.
            names = [path.stem for path in self._folder.iterdir() if path.suffix == ".eml" and _NAME.match(path.stem)]
        return sorted(names, reverse=True)

    def _read(self, name: str) -> KeptLetter | None:
        try:
            content = (self._folder / f"{name}.eml").read_bytes()
        except FileNotFoundError:
            return None  # Let go of meanwhile.
        message = message_from_bytes(content, _class=EmailMessage, policy=default)
        body = message.get_body(("plain",))
        return KeptLetter(
            name=name,
            recipient=str(message["To"] or ""),
            subject=str(message["Subject"] or ""),
            sent_at_s=int(name.partition("-")[0]) / 1e9,
            text="" if body is None else str(body.get_content()).replace("\r\n", "\n"),
        )
