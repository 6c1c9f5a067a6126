"""Letters that wait to be handed over: nobody's request waits for a mail server.

They wait in memory. On disk they would be links that open accounts, readable
for as long as a server is away; what a restart loses, people ask for again. A
stop waits a moment for what can still go, and says of the rest that it is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.events import LetterHandled, Level, MailOutcome, MailServerChanged, Tag
from tidegate.core.identifiers import Fingerprint
from tidegate.core.mail.addresses import owner_of
from tidegate.core.mail.budgets import Bound
from tidegate.core.mail.letter import Letter, LetterKind
from tidegate.core.mail.queue import LetterQueue, Waiting
from tidegate.ports.journal import Journal
from tidegate.ports.mail import (
    LetterPutOffError,
    LetterRefusedError,
    LetterUnansweredError,
    Mailer,
    MailUnavailableError,
)

MOST_WAITING: Final = 1000
_HANDS: Final = 4
_LAST_MOMENT_S: Final = 5.0
_LOG = logging.getLogger(__name__)


class OutboxReport(msgspec.Struct, frozen=True, kw_only=True):
    """How it is. `put_off` of those that wait were tried already, `withheld` of those not sent by a budget.

    `trouble` is why nothing can be handed over, since `failing_since_s` (Unix s).
    """

    waiting: int
    put_off: int
    sent: int
    not_sent: int
    withheld: int
    failing_since_s: float | None
    trouble: str | None


def _tell_nobody(letter: Letter) -> None:
    del letter


class Outbox:
    """Hands letters to a mailer. `sent` is told of each that was taken."""

    def __init__(
        self,
        mailer: Mailer,
        journal: Journal,
        fingerprint: Callable[[str], Fingerprint],
        clock: Callable[[], float],
        *,
        most: int = MOST_WAITING,
    ) -> None:
        """Nothing waits."""
        self.sent: Callable[[Letter], None] = _tell_nobody
        self._mailer = mailer
        self._journal = journal
        self._fingerprint = fingerprint
        self._clock = clock
        self._queue = LetterQueue(most)
        self._counts: Counter[MailOutcome] = Counter()
        self._trouble: str | None = None
        self._hands: list[asyncio.Task[None]] = []
        self._came = asyncio.Event()
        self._went = asyncio.Event()

    def put(self, letter: Letter) -> bool:
        """Have a letter handed over soon. False when there is no room: then it is told, and forgotten."""
        if not self._queue.put(letter, self._clock()):
            self._tell(letter.kind, letter.recipient, MailOutcome.NO_ROOM)
            return False
        self._came.set()
        return True

    def report(self) -> OutboxReport:
        """How it is."""
        return OutboxReport(
            waiting=len(self._queue),
            put_off=self._queue.put_off_letters,
            sent=self._counts[MailOutcome.SENT],
            not_sent=self._counts.total() - self._counts[MailOutcome.SENT],
            withheld=self._counts[MailOutcome.WITHHELD],
            failing_since_s=self._queue.failing_since_s,
            trouble=self._trouble,
        )

    def withheld(self, kind: LetterKind, recipient: str, bound: Bound) -> None:
        """Write down that a letter was not even written: that budget does not allow it."""
        self._tell(kind, recipient, MailOutcome.WITHHELD, bound=bound, level=Level.WARNING)

    async def run(self) -> None:
        """Hand letters over for ever, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._hands = [group.create_task(self._work()) for _ in range(_HANDS)]

    async def step(self) -> bool:
        """Hand over one letter, if one is due, and give up what is too old. False when there was nothing to do."""
        now = self._clock()
        for old in self._queue.expired(now):
            self._tell_of(old, MailOutcome.GIVEN_UP)
        waiting = self._queue.take(now)
        if waiting is None:
            return False
        try:
            await self._hand_over(waiting)
        finally:
            self._went.set()
        return True

    async def finish(self, within_s: float = _LAST_MOMENT_S) -> int:
        """Wait at most that long for what can still go, then hand nothing over any more.

        Answers how many letters are lost; the log has a line for each.
        """
        until = self._clock() + within_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._queue.can_go(until):
                    self._went.clear()
                    await self._went.wait()
        for hand in self._hands:
            hand.cancel()
        await asyncio.gather(*self._hands, return_exceptions=True)
        lost = self._queue.rest()
        for waiting in lost:
            self._tell_of(waiting, MailOutcome.LOST)
        await self._mailer.close()
        return len(lost)

    async def _work(self) -> None:
        while True:
            if await self.step():
                continue
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._queue.next_s(self._clock())):
                    await self._came.wait()

    async def _hand_over(self, waiting: Waiting) -> None:
        letter = waiting.letter
        try:
            await self._mailer.send(letter)
        except LetterRefusedError:
            self._answered(waiting, MailOutcome.REFUSED)
        except LetterUnansweredError:
            self._server_is_there()
            if not self._queue.unanswered(waiting, self._clock()):
                self._tell_of(waiting, MailOutcome.UNANSWERED)
        except LetterPutOffError:
            self._server_is_there()
            if not self._queue.put_off(waiting, self._clock()):
                self._tell_of(waiting, MailOutcome.GIVEN_UP)
        except MailUnavailableError as error:
            self._is_away(waiting, str(error))
        except Exception:  # noqa: BLE001 - a defect of ours costs this letter, not all that come after it
            _LOG.exception("a letter could not be handed over")
            self._answered(waiting, MailOutcome.GIVEN_UP)
        else:
            self._answered(waiting, MailOutcome.SENT)
            self.sent(letter)

    def _answered(self, waiting: Waiting, outcome: MailOutcome) -> None:
        self._server_is_there()
        self._queue.answered(waiting)
        self._tell_of(waiting, outcome)
        self._came.set()  # If it was away, all that waited is due.

    def _is_away(self, waiting: Waiting, trouble: str) -> None:
        is_news = self._queue.failing_since_s is None
        self._trouble = trouble
        if not self._queue.unreachable(waiting, self._clock()):
            self._tell_of(waiting, MailOutcome.GIVEN_UP)
        if is_news:
            self._tell_server(Tag.MAIL_FAILING, Level.ERROR)

    def _server_is_there(self) -> None:
        if self._queue.failing_since_s is not None:
            self._trouble = None
            self._tell_server(Tag.MAIL_WORKING, Level.INFO)

    def _tell_of(self, waiting: Waiting, outcome: MailOutcome) -> None:
        # One that is lost was tried as often as it was put off, and no more.
        tries = waiting.tries + (outcome is not MailOutcome.LOST)
        self._tell(
            waiting.letter.kind, waiting.letter.recipient, outcome, wait_s=self._clock() - waiting.since_s, tries=tries
        )

    def _tell(
        self,
        kind: LetterKind,
        recipient: str,
        outcome: MailOutcome,
        *,
        bound: Bound | None = None,
        wait_s: float | None = None,
        tries: int | None = None,
        level: Level = Level.INFO,
    ) -> None:
        # Of whom, the log learns no more than a fingerprint of the domain.
        self._counts[outcome] += 1
        self._journal.record(
            LetterHandled(
                t=self._clock(),
                level=level,
                event=Tag.MAIL_SENT if outcome is MailOutcome.SENT else Tag.MAIL_NOT_SENT,
                outcome=outcome,
                letter=kind,
                mail_domain=self._fingerprint(owner_of(recipient)),
                bound=bound,
                wait_s=None if wait_s is None else round(wait_s, 3),
                tries=tries,
            )
        )

    def _tell_server(self, tag: Tag, level: Level) -> None:
        self._journal.record(MailServerChanged(t=self._clock(), level=level, event=tag, waiting=len(self._queue)))
