"""Known people first: who gets the engine, in which order, and who must give it back.

States of a ticket:

    (enter) -> waiting -> running -> over
                  ^          |
                  +-- cut ---+      (only while nothing of its answer is there)

`enter` answers at once: a place, a place in line with a wait that is promised,
or a refusal. `settle` and `abandon` end a ticket in whatever state it is;
exactly one of them counts, once. Acts are what became of others meanwhile.

How it is divided, from the outside in: classes have guaranteed shares and
borrow what others leave (shares.py, turns.py); within a class whoever consumed
least goes next (fair.py). People with a history have a counter each. Strangers
share queues, dealt by cohort (sharding.py): any number of new accounts only
ever compete with other new accounts. Where names are free, networks are not: each
cohort has one counter, a part of the line (line.py), and of the strangers' places
no more for long than others who wait. Whoever goes beyond what is usual for them,
be it in requests at once or in cost tokens, is a newcomer with the part beyond,
and who keeps coming back before they were told to is a suspect with everything
(reckoning.py): heeding an answer is what tells people from programs that only press.
An account that names its own people is divided among them in its turn (fellows.py).

What protects those who are known:

- A place that a worse class holds beyond its part is borrowed. It is cut as soon
  as a class that has less than its part wants it. Whose answer has not begun
  waits again; whose answer has begun is told so.
- A stranger's prompt is read only while nobody's better known is, one at a time;
  it is set aside when somebody better known comes. So is a long prompt of
  somebody who has consumed more than the one who comes (reclaim.py).
- Beside known people strangers start in few places, in none where many of theirs
  wait, but for what their share comes to. Prompts of such a class, and all that
  suspects have running, are taken back when somebody known comes (beside.py).
- Strangers reserve output in slices. A slice ends where somebody is waiting for
  the place who has a better right, be it a stranger whose cohort has fewer places.

The bound. Let one batch of the engine hold a token of each answer that runs and
at least b tokens of prompts, let the established insist on e >= 1 places
(turns.py), and let n established people, within their usual, run or go before
another. Whatever strangers do and however many they are, it starts within

    output tokens they have left / e + (prompt tokens they have left / b + 1)
        + (n + 1) * (stuck + 1)                                          batches

and n + 1 times what the engine takes to free a place; its first token comes when
its own prompt is read, at b tokens a batch, and `stuck` batches more. A prompt
that is nearly read is not set aside: `stuck` = prefill_s * prefill rate / b. Why:
while it waits those of its class hold e places, as any other is taken back from
worse classes, so every batch writes e of their tokens, or reads b of their
prompts. With nobody else known in, it starts at once, and each batch that reads
its prompt is longer by what strangers write: a token each in slots - 1 places.
Where the share of all the places comes to less than one, e is 0, and its class
is overtaken as far as its counter is ahead: by one slice of strangers.

Outside this: sessions and keys that were stolen (their principal's usual in
requests and engine time, then they are newcomers), an engine that cannot be
interrupted, answers that outrun what is left to them, other established people.

What can never happen: more running than places, but for those who ran already
when there were more; more started than the capacity allows; more let wait in a
class than `max_waiting`, those who were cut and return aside; a place given
twice; a ticket charged after its end; a place free while somebody waits, but
strangers for a prompt that is being read or beside known people, and somebody
known for the prompt of somebody known, which would only be overtaken or set aside.
Every map is bounded by the tickets inside, the queues, or `most_principals`.
Same calls, same answers. Times are monotonic seconds; a clock that steps back
moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from tidegate.core.admission.beside import Beside
from tidegate.core.admission.claims import (
    Act,
    Admitted,
    Called,
    Claim,
    Crowded,
    Cut,
    Place,
    Shed,
    Spent,
    Topped,
    Waiting,
)
from tidegate.core.admission.cursor import Cursor
from tidegate.core.admission.fellows import EndUsers
from tidegate.core.admission.floor import Floor
from tidegate.core.admission.line import Line
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.promises import Promises, retry_s
from tidegate.core.admission.reckoning import Reckoning
from tidegate.core.admission.reclaim import set_aside_by
from tidegate.core.admission.tickets import Ticket
from tidegate.core.admission.turns import Turns
from tidegate.core.standing.classes import RANK, STRANGERS, Standing

_LEAST_S: Final = 0.1
# Python 3.11 takes as long for a member of an enumeration as for a call.
_SUSPECT: Final = Standing.SUSPECT
_ENOUGH: Final = Topped.ENOUGH


class Scheduler:
    """See the head of this file. Not to be shared between threads."""

    def __init__(self, plan: AdmissionPlan, cursors: Callable[[], Cursor] = Cursor) -> None:
        """Start empty. `cursors` makes one for each class: a replay has some that recall who was let in."""
        self.plan = plan
        self._reckoning = Reckoning(plan)
        self.cost = self._reckoning.cost
        self.drain = self._reckoning.drain
        self._floor = Floor(plan.slots, plan.gap_s)
        self.concurrency = self._floor.concurrency
        self._lines = {standing: Line(standing, plan.most_principals, cursors()) for standing in Standing}
        self._beside = Beside(self._lines, self._floor, self._reckoning, plan)
        self._turns = Turns(self._lines, self._floor, self._reckoning, self._beside, plan)
        self._promises = Promises(self._lines, self._floor, self._reckoning, self._beside, plan)
        self._tickets: dict[int, Ticket] = {}
        self.is_stirred = False
        self._inside: dict[str, list[Ticket]] = {}
        self._end_users = EndUsers(plan.most_principals)

    # ------------------------------------------------------------ asking

    @property
    def running(self) -> int:
        """How many tickets hold a place."""
        return len(self._floor.tickets)

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return len(self._tickets) - len(self._floor.tickets)

    @property
    def owners(self) -> int:
        """How many principals have a ticket in."""
        return len(self._inside)

    @property
    def limit(self) -> int:
        """How many may run at once by the engine's own rhythm."""
        return self._floor.limit

    @property
    def has_room(self) -> bool:
        """Whether nobody waits and a place is free."""
        return not self.waiting and not self._floor.is_full

    def inside(self, principal: str) -> int:
        """How many of a principal's tickets run or wait."""
        return len(self._inside.get(principal, ()))

    def judged(self, ticket: int) -> Standing | None:
        """The class in which a ticket is served; None when it is not inside."""
        held = self._tickets.get(ticket)
        return None if held is None else held.standing

    def waiting_in(self, standing: Standing) -> int:
        """How many wait in a class."""
        return len(self._lines[standing].waiting)

    def outlook(self, ticket: int, now: float) -> Waiting | None:
        """Where a waiting ticket stands now; None when it does not wait. What was promised is never taken back."""
        held = self._tickets.get(ticket)
        if held is None or not held.is_waiting:
            return None
        position = self._lines[held.standing].queue.position(held.entry.tag, held.entry.sequence)
        return Waiting(position, max(_LEAST_S, held.entry.due_at - now))

    def left_tokens(self, ticket: int) -> int:
        """How many tokens one that runs may write before `spend` decides whether it goes on; 0 of whom none runs."""
        held = self._floor.tickets.get(ticket)
        return 0 if held is None else max(0, held.reserved_tokens - held.used_tokens)

    def headroom(self, now: float) -> float:
        """The part of the engine (0-1) that known people have left for others lately."""
        return self._reckoning.headroom(now)

    def again_s(self, ticket: int, now: float) -> float:
        """When the caller of a ticket that runs should ask again if it were over now; told to them from then on."""
        return self._promises.again_s(self._tickets[ticket], now)

    def preview(
        self, principal: str, standing: Standing, cohort: str, size_bytes: int, patience_s: float, now: float
    ) -> Shed | None:
        """Whether a request would be refused for want of room, judged by its headers; None lets it go on.

        Cheap: the wait is taken as short as it can be, and nothing is kept but how often somebody came too early.
        """
        del size_bytes  # Whatever it is, those ahead go first.
        has_in = principal in self._inside
        refused = self._promises.preview(principal, standing, cohort, patience_s, now, has_in=has_in)
        self._demote_pressing(principal, standing, now)
        return refused

    def crowded(self, principal: str, standing: Standing, now: float) -> Crowded | None:
        """Whether a principal has too many in to be let in once more."""
        if self.inside(principal) < self.most_inside(standing):
            return None
        return self._promises.crowded(principal, self.gone_s(principal, now), now)

    def gone_s(self, principal: str, now: float) -> float:
        """When the first of a principal's tickets should be over; 0.0 of whom nothing is in."""
        return self._reckoning.gone_s(self._inside.get(principal, ()), self.running, now)

    # ------------------------------------------------------------ entering

    def enter(self, ticket: int, claim: Claim, now: float) -> tuple[Admitted | Waiting | Shed | Crowded, list[Act]]:
        """Admit, queue or refuse a new ticket, which must not have been used before."""
        self._end_users.saw(claim, now)
        crowded = self.crowded(claim.principal, claim.standing, now)
        if crowded is not None:
            return crowded, []
        principal = claim.principal
        own = self._inside.get(principal, [])
        if self._end_users.has_all(claim, own, self.most_inside(claim.standing), now):
            # Nothing is remembered of it: what one of its people is told is not for the others.
            return Crowded(retry_s(principal, self.gone_s(principal, now), now), is_end_users=True), []
        usual = [held for held in own if held.is_within_usual]
        is_beyond = self._end_users.has_all(claim, usual, claim.usual_in_flight, now)
        within = max(len(usual), claim.usual_in_flight) if is_beyond else len(usual)
        asked = self._promises.ask(ticket, claim, own, within, now)
        self._demote_pressing(principal, claim.standing, now)
        if isinstance(asked, Shed):
            return asked, self.stir(now) if self.is_stirred else []
        is_free = not self.waiting and self._promises.is_free_for(asked)
        self._tickets[ticket] = asked
        self._inside[principal] = [*own, asked]
        self._lines[asked.standing].charge(asked, asked.charged)
        if is_free:
            return self._at_once(asked, now)
        self._wait(asked)
        acts = self._move(now)
        for act in acts:
            if isinstance(act, Called) and act.ticket == ticket:
                acts.remove(act)
                return Admitted(act.place), acts
        waiting = self.outlook(ticket, now)
        assert waiting is not None, "what was not admitted waits"
        return waiting, acts

    def _at_once(self, asked: Ticket, now: float) -> tuple[Admitted, list[Act]]:
        """Start one that nobody is before, as `_move` would: most of the time nobody waits."""
        self._reckoning.shares.asks(asked.standing)
        acts: list[Act] = []
        place = self._seat(asked, now)
        self._yield_to(asked, acts, now)
        acts += [self._cut(spare, now) for spare in self._beside.taken_back()]
        return Admitted(place), acts

    def _demote_pressing(self, principal: str, standing: Standing, now: float) -> None:
        """Serve as a suspect's what somebody has running who is a suspect now. What waits follows when it runs."""
        own = self._inside.get(principal)
        if own is None or self._reckoning.judged(principal, standing, now) is not _SUSPECT:
            return
        for held in own:
            if held.standing is not _SUSPECT and not held.is_waiting:
                # What it has had so far it has had as who it was: none is forgiven it for pressing.
                had = self.cost.cost(held.read_tokens, held.used_tokens)
                self._reckoning.spent(held, had, now)
                self._charge(held, had - held.charged, now)
                line = self._lines[_SUSPECT]
                held.standing, held.is_by_right = _SUSPECT, False
                self._floor.demoted(held)
                held.flows = line.flows(held.claim, self.plan.shards) or (principal,)
                start, cost = line.start(held.flows), held.entry.cost
                held.entry = msgspec.structs.replace(held.entry, start=start, tag=start + cost)
                self._charge(held, held.charged - had, now)
                self.is_stirred = True

    def _charge(self, held: Ticket, cost: float, now: float) -> None:
        self._lines[held.standing].charge(held, cost)
        self._reckoning.shares.charge(held.standing, cost, now)

    def most_inside(self, standing: Standing) -> int:
        """How many of somebody's tickets may run or wait at once."""
        is_stranger = standing in STRANGERS
        return min(self.plan.max_per_stranger, self.plan.max_per_owner) if is_stranger else self.plan.max_per_owner

    # ------------------------------------------------------------ running

    def progress(self, ticket: int, done: int, total: int, cached: int, now: float) -> None:
        """So much of its prompt has been read."""
        held = self._floor.tickets.get(ticket)
        if held is None:
            return
        held.prompt_tokens = max(1, total - cached)
        read = max(held.read_tokens, done - cached)
        self._did(held, (read - held.read_tokens) * self.cost.prompt_weight, now)
        held.read_tokens = read

    def began(self, ticket: int, now: float) -> list[Act]:
        """The first piece of its answer is there."""
        held = self._floor.tickets.get(ticket)
        if held is None or held.is_cut or held.is_begun:
            return []
        self._floor.began(held)
        held.last_token_at = now
        return self._move(now)

    def spend(self, ticket: int, tokens: int, now: float) -> Topped:
        """Count output; beyond what was reserved it goes on by right, or by grace while nobody has a better one."""
        held = self._floor.tickets.get(ticket)
        if held is None or held.is_cut:
            return Topped.ENDED
        held.used_tokens += tokens
        is_full = self._did(held, tokens, now)
        # Beside a prompt the time between tokens is that of a batch, however many run: fewer would not help.
        if held.last_token_at is not None and now >= held.last_token_at and not self._floor.reading():
            self.concurrency.took((now - held.last_token_at) / max(1, tokens), now, is_full=is_full)
        held.last_token_at = now
        # The engine ends it here by itself; one that others run may have been told of more than we were.
        is_last = 0 <= held.used_tokens - held.claim.output_tokens < self.plan.slice_tokens
        if held.used_tokens < held.reserved_tokens or is_last:
            return _ENOUGH
        if not self._may_go_on(held):
            held.is_cut = True
            return Topped.ENDED
        held.slices += 1
        held.reserved_tokens = held.used_tokens + self.plan.slice_tokens
        held.charged += self.plan.slice_tokens
        self._charge(held, self.plan.slice_tokens, now)
        return Topped.TOPPED_UP

    def _did(self, held: Ticket, cost: float, now: float) -> bool:
        """Count what one has consumed; answer whether there is no place left."""
        is_full = self._floor.is_full
        has_waiting = bool(self._lines[held.standing].waiting)
        self._reckoning.did(held, cost, now, is_full=is_full, has_waiting=has_waiting)
        if self._beside.did(held, cost):
            self.is_stirred = True
        return is_full

    def _may_go_on(self, held: Ticket) -> bool:
        if not held.is_stranger or not self._floor.is_full:
            return True
        if any(line.waiting for line in self._lines.values() if RANK[line.standing] < RANK[held.standing]):
            return False
        if not self._lines[held.standing].waiting:
            return True
        return held.slices < self.plan.most_slices and not self._beside.is_others_due(held)

    def stir(self, now: float) -> list[Act]:
        """Act on what `progress` and `spend` have changed for those who wait, while `is_stirred`."""
        self.is_stirred = False
        return self._move(now)

    # ------------------------------------------------------------ ending

    def settle(self, ticket: int, spent: Spent, now: float) -> list[Act]:
        """End a ticket that was served; what it reserved too much is given back to its counters."""
        held = self._tickets.get(ticket)
        if held is None:
            return []
        self._reckoning.learn(held, spent, self.running)
        read = max(0, spent.prompt_tokens - spent.cached_tokens)
        return self._end(held, self.cost.cost(read, spent.output_tokens), now)

    def abandon(self, ticket: int, now: float) -> list[Act]:
        """End a ticket that was not served to its end, in any state: it is charged for what it came to so far.

        One that held a place and left by itself has kept others from it: half of what it reserved is gone at least.
        """
        held = self._tickets.get(ticket)
        if held is None:
            return []
        cost = self.cost.cost(held.read_tokens, held.used_tokens)
        return self._end(held, cost if held.is_cut else max(cost, held.charged / 2), now)

    def release(self, ticket: int, now: float) -> list[Act]:
        """Free the place of a ticket that was cut to return: it waits again, where it was in line."""
        held = self._floor.tickets.get(ticket)
        if held is None or not held.is_returning:
            return []
        self._floor.vacate(held)
        read = self.cost.cost(held.read_tokens, 0)
        self._reckoning.shares.charge(held.standing, read - held.charged, now)
        self._lines[held.standing].charge(held, read)
        held.is_cut = held.is_returning = False
        held.read_tokens = 0
        held.returns += 1
        held.entry = self._promises.again(held, now)
        self._wait(held)
        return self._move(now)

    def replan(self, plan: AdmissionPlan, now: float) -> list[Act]:
        """Go on under another plan. The engine's places are what they are: `slots` must be the same (`resize`)."""
        if plan.slots != self.plan.slots:
            msg = f"slots: {plan.slots} instead of {self.plan.slots} needs another start of the engine"
            raise ValueError(msg)
        self.plan = self._turns.plan = self._beside.plan = plan
        self._promises.replan(plan)
        self.concurrency.gap_s = plan.gap_s
        self._reckoning.replan(plan)
        self._end_users.most = plan.most_principals
        for line in self._lines.values():
            line.counters.most = plan.most_principals
        return self._move(now)

    def resize(self, slots: int, now: float) -> list[Act]:
        """The engine has more places or fewer. Who runs goes on; with fewer, nobody starts until so many are left."""
        self.plan = self._turns.plan = self._beside.plan = msgspec.structs.replace(self.plan, slots=slots)
        self._floor.resize(slots)
        return self._move(now)

    def _end(self, held: Ticket, cost: float, now: float) -> list[Act]:
        del self._tickets[held.number]
        own = self._inside[held.claim.principal]
        own.remove(held)
        if not own:
            del self._inside[held.claim.principal]
        line = self._lines[held.standing]
        if held.is_waiting:
            line.leave(held)
            line.charge(held, -held.charged)
        else:
            self._floor.vacate(held)
            self._charge(held, cost - held.charged, now)
            self._reckoning.spent(held, cost, now)
            self._promises.ended(held.claim.principal, now)
        if not self._tickets:
            self.drain.rested()
        return self._move(now)

    # ------------------------------------------------------------ moving

    def _move(self, now: float) -> list[Act]:
        """Give free places to those whose turn it is, and take back what is borrowed from those who wait in vain."""
        is_awaited = len(self._tickets) > len(self._floor.tickets)
        if not is_awaited and not self._floor.strangers:
            return []  # Nobody comes, and nobody is here on sufferance.
        acts = self._fill(now) if is_awaited else []
        reading = self._turns.set_aside(now)
        if reading is not None:
            acts.append(self._cut(reading, now))
            acts.extend(self._fill(now))
        acts += [self._cut(spare, now) for spare in self._beside.taken_back()]
        if is_awaited:
            acts += [self._cut(victim, now) for victim in self._turns.victims(now)]
        return acts

    def _fill(self, now: float) -> list[Act]:
        acts: list[Act] = []
        while (heir := self._turns.next(now)) is not None:
            line = self._lines[heir.standing]
            line.leave(heir)
            acts.append(Called(heir.number, self._seat(heir, now)))
            self._yield_to(heir, acts, now)
        return acts

    def _yield_to(self, heir: Ticket, acts: list[Act], now: float) -> None:
        """Have the prompts wait that somebody known goes before."""
        if not heir.is_stranger:
            counters = self._lines[heir.standing].counters
            yielding = set_aside_by(heir, self._floor, counters, self.cost, self.plan)
            acts.extend(self._cut(other, now) for other in yielding)

    def _seat(self, held: Ticket, now: float) -> Place:
        line, shares = self._lines[held.standing], self._reckoning.shares
        held.is_by_right = held.is_stranger and self._beside.is_by_right(held.standing)
        line.counters.went(held.entry.start)
        shares.went(held.standing)
        shares.charge(held.standing, held.charged, now)
        return self._floor.seat(held)

    def _wait(self, held: Ticket) -> None:
        line = self._lines[held.standing]
        if not line.queue:
            self._reckoning.shares.asks(held.standing)
        line.join(held)

    def _cut(self, held: Ticket, now: float) -> Cut:
        held.is_cut = True
        held.is_returning = not held.is_begun
        gone_s = self._reckoning.gone_s(self._floor.tickets.values(), self.running, now)
        return Cut(held.number, held.is_returning, retry_s(held.claim.principal, gone_s, now))
