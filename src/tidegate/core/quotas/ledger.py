"""Who has used how much: decides whether one more request may begin, and counts what it came to.

States of a bill:

    (reserve) -> out -> over          `settle` ends it, once; what it came to may be nothing

What an `out` one has come to so far is counted when it is told (`accrue`), and
no longer held: an answer that takes long must not be forgotten with the process
that gives it.

A request is charged to one or more payers, say an account and the key it came
with. It may begin while every one of them has something left in every window,
what others of theirs that are out may still use set aside. So of requests that
come to no more than they reserved, the sum that begins in a window is at most
the limit and one reservation, however many run at once: only the last one to be
let in can go beyond. Counting afterwards, as most gateways do, lets as many
beyond as there are at once.

A request counts in the windows in which it began, whenever it ends: then a new
window begins with all of its budget, and a reset that was told is true.

What can never happen: a bill that counts twice, or not at all while its window
lasts; a window that is counted from 0 again because the clock stepped back. A
clock that is more than one window behind was wrong before: then what was used
counts in the window that it is now, for a budget must not stay shut until a
moment that was never meant. A clock that steps forward cannot be told from time.

A limit for one day more may come with who somebody is (`probation`): the tighter
one of it and the default counts, and a limit of one's own before both.

Memory: `most` payers, and those with a bill out. The longest unseen is forgotten
first of those whose use is saved; where none is, what was counted of it since it
was last saved is lost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from tidegate.core.quotas.budget import Budget, Kept, Payer, State, Used
from tidegate.core.quotas.windows import Window, ends_at, number_of

Probation = Callable[[str, float], int]
"""How many tokens the payer of this name may use in one day at that moment, beside other limits; 0 is no limit."""

_LOOKED_AT: Final = 64
"""So many of the longest unseen are looked at for one to forget that loses nothing."""


class Out(msgspec.Struct, frozen=True):
    """It may begin; `settle` it under this number."""

    number: int


class Exhausted(msgspec.Struct, frozen=True):
    """A budget is used up; from the state's `resets_at_s` on none of those that are used up now still is."""

    state: State


class Held(msgspec.Struct, frozen=True):
    """What is left of a budget may all be used by requests that are out: one of them has to end first."""

    state: State


class _Count(msgspec.Struct):
    number: int = 0
    tokens: int = 0
    held: int = 0
    turn: int = 0  # Tells a bill whether this is still the window that it began in.

    def roll(self, window: Window, now: float) -> None:
        number = number_of(window, now)
        if number > self.number:
            self.tokens = self.held = 0
            self.turn += 1
            self.number = number
        elif number < self.number - 1:
            self.number = number


class _Account(msgspec.Struct):
    payer: Payer
    own: Budget = Budget()
    counts: dict[Window, _Count] = msgspec.field(default_factory=lambda: {window: _Count() for window in Window})
    bills: int = 0
    is_read: bool = False
    is_changed: bool = False

    def kept(self) -> Kept:
        use = {window: Used(count.number, count.tokens) for window, count in self.counts.items()}
        return Kept(payer=self.payer.name, budget=self.own, use=use)


class _Bill(msgspec.Struct):
    reserved: int
    accounts: list[_Account]
    turns: list[dict[Window, int]]
    had: int = 0  # So much of it is counted already.

    def become(self, reserved: int, had: int) -> None:
        """Count and hold what differs, in the windows that it began in, of those that are not over."""
        counted, held = had - self.had, max(0, reserved - had) - max(0, self.reserved - self.had)
        self.reserved, self.had = reserved, had
        for account, turns in zip(self.accounts, self.turns, strict=True):
            account.is_changed = account.is_changed or counted != 0
            for window, count in account.counts.items():
                if count.turn == turns[window]:
                    count.tokens += counted
                    count.held += held


