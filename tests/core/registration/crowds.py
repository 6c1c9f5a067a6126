"""People and programs before a waiting room, under a virtual clock.

People come, take a ticket, prove work on devices of different speed or wait instead,
look in when they are told to, and give up at times. Programs come from few networks;
some prove and stay, some fetch tickets and never show them again.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.core.registration.estimate import Estimate
from tidegate.core.registration.waiting import Admitted, Waiting, WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom

AT = 1_800_000_000.0
KEY = b"w" * 32
WOBBLE_S = 300.0
LONGEST_S = 20_000.0
"""Whatever happens, it ends."""


@dataclass(frozen=True)
class Weather:
    """What comes, and what is let in: rates per minute at seconds since the beginning."""

    name: str
    people: Callable[[float], float]
    outflow: Callable[[float], float]
    bots: Callable[[float], float] = lambda _: 0.0
    dead: Callable[[float], float] = lambda _: 0.0
    bot_networks: int = 100
    every_s: float = 5.0
    for_s: float = 3600.0
    waits_instead: float = 0.15
    gives_up: float = 0.1


@dataclass
class Visitor:
    """One who wants an account."""

    text: str
    came_at: float
    is_person: bool
    proves_at: float
    patience_s: float
    first: Estimate | None = None
    first_at: float = 0.0
    waited_s: float | None = None
    is_over: bool = False


@dataclass
class Outcome:
    """What became of it all."""

    room: WaitingRoom
    visitors: list[Visitor] = field(default_factory=list)
    ended_at: float = 0.0
    longest: int = 0

    def promises(self) -> list[tuple[bool, float]]:
        """Of people who were told a wait: whether it was kept, and the ratio of its ends."""
        told = []
        for one in self.visitors:
            if one.first is None or not one.is_person:
                continue
            waited_s = one.waited_s if one.waited_s is not None else self.ended_at - one.first_at
            is_late = waited_s > one.first.p90_s
            if one.waited_s is None and (one.is_over or not is_late):
                continue
            told.append((not is_late, one.first.p90_s / one.first.p50_s))
        return told

    def people_in(self) -> float:
        """The share of people with an account among those who did not give up."""
        stayed = [one for one in self.visitors if one.is_person and not (one.is_over and one.waited_s is None)]
        return sum(one.waited_s is not None for one in stayed) / len(stayed)


class Town:
    """Everybody, and the clock."""

    def __init__(self, weather: Weather, seed: int, plan: WaitingPlan | None) -> None:
        self.weather = weather
        self.chance = random.Random(seed)
        self.outcome = Outcome(WaitingRoom(plan or WaitingPlan(), KEY))
        self.room = self.outcome.room
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._owed = 0.0
        self._wobble = 0.0

    def happens(self) -> Outcome:
        self.arrive(self.weather.people, lambda now: self.come(now, is_person=True))
        self.arrive(self.weather.bots, lambda now: self.come(now, is_person=False))
        self.arrive(self.weather.dead, self.come_and_vanish)
        self.at(0.0, self.let_in)
        while self._events:
            now, _, act = heapq.heappop(self._events)
            act(now)
            self.outcome.ended_at = max(self.outcome.ended_at, now)
        return self.outcome

    def at(self, time: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), act))

    def arrive(self, rate: Callable[[float], float], kind: Callable[[float], None], now: float = 0.0) -> None:
        per_min = rate(now)
        then = now + (self.chance.expovariate(per_min / 60.0) if per_min > 0.0 else 10.0)

        def arrived(at: float) -> None:
            if per_min > 0.0:
                kind(at)
            self.arrive(rate, kind, at)

        if then < self.weather.for_s:
            self.at(then, arrived)

    def come(self, now: float, *, is_person: bool) -> None:
        weather, chance = self.weather, self.chance
        network = chance.randbytes(4) if is_person else chance.randrange(weather.bot_networks).to_bytes(4, "big")
        proves_s = chance.lognormvariate(2.0, 0.7) if is_person else 0.2
        if chance.random() < (weather.waits_instead if is_person else 0.1):
            proves_s = math.inf
        visitor = Visitor(
            self.room.issue(network, AT + now, chance.randbytes(8)),
            now,
            is_person,
            now + proves_s,
            chance.expovariate(weather.gives_up / 600.0) if is_person and weather.gives_up else math.inf,
        )
        self.outcome.visitors.append(visitor)
        self.at(now + min(proves_s, 20.0), lambda then: self.look(visitor, then))

    def come_and_vanish(self, now: float) -> None:
        """Fetch a ticket; every tenth is proved, and none is looked after."""
        network = self.chance.randrange(self.weather.bot_networks).to_bytes(4, "big")
        text = self.room.issue(network, AT + now, self.chance.randbytes(8))
        if self.chance.random() < 0.1:
            self.room.poll(text, AT + now, proved=True)

    def look(self, visitor: Visitor, now: float) -> None:
        visitor.is_over = now - visitor.came_at > visitor.patience_s or now > LONGEST_S
        if visitor.is_over:
            return
        answer = self.room.poll(visitor.text, AT + now, proved=now >= visitor.proves_at)
        if isinstance(answer, Waiting):
            visitor.text = answer.renewed or visitor.text
            if answer.estimate.is_known and visitor.first is None:
                visitor.first, visitor.first_at = answer.estimate, now
            again = now + answer.refresh_s
            self.at(
                min(again, visitor.proves_at) if now < visitor.proves_at else again, lambda t: self.look(visitor, t)
            )
            return
        assert isinstance(answer, Admitted)
        visitor.is_over, visitor.waited_s = True, now - visitor.first_at
        assert self.room.take(visitor.text, AT + now)

    def let_in(self, now: float) -> None:
        weather = self.weather
        # Capacity is never quite steady: it wanders by a quarter, over some minutes.
        part = weather.every_s / WOBBLE_S
        self._wobble += -self._wobble * part + self.chance.gauss(0.0, 0.25 * math.sqrt(2.0 * part))
        self._owed += weather.outflow(now) * math.exp(self._wobble) * weather.every_s / 60.0
        self.room.admit(AT + now, int(self._owed))
        self._owed -= int(self._owed)
        self.outcome.longest = max(self.outcome.longest, len(self.room))
        if now < weather.for_s or (len(self.room) and now < LONGEST_S):
            self.at(now + weather.every_s, self.let_in)


def run(weather: Weather, seed: int = 1, plan: WaitingPlan | None = None) -> Outcome:
    """Let it happen."""
    return Town(weather, seed, plan).happens()


def _between(low: float, high: float, over_s: float) -> Callable[[float], float]:
    return lambda t: low + (high - low) * min(1.0, t / over_s)


WEATHERS = (
    Weather("steady", lambda _: 30.0, lambda _: 20.0),
    Weather("barely full", lambda _: 20.0, lambda _: 20.0),
    Weather("growing outflow", lambda _: 30.0, _between(10.0, 40.0, 3600.0)),
    Weather("halving outflow", lambda _: 30.0, lambda t: 24.0 if t < 1200.0 else 12.0),
    Weather("outflow in bursts", lambda _: 30.0, lambda t: 60.0 if t % 180.0 < 60.0 else 0.0),
    Weather("arrival in bursts", lambda t: 120.0 if t % 900.0 < 180.0 else 6.0, lambda _: 18.0),
    Weather("half are bots", lambda _: 15.0, lambda _: 20.0, bots=lambda _: 15.0),
    Weather("95 % are bots", lambda _: 6.0, lambda _: 30.0, bots=lambda t: 114.0 if t < 600.0 else 0.0),
    Weather("dead tickets", lambda _: 25.0, lambda _: 20.0, dead=lambda _: 300.0),
    Weather("people give up", lambda _: 40.0, lambda _: 20.0, gives_up=0.6),
)
