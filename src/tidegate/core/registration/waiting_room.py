"""The waiting room: a fair, bounded line for those who want an account while too many do.

Everybody gets a signed ticket, which costs no memory. It takes a place when it is
proved (a challenge was solved), or when it is shown again after `settle_s`: tickets
that programs fetch and drop hold nobody up. Places are drawn within windows of five
minutes, so that being first by a millisecond is worth nothing, and each network has so
many places in each, its first before everybody's second: the many tickets of one stand in
later windows, behind those who arrive by then. See `networks` and `tickets` for the order, `lanes` for who gets in,
`estimate` for what people are told.

A place is kept while its ticket is shown every few minutes. It lies in the ticket: it
outlives reloads, modes of registration and restarts. What does not outlive a restart:
passes (their tickets are first in line again), how many tickets each network took, and
what was seen of the outflow. Which were used up is told it again (`use_up`).

Bounds: `most_tickets` places (about 400 bytes each), `most_passes` passes, as many used
tickets as twice `most_tickets`, 1 MiB for networks. When it is full, a ticket takes
the place of the last one if that has a worse grade of the same or a later window; else
it waits outside, and is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from zlib import crc32

import msgspec

from tidegate.core.registration.calibration import Calibration
from tidegate.core.registration.estimate import NOT_KNOWN, Estimate, Prospect, estimate
from tidegate.core.registration.lanes import Lane, Lanes
from tidegate.core.registration.networks import Networks
from tidegate.core.registration.outflow import Outflow
from tidegate.core.registration.passes import Pass, Passes
from tidegate.core.registration.roll import Roll, Told, Waiter
from tidegate.core.registration.steady import Steady
from tidegate.core.registration.tickets import (
    ID_BYTES,
    Ticket,
    Tickets,
    Unknown,
    Why,
    grade_of,
    window_of,
    window_start,
)
from tidegate.core.registration.waiting import Admitted, Remembered, Waiting, WaitingPlan

_JITTER: Final = 0.2
_HELD_REFRESHES: Final = 3.0
_REFRESH_PART: Final = 0.05
_LEAST_WEIGHT: Final = 2.0


class WaitingRoom:
    """Who waits to sign up. Times are Unix seconds and may step back: nobody loses a place by it."""

    def __init__(self, plan: WaitingPlan, key: bytes) -> None:
        """Empty; `key` is 32 secret bytes, the same after a restart."""
        self.plan = plan
        self.calibration = Calibration()
        self.outflow = Outflow()
        self._tickets = Tickets(key)
        self._networks = Networks(key)
        self._lanes = Lanes(plan.waited_part)
        self._roll = Roll()
        self._passes = Passes(plan.most_passes, plan.most_tickets, plan.longest_s)
        self._steady = Steady()

    def __len__(self) -> int:
        return len(self._roll)

    @property
    def remembered(self) -> Remembered:
        """How much is remembered of what the plan bounds."""
        return Remembered(tickets=len(self._roll), passes=len(self._passes), used=self._passes.used)

    @property
    def queue_s(self) -> float | None:
        """The wait of whoever comes last now; None while too little was seen to tell. For `Signals.queue_s`."""
        if not len(self._lanes):
            return 0.0
        return self.outlook.p50_s if self._is_known else None

    @property
    def outlook(self) -> Estimate:
        """What whoever comes last now would be told, in the lane where it takes longer."""
        if not self._is_known:
            return NOT_KNOWN
        told = [self._estimate(lane, len(self._lanes[lane]), 0.0, 0.0) for lane in Lane]
        return max(told, key=lambda one: one.p50_s)

    def rose(self) -> None:
        """The mode of registration just rose: what was seen of the outflow says nothing of now."""
        self.outflow.forget()

    def issue(self, network: bytes, now: float, entropy: bytes) -> str:
        """A new ticket for somebody of this network (/24 or /48), from 8 fresh random bytes.

        Raises ValueError for another number of bytes.
        """
        if len(entropy) != ID_BYTES:
            msg = f"a ticket needs {ID_BYTES} random bytes"
            raise ValueError(msg)
        time = self._steady.at(now)
        arrived_in = int(time // self.plan.window_s)
        window, grade = self._networks.stand(network, arrived_in, self.plan.network_free)
        return self._tickets.write(Ticket(id=entropy, arrived_at=int(time), window=window, grade=grade))

    def poll(self, text: str, now: float, *, proved: bool = False) -> Waiting | Admitted | Unknown:
        """Somebody shows a ticket, `proved` if a challenge was solved with it."""
        ticket = self._tickets.read(text)
        if isinstance(ticket, Unknown):
            return ticket
        time = self._go_on(now)
        place = self._tickets.place(ticket)
        admitted = self._passes.get(place)
        if admitted is not None:
            self._noticed(admitted, time)
            return Admitted(now + admitted.until - time)
        if self._passes.is_used(place):
            return Unknown(Why.USED)
        if time - ticket.arrived_at > self.plan.longest_s:
            return Unknown(Why.EXPIRED)
        is_proved = proved or ticket.is_proved
        renewed = self._tickets.write(msgspec.structs.replace(ticket, is_proved=True)) if proved else None
        waiter = self._roll.get(place)
        if waiter is not None:
            if is_proved:
                self._change_lane(waiter)
            return self._seen(waiter, ticket, time, renewed)
        if not is_proved and time - ticket.arrived_at < self.plan.settle_s:
            return self._outside(time, ticket, is_full=False, renewed=None)
        if not self._has_room(place):
            return self._outside(time, ticket, is_full=True, renewed=renewed)
        return self._seen(self._enter(place, Lane.PROVED if is_proved else Lane.WAITED), ticket, time, renewed)

    def admit(self, now: float, permits: int) -> int:
        """Let in so many of those who are still there, in their order; answers how many there were."""
        time = self._go_on(now)
        admitted = 0
        while admitted < permits and self._passes.room:
            turn = self._lanes.next()
            if turn is None:
                break
            lane, place = turn
            waiter = self._roll[place]
            if waiter.deadline <= time:
                self._drop(waiter)
                continue
            self._roll.drop(waiter)
            self._lanes[lane].remove(place)
            self._passes.give(place, time + self.plan.pass_s, waiter.told)
            admitted += 1
        self.outflow.let_in(admitted)
        return admitted

    def take(self, text: str, now: float) -> bool:
        """Use the pass of this ticket: True once, and only while it is valid."""
        ticket = self._tickets.read(text)
        return isinstance(ticket, Ticket) and self._passes.take(self._tickets.place(ticket), self._go_on(now))

    def turn(self, text: str) -> bytes | None:
        """What the ticket of somebody is known by whose turn has come; None for any other. Changes nothing."""
        ticket = self._tickets.read(text)
        if isinstance(ticket, Unknown) or self._passes.get(self._tickets.place(ticket)) is None:
            return None
        return ticket.id

    def place(self, text: str) -> int | None:
        """The place in the order that a ticket stands for; None for what is no ticket of ours. Changes nothing."""
        ticket = self._tickets.read(text)
        return self._tickets.place(ticket) if isinstance(ticket, Ticket) else None

    def use_up(self, places: Iterable[int], now: float) -> None:
        """Let these places count as having had their turn: after a restart, by what was remembered of them."""
        time = self._steady.at(now)
        for place in places:
            self._passes.use_up(place, time)

    def leave(self, text: str) -> None:
        """Somebody waits no more. A ticket that is shown again later takes its old place."""
        ticket = self._tickets.read(text)
        waiter = self._roll.get(self._tickets.place(ticket)) if isinstance(ticket, Ticket) else None
        if waiter is not None:
            self._drop(waiter)

    def give(self, text: str, now: float) -> bool:
        """Give a place for something else: True once, and only for a ticket that has one. It is used up then."""
        ticket, time = self._tickets.read(text), self._go_on(now)
        waiter = self._roll.get(self._tickets.place(ticket)) if isinstance(ticket, Ticket) else None
        if waiter is None:
            return False
        self._drop(waiter)
        self._passes.use_up(waiter.place, time)
        return True

    def _go_on(self, now: float) -> float:
        time = self._steady.at(now)
        self.outflow.pass_by(time, self._lanes.lengths)
        for waiter in self._roll.gone(time):
            self._lanes[waiter.lane].remove(waiter.place)
            self.outflow.left[waiter.lane].count(1)
        self._passes.sweep(time)
        return time

    def _has_room(self, place: int) -> bool:
        """Make room for this place if that is to be; whether there is."""
        last = self._lanes.last()
        if len(self._roll) < self.plan.most_tickets:
            return True
        if last is None or grade_of(last) <= grade_of(place) or window_of(last) < window_of(place):
            return False
        self._drop(self._roll[last])
        return True

    def _enter(self, place: int, lane: Lane) -> Waiter:
        waiter = Waiter(place, lane)
        self._lanes[lane].add(place)
        self._roll.add(waiter, self._steady.time + self.plan.held_s)
        # Who stands in a later window than the present one overtakes nobody of it.
        if grade_of(place) < self.plan.network_free:
            self.outflow.arrived[lane].count(1)
        return waiter

    def _drop(self, waiter: Waiter) -> None:
        self._roll.drop(waiter)
        self._lanes[waiter.lane].remove(waiter.place)
        self.outflow.left[waiter.lane].count(1)

    def _change_lane(self, waiter: Waiter) -> None:
        """Who proves work later waits where it is shorter: work must not cost a place."""
        ahead = [self._lanes.ahead(lane, waiter.place) for lane in (waiter.lane, Lane.PROVED)]
        if ahead[1] < ahead[0]:
            self._lanes[waiter.lane].remove(waiter.place)
            waiter.lane = Lane.PROVED
            self._lanes[waiter.lane].add(waiter.place)

    def _seen(self, waiter: Waiter, ticket: Ticket, time: float, renewed: str | None) -> Waiting:
        lane = self._lanes[waiter.lane]
        before = lane.rank(waiter.place)
        told = NOT_KNOWN
        refresh_s = self._refresh_s(NOT_KNOWN, ticket, time)
        if self._is_known:
            overtaken, open_s = self._overtaking(waiter, time, before)
            told = self._estimate(waiter.lane, before, overtaken, open_s)
            refresh_s = self._refresh_s(told, ticket, time)
            self._note(waiter, told, time)
        waiter.deadline = time + max(self.plan.held_s, _HELD_REFRESHES * refresh_s)
        ahead = self._lanes.ahead(waiter.lane, waiter.place)
        return Waiting(
            position=ahead + 1, ahead=ahead, estimate=told, refresh_s=refresh_s, is_counted=True, renewed=renewed
        )

    def _outside(self, time: float, ticket: Ticket, *, is_full: bool, renewed: str | None) -> Waiting:
        ahead = len(self._roll)
        refresh_s = self._refresh_s(NOT_KNOWN, ticket, time)
        return Waiting(
            position=ahead + 1,
            ahead=ahead,
            estimate=NOT_KNOWN,
            refresh_s=refresh_s,
            is_counted=False,
            is_full=is_full,
            renewed=renewed,
        )

    @property
    def _is_known(self) -> bool:
        return self.outflow.seen >= self.plan.least_seen and self.outflow.admitted.weight >= _LEAST_WEIGHT

    def _estimate(self, lane: Lane, before: int, overtaking_per_s: float, open_s: float) -> Estimate:
        beside = self._lanes[lane.other]
        seen = self.outflow
        return estimate(
            Prospect(
                ahead=before,
                rate=seen.admitted.per_s,
                weight=seen.admitted.weight,
                part=self._lanes.parts[lane] if len(beside) else 1.0,
                beside=len(beside),
                beside_per_s=seen.arrived[lane.other].per_s,
                leaving_per_s=seen.left[lane].per_s,
                beside_leaving_per_s=seen.left[lane.other].per_s,
                overtaking_per_s=overtaking_per_s,
                open_s=open_s,
                lag_s=self.plan.refresh_s,
            ),
            self.calibration.correction,
        )

    def _overtaking(self, waiter: Waiter, time: float, before: int) -> tuple[float, float]:
        """At which rate later arrivals draw a better place than this one, and for how long they can."""
        window, lane = window_of(waiter.place), self._lanes[waiter.lane]
        # What arrives at the end of a window takes its place when it is shown again.
        open_s = (window + 1) * self.plan.window_s + self.plan.settle_s + self.plan.refresh_s - time
        if open_s <= 0.0:
            return 0.0, 0.0
        first = lane.rank(window_start(window))
        drawn = lane.rank(window_start(window + 1)) - first
        better = (before - first + 0.5) / (drawn + 1.0)
        return better * self.outflow.arrived[waiter.lane].per_s, open_s

    def _refresh_s(self, told: Estimate, ticket: Ticket, time: float) -> float:
        """Rarely where the wait is long or many ask, and not all at once.

        Whose turn is near looks in by then, however many stand behind: else a line of tens of thousands would hide it
        from them for minutes. Few are near at any time.
        """
        plan = self.plan
        crowd_s = len(self._roll) / plan.most_polls_per_s
        if told.is_known:
            crowd_s = min(crowd_s, told.p90_s)
        wanted_s = max(plan.refresh_s, _REFRESH_PART * told.p50_s, crowd_s)
        drawn = crc32(ticket.id, int(time) & 0xFFFFFFFF) / 0x1_0000_0000
        return min(wanted_s, max(plan.refresh_s, plan.refresh_limit_s)) * (1.0 - _JITTER + 2.0 * _JITTER * drawn)

    def _note(self, waiter: Waiter, said: Estimate, time: float) -> None:
        if waiter.told is None:
            waiter.told = Told(time, said.p50_s, said.p90_s)
        elif time - waiter.told.at > waiter.told.p90_s:
            self._judge(waiter.told, time)

    def _noticed(self, admitted: Pass, time: float) -> None:
        """Somebody sees that it is their turn: a promise is judged by when people learn of it.

        Who looks in later than told did not wait for us.
        """
        if admitted.told is not None:
            self._judge(admitted.told, min(time, admitted.until - self.plan.pass_s + self.plan.refresh_limit_s))

    def _judge(self, told: Told, time: float) -> None:
        if not told.is_judged:
            told.is_judged = True
            self.calibration.came_in(time - told.at, told.p50_s, told.p90_s)
