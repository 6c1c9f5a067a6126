"""Signing in, as the page asks for it: the form, work where some is asked for, and what the answer says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from tidegate.core.reasons import Reason
from tidegate.lab.acts import Outcome, SignIn
from tidegate.lab.live.accounts import PASSWORD, Accounts
from tidegate.lab.live.browser import Browser, Seen
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.questions import reason_of, told_s
from tidegate.lab.live.work import Solver

MOST_DEVICES: Final = 20_000
SEE_OTHER: Final = 303
FORBIDDEN: Final = 403
_SAID_IN_FORM: Final = {401: Reason.WRONG_CREDENTIALS, 403: Reason.CHALLENGE_REQUIRED}
"""A form that is shown once more says in its own words why."""
_WRONG: Final = "not the password of this account"


class Devices:
    """The marks that devices were given when somebody signed in on them: which device is known to which account."""

    def __init__(self) -> None:
        """None was given yet."""
        self._marks: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def of(self, name: str) -> tuple[str, str] | None:
        """The cookie of a device of theirs."""
        return self._marks.get(name)

    def keep(self, name: str, browser: Browser) -> None:
        """Keep what the browser was given, if it was."""
        for cookie, value in browser.cookies.items():
            if cookie.endswith("tidegate-device"):
                self._marks[name] = (cookie, value)
                if len(self._marks) > MOST_DEVICES:
                    self._marks.popitem(last=False)


class Entrance:
    """Signs people in."""

    def __init__(self, accounts: Accounts, solver: Solver, devices: Devices) -> None:
        """Nobody signed in yet."""
        self._accounts = accounts
        self._solver = solver
        self._devices = devices

    async def sign_in(
        self,
        what: SignIn,
        browser: Browser,
        asked_at: float,
        since: Callable[[float], float],
        *,
        is_first: bool = True,
    ) -> Outcome:
        """One try: the page, the form, and once more where the answer asks for work that the page did not.

        With `is_first` that work goes before others'.
        """
        known = self._devices.of(what.account) if what.is_known_device else None
        if known is not None:
            browser.cookies[known[0]] = known[1]
        effort, page = 0, await browser.get("/sign-in")
        if not page.csrf:
            return entered(page.heard, asked_at, since, effort)
        email = self._accounts.email(what.account)
        for _ in range(2):
            work = await self._work(what, page, is_first=is_first)
            effort = max(effort, work[1])
            fields = {"email": email, "password": PASSWORD if what.is_right else _WRONG, "csrf": page.csrf, **work[0]}
            page = await browser.post("/sign-in", fields)
            if page.status != FORBIDDEN or not page.challenge or what.effort_s is None:
                break
        if page.status == SEE_OTHER:
            self._devices.keep(what.account, browser)
        return entered(page.heard, asked_at, since, effort or effort_of(page))

    async def _work(self, what: SignIn, page: Seen, *, is_first: bool) -> tuple[dict[str, str], int]:
        if not page.challenge:
            return {}, 0
        if what.effort_s is None:
            return {}, effort_of(page)
        return await worked(self._solver, page, what.effort_s, is_first=is_first)


async def worked(solver: Solver, page: Seen, effort_s: float, *, is_first: bool) -> tuple[dict[str, str], int]:
    """The fields that show the work which a page asks for, and how much it was."""
    done = await solver.solve(page.challenge, effort_s, is_first=is_first)
    if done is None:
        return {}, effort_of(page)
    answer, effort, took_ms = done
    return {"challenge": page.challenge, "answer": answer, "solve_ms": str(took_ms)}, effort


def effort_of(page: Seen) -> int:
    """How much work a page asks for; 0 none."""
    parts = page.challenge.split(".")
    return int(parts[2][:9]) if len(parts) > 2 and parts[2].isdecimal() else 0  # noqa: PLR2004 - puzzle.scope.effort


def entered(heard: Heard, asked_at: float, since: Callable[[float], float], effort: int) -> Outcome:
    """What became of it: signed in is what the answer leads on from."""
    is_in = heard.is_whole and heard.status == SEE_OTHER
    return Outcome(
        asked_at_s=since(asked_at),
        ended_at_s=since(heard.ended_at),
        status=heard.status,
        reason="" if is_in else reason_of(heard) or _SAID_IN_FORM.get(heard.status, ""),
        first_s=heard.ended_at - asked_at,
        is_complete=is_in,
        retry_after_s=heard.retry_after_s,
        promised_s=told_s(heard),
        effort=effort,
    )
