"""Leaving an address instead of waiting, and asking an operator: what it costs, and who is written to in turn.

It costs what a place in line costs. Who stands in line gives the place for it, for good; where there is no line,
it costs work. So an address that was left was paid for, and a flood of them is no cheaper than one of sign-ups.

Whose turn it is gets an invitation by letter that lasts a day. That is done beside the requests: a store that is
away, or letters that are used up for now, cost nobody their turn but only time. What is lost with a restart are the
letters that could not be sent at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec

from tidegate.core.accounts import normalise_email
from tidegate.core.identifiers import Fingerprint
from tidegate.core.mail.addresses import mailable
from tidegate.core.registration.modes import Cause
from tidegate.core.registration.requests import Left, RequestKind, noted
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.join_requests import Approved, Requests
from tidegate.services.joining import TICK_S, ByInvitation, InLine, Joining, Shown, Step, TurnedAwayError
from tidegate.services.sessions import Trace
from tidegate.services.work import Answer, Work

COUNT_S: Final = 10.0
AGAIN_S: Final = 300.0
MOST_UNSENT: Final = 1000
"""Letters that are tried again because no budget was left for them; the oldest is forgotten first."""


class Writing(Protocol):
    """Writes to whom it is the turn of."""

    def budget_left(self) -> float | None:
        """The part of the letters to strangers that is left, 0 to 1."""

    def invitation_url(self, text: str) -> str:
        """Where whoever has this invitation goes."""

    def turn_came(self, email: str, url: str, lasts_s: float = ...) -> bool:
        """Tell somebody. False when it will not be sent; raises ValueError."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for: to be written to, or an operator's yes, with a word to them."""

    email: str
    kind: RequestKind
    note: str = ""


class Offer(msgspec.Struct, frozen=True):
    """What can be asked for, and the work that it costs; without that it costs the place in line."""

    kinds: tuple[RequestKind, ...]
    work: Work | None = None


class Asking:
    """Takes wishes and writes to those whose turn it is. Without `letters` there is only an operator to be asked."""

    def __init__(
        self, joining: Joining, requests: Requests, letters: Writing | None, clock: Callable[[], float]
    ) -> None:
        """`clock` tells Unix seconds."""
        self.failures = 0
        self._joining = joining
        self._requests = requests
        self._letters = letters
        self._clock = clock
        self._leaving: set[str] = set()
        self._unsent: deque[tuple[float, Approved]] = deque(maxlen=MOST_UNSENT)
        self._counted_at = float("-inf")

    @property
    def is_mail_on(self) -> bool:
        """Whether an answer comes by letter."""
        return self._letters is not None

    def offer(self, shown: Shown, step: Step) -> Offer | None:
        """What somebody may ask for at this step."""
        kinds = self._kinds(step)
        if not kinds:
            return None
        return Offer(kinds, self._joining.work(shown) if isinstance(step, ByInvitation) else None)

    async def leave(self, shown: Shown, wish: Wish, answer: Answer, net: Fingerprint | None, trace: Trace) -> Left:
        """Take a wish. Only what is left costs the place.

        Raises TurnedAwayError where it is not offered or the work does not count, ValueError naming the field,
        StorageUnavailableError.
        """
        step = self._joining.look(shown)
        if wish.kind not in self._kinds(step) or shown.ticket in self._leaving:
            raise TurnedAwayError(step)
        # Before anything is paid: whoever mistypes pays nothing for it.
        (mailable if self.is_mail_on else normalise_email)(wish.email)
        note = noted(wish.note)
        if isinstance(step, ByInvitation):
            self._joining.registration.came()
            self._joining.spend(shown, answer, trace)
            return await self._left(wish, note, net)
        self._leaving.add(shown.ticket)
        try:
            left = await self._left(wish, note, net)
            if left is Left.LEFT:
                self._joining.give(shown)
        finally:
            self._leaving.discard(shown.ticket)
        return left

    async def _left(self, wish: Wish, note: str, net: Fingerprint | None) -> Left:
        left = await self._requests.leave(wish.email, wish.kind, net, note=note)
        if left is Left.LEFT and wish.kind is RequestKind.WAITING:
            self._joining.turns.wanted += 1
        return left

    def _kinds(self, step: Step) -> tuple[RequestKind, ...]:
        is_mail_on = self.is_mail_on
        match step:
            case InLine(place=place) if place.is_counted and is_mail_on:
                return (RequestKind.WAITING,)
            case ByInvitation() if is_mail_on and self._joining.registration.causes() != (Cause.SETTINGS,):
                return (RequestKind.WAITING, RequestKind.APPROVAL)
            case ByInvitation():  # By the settings nobody's turn ever comes.
                return (RequestKind.APPROVAL,)
            case _:
                return ()

    # ------------------------------------------------------------ now and then

    async def step(self) -> None:
        """Write to those whose turn it is, and try again what could not be sent. A store that is away is waited for."""
        letters, now = self._letters, self._clock()
        if letters is None:
            return
        while self._unsent and not 0.0 <= now - self._unsent[0][0] < AGAIN_S:
            self._write(letters, self._unsent.popleft()[1], now)
        try:
            await self._go_on(letters, now)
        except StorageUnavailableError:
            self.failures += 1

    async def write_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Write for ever, until cancelled."""
        while True:
            await self.step()
            await sleep(TICK_S)

    async def _go_on(self, letters: Writing, now: float) -> None:
        turns = self._joining.turns
        if not 0.0 <= now - self._counted_at < COUNT_S:
            # Where no letter is left nobody could be written to: the line need not share its turns.
            turns.wanted = await self._requests.count(RequestKind.WAITING) if letters.budget_left() else 0
            self._counted_at = now
        if granted := turns.granted:
            found = await self._requests.waiting_next(granted)
            turns.used(granted, len(found))
            for one in found:
                self._write(letters, one, now)

    def _write(self, letters: Writing, one: Approved, now: float) -> None:
        lasts_s = one.expires_at_s - now
        if one.text is None or lasts_s <= 0.0:
            return  # They have an account by now, or came too late for a letter.
        if not letters.turn_came(one.email, letters.invitation_url(one.text), lasts_s):
            self._unsent.append((now, one))