class Ledger:
    """See the head of this file. Times are Unix seconds. Not to be shared between threads."""

    def __init__(self, defaults: Budget, most: int, probation: Probation = lambda _payer, _now: 0) -> None:
        """Nobody has used anything. `defaults` may be exchanged, and so may `most`."""
        self.defaults = defaults
        self.probation = probation
        self.most = most
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._bills: dict[int, _Bill] = {}
        self._last = 0

    def __len__(self) -> int:
        """How many payers are remembered."""
        return len(self._accounts)

    @property
    def out(self) -> int:
        """How many bills are out."""
        return len(self._bills)

    # ------------------------------------------------------------ deciding

    def reserve(self, payers: Sequence[Payer], tokens: int, now: float) -> Out | Exhausted | Held:
        """Let a request begin that comes to at most so many tokens, or say whose budget is in the way."""
        accounts = [self._account(payer) for payer in payers]
        limited = [state for account in accounts for state in self._states(account, now, only_limited=True)]
        used_up = [state for state in limited if state.used >= state.limit]
        if used_up:
            return Exhausted(max(used_up, key=lambda state: state.resets_at_s))
        held = next((state for state in limited if not state.remaining), None)
        if held is not None:
            return Held(held)
        for account in accounts:
            account.bills += 1
            for count in account.counts.values():
                count.held += tokens
        self._last += 1
        turns = [{window: count.turn for window, count in account.counts.items()} for account in accounts]
        self._bills[self._last] = _Bill(tokens, accounts, turns)
        return Out(self._last)

    def narrow(self, number: int, tokens: int) -> None:
        """Hold no more than this for a bill: it is known better now what it can come to. Never more than before."""
        bill = self._bills.get(number)
        if bill is not None and tokens < bill.reserved:
            bill.become(tokens, bill.had)

    def accrue(self, number: int, tokens: int) -> None:
        """Count what a bill has come to so far. Less than before changes nothing: its end tells the truth."""
        bill = self._bills.get(number)
        if bill is not None and tokens > bill.had:
            bill.become(bill.reserved, tokens)

    def settle(self, number: int, tokens: int) -> None:
        """End a bill as what it came to. More than once does no harm."""
        bill = self._bills.pop(number, None)
        if bill is None:
            return
        bill.become(0, tokens)
        for account in bill.accounts:
            account.bills -= 1

    # ------------------------------------------------------------ knowing

    def states(self, payers: Sequence[Payer], now: float) -> list[State]:
        """Where payers stand in every window, by payer and then from the shortest window to the longest."""
        return [state for payer in payers for state in self._states(self._account(payer), now)]

    def knows(self, payer: str) -> bool:
        """Whether what is kept of a payer was read."""
        account = self._accounts.get(payer)
        return account is not None and account.is_read

    def know(self, payer: Payer, kept: Kept) -> None:
        """Take what is kept of a payer; what was counted before that was read is added. Once is enough."""
        account = self._account(payer)
        if account.is_read:
            return
        account.is_read, account.own = True, kept.budget
        for window, used in kept.use.items():
            count = account.counts[window]
            if used.number >= count.number:
                count.number = used.number
                count.tokens += used.tokens

    def allow(self, payer: str, budget: Budget) -> None:
        """Give a payer other limits of its own. Of one that is not remembered they will be read."""
        account = self._accounts.get(payer)
        if account is not None:
            account.own = budget

    # ------------------------------------------------------------ saving

    def unread(self) -> list[Payer]:
        """Who has used something, of whom it was not read yet what is kept: they cannot be saved before it is."""
        return [account.payer for account in self._accounts.values() if account.is_changed and not account.is_read]

    def changed(self) -> list[tuple[Payer, Kept]]:
        """Whose use differs from what is kept, and what it is now."""
        accounts = self._accounts.values()
        return [(account.payer, account.kept()) for account in accounts if account.is_changed and account.is_read]

    def saved(self, kept: Sequence[Kept]) -> None:
        """These are kept now. Who has used more in the meantime is still to be saved."""
        for one in kept:
            account = self._accounts.get(one.payer)
            if account is not None and account.kept().use == one.use:
                account.is_changed = False

    def _states(self, account: _Account, now: float, *, only_limited: bool = False) -> Iterator[State]:
        default = self.defaults if account.payer.has_defaults else None
        for window, count in account.counts.items():
            count.roll(window, now)
            limit = account.own.limit(window, default)
            probation = 0
            if window is Window.DAY and default is not None and account.own.per_day is None:
                probation = self.probation(account.payer.name, now)
            is_probation = bool(probation) and (not limit or probation < limit)
            if is_probation:
                limit = probation
            if only_limited and not limit:
                continue
            yield State(
                payer=account.payer.name,
                window=window,
                limit=limit,
                used=count.tokens,
                held=count.held,
                resets_at_s=ends_at(window, count.number),
                is_probation=is_probation,
            )

    def _account(self, payer: Payer) -> _Account:
        account = self._accounts.get(payer.name)
        if account is None:
            account = self._accounts[payer.name] = _Account(payer)
            if len(self._accounts) > self.most:
                self._forget_one(payer.name)
        self._accounts.move_to_end(payer.name)
        return account

    def _forget_one(self, but: str) -> None:
        idle = (name for name, account in self._accounts.items() if not account.bills and name != but)
        oldest = list(islice(idle, _LOOKED_AT))
        saved = (name for name in oldest if not self._accounts[name].is_changed)
        forgotten = next(saved, oldest[0] if oldest else None)
        if forgotten is not None:
            del self._accounts[forgotten]
