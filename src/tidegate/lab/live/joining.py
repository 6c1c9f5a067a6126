"""Signing up, all the way to an account: the form, the work or the line, the letter.

What is done is what the pages say. A refusal is heeded by those who heed: they come again when it says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import msgspec

from tidegate.lab.acts import Group, Outcome, SignUp, Who
from tidegate.lab.live.accounts import PASSWORD, Accounts
from tidegate.lab.live.browser import Browser, Seen
from tidegate.lab.live.entering import FORBIDDEN, SEE_OTHER, effort_of, worked
from tidegate.lab.live.letters import Letters
from tidegate.lab.live.questions import reason_of
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.work import Solver
from tidegate.lab.promises import Promise

LINE: Final = "/sign-up/line"
FORM: Final = "/sign-up"
_OK: Final = 200
_COME_AGAIN: Final = frozenset({429, 503})
_UNTOLD_S: Final = 5.0
_IMPATIENT_S: Final = 1.0
_LONGEST_S: Final = 60.0
_MOST_FORMS: Final = 10
_STANDS_STILL: Final = b"The line stands still"


class _Told(msgspec.Struct):
    wait_p90_s: float | None = None


class Registrar:
    """Whatever those share who sign up."""

    def __init__(self, accounts: Accounts, solver: Solver, letters: Letters) -> None:
        """Nobody came yet."""
        self.accounts = accounts
        self.solver = solver
        self.letters = letters
        self._given: Counter[str] = Counter()

    def address(self, what: SignUp) -> str:
        """The mail address that is given; one that was given already gets a number."""
        wanted = f"{what.local_part}@{what.mail_domain}"
        self._given[wanted] += 1
        number = self._given[wanted]
        return wanted if number == 1 else f"{what.local_part}{number}@{what.mail_domain}"


class Newcomer:
    """One of them."""

    def __init__(self, registrar: Registrar, who: Who, what: SignUp, browser: Browser) -> None:
        """Nothing was asked yet."""
        self._registrar = registrar
        self._who = who
        self._what = what
        self._browser = browser
        self._email = registrar.address(what)
        self._effort = 0
        self._forms = 0
        self._promise = Promise()
        self._was_told_in_line = False
        self._is_in_line = False
        self._last: Seen | None = None

    async def join(self, asked_at: float, since: Callable[[float], float]) -> Outcome:
        """Get an account, or give up."""
        is_in = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._what.gives_up_after_s):
                is_in = await self._walk()
        if is_in:
            with contextlib.suppress(LiveError):
                await self._registrar.accounts.joined(self._who.name, self._email)
        now, last = monotonic(), self._last.heard if self._last is not None else None
        return Outcome(
            asked_at_s=since(asked_at),
            ended_at_s=since(now),
            status=last.status if last is not None else 0,
            reason="" if is_in or last is None else reason_of(last),
            first_s=now - asked_at if is_in else None,
            is_complete=is_in,
            retry_after_s=None if last is None else last.retry_after_s,
            promised_s=self._promise.promised_s,
            waited_s=self._promise.waited_s(now),
            effort=self._effort,
        )

    async def _walk(self) -> bool:
        """Go on from page to page. True with an account, False where this way ends."""
        path: str | None = FORM
        while path is not None:
            path = await (self._wait() if path == LINE else self._form())
        last = self._last
        if last is None or last.status != _OK:
            return last is not None and last.status == SEE_OTHER
        return await self._open_letter()

    async def _form(self) -> str | None:
        page = await self._heeding(lambda: self._browser.get(FORM))
        if page.status == SEE_OTHER:
            return page.to if page.to.startswith(FORM) else FORM
        if page.status != _OK or not page.csrf:
            self._last = page
            return None if page.status == _OK or not self._what.heeds else await self._again(_UNTOLD_S)
        fields = {"csrf": page.csrf}
        if page.challenge:
            if self._what.effort_s is None:
                self._effort = max(self._effort, effort_of(page))
            else:
                is_first = self._who.group is not Group.ATTACKER
                done, effort = await worked(self._registrar.solver, page, self._what.effort_s, is_first=is_first)
                fields |= done
                self._effort = max(self._effort, effort)
        if page.is_line:
            return self._onward(await self._heeding(lambda: self._browser.post(LINE, fields)))
        filled = {**fields, "email": self._email, "password": PASSWORD}
        return self._onward(await self._heeding(lambda: self._browser.post(FORM, filled)))

    def _onward(self, page: Seen) -> str | None:
        """Where an answer leads: into the line, back to the form, or out of it."""
        self._last = page
        if page.status == SEE_OTHER:
            return page.to if page.to.startswith(FORM) else None
        if page.status == _OK and not page.csrf:
            return None  # A letter is on its way.
        self._forms += 1
        is_worth_it = page.status == FORBIDDEN and self._what.effort_s is not None and self._what.heeds
        return FORM if is_worth_it and self._forms < _MOST_FORMS else None

    async def _again(self, wait_s: float) -> str:
        await asyncio.sleep(wait_s)
        return FORM

    async def _wait(self) -> str:
        """Look how the line is, as often as the page says."""
        self._is_in_line = True
        page = await self._heeding(lambda: self._browser.get(LINE))
        self._last = page
        if page.status == SEE_OTHER:
            self._promise.over(monotonic())
            return page.to if page.to.startswith(FORM) else FORM
        if not self._was_told_in_line and page.status == _OK and _STANDS_STILL not in page.heard.body:
            await self._hear_promise()
        await asyncio.sleep(_UNTOLD_S if page.refresh_s is None else page.refresh_s)
        return LINE

    async def _hear_promise(self) -> None:
        """What the line says, once it says anything, counts instead of what was told at the door."""
        state = await self._browser.get("/api/sign-up", "application/json")
        told = _Told()
        with contextlib.suppress(msgspec.DecodeError):
            told = msgspec.json.decode(state.heard.body, type=_Told)
        if told.wait_p90_s is not None:
            self._was_told_in_line = True
            self._promise.told_anew(told.wait_p90_s, monotonic())

    async def _heeding(self, ask: Callable[[], Awaitable[Seen]]) -> Seen:
        """Ask until there is an answer; who heeds nothing comes again at once."""
        while True:
            page = await ask()
            if page.status not in _COME_AGAIN and page.status:
                if not self._is_in_line:
                    self._promise.over(monotonic())
                return page
            self._last = page
            told_s = page.heard.retry_after_s
            if told_s is not None:
                self._promise.told(told_s, monotonic())
            wait_s = min(told_s or _UNTOLD_S, _LONGEST_S) if self._what.heeds else _IMPATIENT_S
            await asyncio.sleep(wait_s)

    async def _open_letter(self) -> bool:
        """Wait for the letter, read it when one does, open its link and choose a password."""
        if self._what.reads_mail_after_s is None:
            return False
        path = await self._registrar.letters.link(self._email, self._what.reads_mail_after_s)
        page = await self._heeding(lambda: self._browser.get(path))
        if not page.csrf:
            self._last = page
            return False
        chosen = {"csrf": page.csrf, "password": PASSWORD}
        self._last = await self._heeding(lambda: self._browser.post(path, chosen))
        return self._last.status == SEE_OTHER
