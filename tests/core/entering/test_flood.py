"""Two hundred wrong passwords a second, in virtual time: who signs in meanwhile, how soon, and at what price."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from tidegate.core.entering.entering import Challenged, Entering, EnteringPlan, Known, Try
from tidegate.core.entering.line import Full, LinePlan, PasswordLine
from tidegate.core.entering.places import Claim, Place
from tidegate.core.standing.classes import Standing

HASH_S = 0.025
STEP_S = 0.0125
ATTACK_AT, ENDS_AT = 20.0, 110.0
BOTS_A_SECOND = 200
SOLVED_A_SECOND = 10.0
"""By bots with a solver in C, all cores of theirs together."""

PHONE_S = 1.0
"""A person's phone takes so long for each least effort."""


class Person(msgspec.Struct):
    """Somebody who signs in once, as often as it takes."""

    came_at: float
    standing: Standing | None
    tries_at: float = 0.0
    effort: int = 0
    in_at: float | None = None


class Flood:
    """The line, the decisions about it, and everybody who comes."""

    def __init__(self, seed: int, *, has_challenge: bool) -> None:
        self.dice = Random(seed)
        self.entering = Entering(EnteringPlan(has_challenge=has_challenge))
        self.line = PasswordLine(LinePlan(first_guess_s=HASH_S))
        self.now, self.number = 0.0, 0
        self.waiting: dict[int, tuple[Person | None, Try]] = {}
        self.running: tuple[int, float] | None = None
        self.of_strangers_s = 0.0
        self.seen_at: float | None = None
        self.solved = self.bots = 0.0
        self.people: list[Person] = []

    def run(self) -> Flood:
        """People come at their own times; the flood comes in between."""
        for standing in (Standing.ESTABLISHED, Standing.MEMBER, Standing.NEWCOMER, None):
            rate = 0.1 if standing is None else 0.7
            self.people += [
                Person(self.dice.uniform(1.0, ENDS_AT - 40.0), standing) for _ in range(int(rate * (ENDS_AT - 41.0)))
            ]
        for person in self.people:
            person.tries_at = person.came_at
        while self.now < ENDS_AT:
            self.now += STEP_S
            self.bots += BOTS_A_SECOND * STEP_S * (self.now >= ATTACK_AT)
            while self.bots >= 1.0:
                self.bots -= 1.0
                self._bot()
            for person in self.people:
                if person.in_at is None and person.tries_at <= self.now:
                    person.tries_at = float("inf")
                    self._try(person)
            self._work()
            if self.seen_at is None and self.entering.is_attacked(self.line.capacity(), self.now):
                self.seen_at = self.now
        return self

    def _bot(self) -> None:
        number = self.dice.randrange(1000)
        self.solved = min(SOLVED_A_SECOND, self.solved + SOLVED_A_SECOND / BOTS_A_SECOND)
        effort = 0
        if self.solved >= 8.0:
            self.solved, effort = self.solved - 8.0, 8
        self._enter(None, Try(account=str(number % 40), source=str(number), network=str(number), effort=effort))

    def _try(self, person: Person) -> None:
        name = f"p{id(person)}"
        self._enter(person, Try(account=name, source=name, network=name, effort=person.effort))

    def _enter(self, person: Person | None, tried: Try) -> None:
        capacity = self.line.capacity()
        standing = None if person is None else person.standing
        decided = self.entering.decide(tried, standing, capacity, self.now)
        if isinstance(decided, Challenged):
            self.entering.turned_away(capacity, self.now)
            if person is not None:
                person.effort, person.tries_at = decided.effort, self.now + decided.effort * PHONE_S
            return
        place = decided.place if isinstance(decided, Known) else Place.STRANGER
        claim = Claim(place=place, account=tried.account, effort=tried.effort, lot=self.dice.random())
        self.number += 1
        came = self.line.join(self.number, claim, self.now)
        if isinstance(came, Full):
            self._busy(person, came.retry_after_s)
            return
        self.waiting[self.number] = (person, tried)
        if came.evicted is not None:
            self._busy(self.waiting.pop(came.evicted)[0], came.retry_after_s)

    def _busy(self, person: Person | None, wait_s: float) -> None:
        if person is None or person.standing is None:
            self.entering.turned_away(self.line.capacity(), self.now)
        if person is not None:
            person.tries_at = self.now + wait_s

    def _work(self) -> None:
        if self.running is not None and self.now >= self.running[1]:
            number, self.running = self.running[0], None
            self.line.done(number, HASH_S, self.now)
            person, tried = self.waiting.pop(number)
            if person is None:
                self.entering.missed(tried, None, self.line.capacity(), self.now)
                self.of_strangers_s += HASH_S
            else:
                person.in_at = self.now
        for number in self.line.late(self.now):
            self._busy(self.waiting.pop(number)[0], self.line.drain_s(Place.STRANGER))
        called = self.line.call(self.now, is_attacked=self.entering.is_attacked(self.line.capacity(), self.now))
        if isinstance(called, int):
            self.running = (called, self.now + HASH_S)

    def waits_s(self, who: Callable[[Person], bool]) -> list[float]:
        """Sorted; whoever is not in counts as for ever."""
        return sorted(
            (float("inf") if one.in_at is None else one.in_at - one.came_at) for one in self.people if who(one)
        )


@pytest.fixture(params=[True, False], ids=["challenge", "no challenge"])
def flood(request: pytest.FixtureRequest) -> Flood:
    return Flood(7, has_challenge=request.param).run()


def test_known_devices_sign_in_as_in_calm(flood: Flood) -> None:
    """
    All of them, and 95 % within twice what it takes in calm.
    """
    calm = flood.waits_s(lambda one: one.standing is not None and one.came_at < ATTACK_AT - 1.0)
    beset = flood.waits_s(lambda one: one.standing is not None and one.came_at >= ATTACK_AT)

    assert beset[-1] < 1.0, "somebody did not get in"
    assert beset[int(0.95 * len(beset))] <= 2 * calm[int(0.95 * len(calm))] + STEP_S


def test_the_flood_is_seen_within_five_seconds_and_takes_no_more_than_its_part(flood: Flood) -> None:
    assert flood.seen_at is not None
    assert ATTACK_AT <= flood.seen_at <= ATTACK_AT + 5.0
    lasted_s = ENDS_AT - ATTACK_AT
    assert flood.of_strangers_s <= 0.25 * lasted_s + 0.5 + 5.0, "what the first seconds and the burst may be, besides"


@pytest.mark.slow
def test_with_the_challenge_an_existing_user_on_a_new_device_is_in_within_thirty_seconds() -> None:
    """
    Nine in ten of them; also while some of the bots solve.
    """
    waits_s = [
        wait_s
        for seed in range(3)
        for wait_s in Flood(seed, has_challenge=True)
        .run()
        .waits_s(lambda one: one.standing is None and one.came_at >= ATTACK_AT)
    ]
    waits_s.sort()

    assert waits_s[int(0.9 * len(waits_s))] <= 30.0
    assert waits_s[-1] < float("inf")
