"""Letters of a rehearsal: taken out of the folder where the service keeps them, their links read by whom they are to.

The service lets go of the oldest beyond some hundred, and people read theirs after half a minute: so while anybody
waits for one, the folder is looked at each second, each letter is read once, and its link is remembered.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from typing import Final, Protocol

from tidegate.ports.mail import KeptLetter

EVERY_S: Final = 1.0
MOST: Final = 20_000
"""Links that are remembered; the oldest goes first."""
_LINK: Final = re.compile(r"https?://[^/\s]+(/sign-up/confirm/\S+)")


class Box(Protocol):
    """Where letters lie that were kept instead of sent."""

    async def names(self) -> list[str]:
        """What each is called, newest first. Raises OSError where that cannot be read."""

    async def letter(self, name: str) -> KeptLetter | None:
        """One of them; None where it is gone."""


class Letters:
    """All letters to newcomers."""

    def __init__(self, box: Box) -> None:
        """None was read."""
        self._box = box
        self._read: set[str] = set()
        self._links: OrderedDict[str, str] = OrderedDict()
        self._readers = 0
        self._rounds: asyncio.Task[None] | None = None

    async def link(self, email: str, after_s: float) -> str:
        """The path that the letter to this address leads to, as it stands there when its reader looks after so long.

        Waits until there is one, for ever: whoever gives up cancels it.
        """
        self._readers += 1
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._take_out())
        try:
            await asyncio.sleep(after_s)
            while (path := self._links.get(email)) is None:  # noqa: ASYNC110 - a folder: nobody tells that a letter came
                await asyncio.sleep(EVERY_S)
            return path
        finally:
            self._readers -= 1
            if not self._readers:
                self._rounds.cancel()
                self._rounds = None

    async def _take_out(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(EVERY_S)

    async def _look(self) -> None:
        """Read what came since the last time, the older first: of two letters to one address the later counts."""
        try:
            names = await self._box.names()
        except OSError:
            return  # It cannot be read just now: whoever waits for a letter waits on.
        for name in reversed(names):
            if name in self._read:
                continue
            letter = await self._box.letter(name)
            if letter is not None and (found := _LINK.search(letter.text)):
                self._links[letter.recipient] = found[1]
                self._links.move_to_end(letter.recipient)
        self._read = set(names)
        while len(self._links) > MOST:
            self._links.popitem(last=False)
