"""Lets callers wait for the engine by the scheduler's rules, and carries out what those rules do to others.

A ticket is taken at once or refused at once. Its owner waits for its `place`,
says with `occupy` that the engine works in it now, and gives it back with
`leave`, in whatever state it is: exactly one `leave` counts.

A place may be taken back at any moment. Where the engine is at work its owner
is told, frees the engine, and only then `release`s or `leave`s: no place is
given to somebody else while the engine still works in it. Where it is not,
there is nothing to free, and nobody needs to be asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from itertools import count
from typing import Any, Final

import msgspec

from tidegate.core.accounts import ApiKey, Role, User
from tidegate.core.admission.claims import Act, Called, Claim, Crowded, Cut, Place, Shed, Spent, Topped, Waiting
from tidegate.core.admission.claims import Admitted as AdmittedNow
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import UserId
from tidegate.core.quotas.budget import Payer
from tidegate.core.quotas.ledger import Exhausted, Held
from tidegate.core.standing.classes import Standing
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.services.quotas import LEAST_S, QuotaExhaustedError, QuotaHeldError, Quotas

_ID: Final = f"{UserId.prefix}_"


class CutShortError(Exception):
    """Its place was somebody else's by rule; worth asking again in `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        """Carry the promise."""
        super().__init__(f"cut, come back in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long callers wait in all: those who read along, and those who want the whole answer in one piece."""

    streamed_s: float = 60.0
    whole_s: float = 20.0


Claimant = Callable[[User], tuple[Standing, str, int]]
"""Tells of an account its standing, its cohort and how many requests it usually has in at once."""


def by_role(user: User) -> tuple[Standing, str, int]:
    """A claimant that remembers nobody."""
    return Standing.ESTABLISHED if user.role is Role.OPERATOR else Standing.NEWCOMER, user.id, 1


def _unheard(principal: UserId, cost_tokens: float, in_flight: int) -> None:
    del principal, cost_tokens, in_flight


class _Inside:
    """One ticket that is out."""

    def __init__(self, claim: Claim, bill: int | None) -> None:
        self.claim = claim
        self.bill = bill
        self.read_tokens = 0
        self.output_tokens = 0
        self.place: Place | None = None
        self.on_cut: Callable[[Cut], None] | None = None
        self.news = asyncio.Event()


class Admission:
    """The scheduler with an awaitable face. `clock` tells monotonic seconds.

    `claimant` and `patience` may be exchanged while it runs. `served` hears of
    every answer that came to its end: principal, cost tokens, and how many of
    the principal's requests were in, that one too. Without `quotas` nobody has
    a budget.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        clock: Callable[[], float],
        *,
        claimant: Claimant = by_role,
        patience: Patience | None = None,
        served: Callable[[UserId, float, int], None] = _unheard,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        quotas: Quotas | None = None,
    ) -> None:
        """Nobody is in."""
        self.scheduler = scheduler
        self.clock = clock
        self.claimant = claimant
        self.patience = patience or Patience()
        self.quotas = quotas
        self._served = served
        self._sleep = sleep
        self._tickets = count(1)
        self._inside: dict[int, _Inside] = {}
        self._freeing: set[asyncio.Task[None]] = set()
        if quotas is not None:
            quotas.follow(self)

    @property
    def remembered(self) -> int:
        """How many tickets are out, and places on their way back: 0 when nobody is in."""
        return len(self._inside) + sum(not task.done() for task in self._freeing)

    # ------------------------------------------------------------ entering and waiting

    def in_flight(self, user: User) -> tuple[int, int]:
        """How many requests of somebody's run or wait, whatever model they ask, and how many may."""
        inside = self.inside(user.id) if self.quotas is None else self.quotas.inside(user.id)
        return inside, self.scheduler.most_inside(self.claimant(user)[0])

    def claim(self, user: User, *, prompt_bytes: int, output_tokens: int, is_stream: bool, end_user: str = "") -> Claim:
        """What a request of somebody's asks for, in the name of an `end_user` of theirs if they say so."""
        standing, cohort, usual_in_flight = self.claimant(user)
        return Claim(
            principal=user.id,
            standing=standing,
            cohort=cohort,
            usual_in_flight=usual_in_flight,
            prompt_bytes=prompt_bytes,
            output_tokens=output_tokens,
            patience_s=self.patience.streamed_s if is_stream else self.patience.whole_s,
            end_user=end_user,
        )

    async def meet(self, user: User, key: ApiKey | None = None) -> tuple[Payer, ...]:
        """Whose budgets a request of somebody's is charged to, for `take`."""
        return () if self.quotas is None else await self.quotas.meet(user, key)

    def take(self, claim: Claim, payers: Sequence[Payer] = (), most_tokens: int = 0) -> int:
        """Enter now; answer the ticket whose `place` to wait for, and to `leave` with in any case.

        The `payers` answer for `most_tokens`, prompt and answer, until it is known what it came to.
        Raises QuotaExhaustedError when one of the `payers` has used up a budget,
        QuotaHeldError when its own requests hold the rest of it, OverloadedError
        when there will be no room within the claim's patience, and
        TooManyInFlightError when its principal has too many in.
        """
        self._bound(claim)
        bill = self._reserve(claim, payers, most_tokens)
        ticket = next(self._tickets)
        entered, acts = self.scheduler.enter(ticket, claim, self.clock())
        if isinstance(entered, AdmittedNow | Waiting):
            inside = self._inside[ticket] = _Inside(claim, bill)
            if isinstance(entered, AdmittedNow):
                self._seat(inside, entered.place)
        else:
            self._settle(bill, 0)
        if acts:
            self._carry_out(acts)
        match entered:
            case Shed(retry_after_s=retry_after_s):
                raise OverloadedError(retry_after_s)
            case Crowded(retry_after_s=retry_after_s, is_end_users=is_end_users):
                in_flight = self.scheduler.inside(claim.principal)
                raise TooManyInFlightError(in_flight, retry_after_s, is_end_users=is_end_users)
        return ticket

    def _bound(self, claim: Claim) -> None:
        """Hold all lines to what somebody may have in; the scheduler sees to its own."""
        if self.quotas is None:
            return
        inside = self.quotas.inside(claim.principal)
        if self.inside(claim.principal) < inside >= self.scheduler.most_inside(claim.standing):
            raise TooManyInFlightError(inside, max(LEAST_S, self.quotas.gone_s(claim.principal)))

    def _reserve(self, claim: Claim, payers: Sequence[Payer], most_tokens: int) -> int | None:
        if self.quotas is None or not payers:
            return None
        match answer := self.quotas.reserve(payers, most_tokens):
            case Exhausted():
                raise QuotaExhaustedError(answer.state, self.quotas.wait_s(answer.state), claim.principal)
            case Held():
                raise QuotaHeldError(self.quotas.gone_s(claim.principal))
        return answer.number

    def gone_s(self, principal: str) -> float:
        """When the first of somebody's tickets that are out should be over; 0.0 of whom nothing is in."""
        return self.scheduler.gone_s(principal, self.clock())

    def inside(self, principal: str) -> int:
        """How many of somebody's tickets are out."""
        return self.scheduler.inside(principal)

    def had(self) -> list[tuple[int, int]]:
        """The bills that are out, and what each has come to so far."""
        return [(inside.bill, self._had(inside)) for inside in self._inside.values() if inside.bill is not None]

    def _had(self, inside: _Inside) -> int:
        """Cached tokens count like others, as they do for OpenAI's limits; so does what nobody stayed to the end of."""
        read_tokens = inside.read_tokens
        if inside.output_tokens and not read_tokens:
            # Most servers tell what a prompt had at the end of its answer only. Whoever leaves before has had it read.
            read_tokens = self.scheduler.cost.prompt_tokens(inside.claim.prompt_bytes)
        return read_tokens + inside.output_tokens

    def _settle(self, bill: int | None, tokens: int) -> None:
        if self.quotas is not None and bill is not None:
            self.quotas.settle(bill, tokens)

    async def place(self, ticket: int, within_s: float | None = None) -> Place | None:
        """Wait for the place of a ticket that is out; None when it has none `within_s`. May be cancelled.

        What is done with it must begin at once, with `occupy`: until then it may
        be taken back unheard.
        """
        inside = self._inside[ticket]
        if inside.place is None:
            await self._hear(inside, within_s)
        return inside.place

    async def _hear(self, inside: _Inside, within_s: float | None) -> None:
        async def hear() -> None:
            while inside.place is None:
                inside.news.clear()
                await inside.news.wait()

        if within_s is None:
            await hear()
            return
        both = [asyncio.ensure_future(hear()), asyncio.ensure_future(self._sleep(within_s))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def outlook(self, ticket: int) -> Waiting | None:
        """Where a ticket stands that waits; None when it does not."""
        return self.scheduler.outlook(ticket, self.clock())

    def patience_s(self, ticket: int) -> float:
        """How long a ticket that is out may wait in all."""
        return self._inside[ticket].claim.patience_s

    def judged(self, ticket: int) -> Standing | None:
        """The class in which a ticket is served."""
        return self.scheduler.judged(ticket)

    # ------------------------------------------------------------ at the engine

    def occupy(self, ticket: int, on_cut: Callable[[Cut], None]) -> None:
        """Say that the engine works in its place from now on. `on_cut` is told once when that must end."""
        self._inside[ticket].on_cut = on_cut

    def progress(self, ticket: int, done: int, total: int, cached: int) -> None:
        """So much of its prompt has been read."""
        inside = self._inside.get(ticket)
        if inside is not None and self.quotas is not None and inside.bill is not None:
            inside.read_tokens = max(inside.read_tokens, done)
            self.quotas.narrow(inside.bill, total + inside.claim.output_tokens)
        self.scheduler.progress(ticket, done, total, cached, self.clock())
        self._stir()

    def began(self, ticket: int) -> None:
        """The first piece of its answer is there."""
        self._carry_out(self.scheduler.began(ticket, self.clock()))

    def spend(self, ticket: int, tokens: int) -> Topped:
        """Count output."""
        inside = self._inside.get(ticket)
        if inside is not None:
            inside.output_tokens += tokens
        topped = self.scheduler.spend(ticket, tokens, self.clock())
        self._stir()
        return topped

    def _stir(self) -> None:
        if self.scheduler.is_stirred:
            self._carry_out(self.scheduler.stir(self.clock()))

    def retry_after_s(self, ticket: int) -> float:
        """When a ticket whose time is over should be asked for again."""
        return self.scheduler.again_s(ticket, self.clock())

    def cost(self, prompt_tokens: int, output_tokens: int) -> float:
        """What reading and writing so many costs, in cost tokens."""
        return self.scheduler.cost.cost(prompt_tokens, output_tokens)

    def release(self, ticket: int) -> None:
        """The engine has let go of a ticket that was cut to return: it waits again."""
        inside = self._inside.get(ticket)
        if inside is not None:
            inside.on_cut = None
            self._carry_out(self.scheduler.release(ticket, self.clock()))

    def free(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have the engine let go of something, whoever waits for that or does not."""
        task = asyncio.ensure_future(work)
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)
        return task

    # ------------------------------------------------------------ leaving

    def leave(self, ticket: int, spent: Spent | None = None) -> None:
        """Give the place back, or the wait for it up: as served with what was `spent`, else as it is.

        The engine must have let go of it. More than once does no harm.
        """
        inside = self._inside.pop(ticket, None)
        if inside is None:
            return
        came_to = self._had(inside) if spent is None else spent.prompt_tokens + spent.output_tokens
        self._settle(inside.bill, came_to)
        if spent is None:
            self._carry_out(self.scheduler.abandon(ticket, self.clock()))
            return
        principal = inside.claim.principal
        in_flight = self.scheduler.inside(principal)
        self._carry_out(self.scheduler.settle(ticket, spent, self.clock()))
        cost_tokens = self.cost(max(0, spent.prompt_tokens - spent.cached_tokens), spent.output_tokens)
        # Who shows no key is charged by address, and is nobody whose standing could rise.
        if principal.startswith(_ID):
            self._served(UserId(principal), cost_tokens, in_flight)

    def carry_out(self, acts: Iterable[Act]) -> None:
        """Do what the scheduler answered to somebody else, who exchanged its plan."""
        self._carry_out(acts)

    def _carry_out(self, acts: Iterable[Act]) -> None:
        left = deque(acts)
        while left:
            act = left.popleft()
            inside = self._inside[act.ticket]
            match act:
                case Called(place=place):
                    self._seat(inside, place)
                case Cut():
                    left.extend(self._unseat(inside, act))

    def _seat(self, inside: _Inside, place: Place) -> None:
        claim = inside.claim
        inside.place = Place(place.number, place.is_warm, claim.principal, claim.group)
        inside.news.set()

    def _unseat(self, inside: _Inside, cut: Cut) -> list[Act]:
        """Take a place back; where the engine is not at work in it, it is free at once."""
        inside.place = None
        if inside.on_cut is not None:
            on_cut, inside.on_cut = inside.on_cut, None
            on_cut(cut)
            return []
        assert cut.is_returning, "an answer that has begun is somebody's"
        return self.scheduler.release(cut.ticket, self.clock())
