"""The virtual world: plays lives against a service, under a clock that runs as fast as the machine can.

What is to be done stands in one heap, by time and then by the order in which it was written
there. A life is resumed with the outcome of what it asked a millisecond after it was told: that
is the shortest way, so a program that asks again at once, for ever, does not stop the clock. And
nothing that a service does to somebody runs inside of what it does to somebody else. The same
scenario with the same seed is the same to the last bit.

A scenario of many cells is played cell by cell, each with its part of everybody and a
service of its own; memory is that of one. Listeners hear one cell after the other, each from
its own beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2s
from heapq import heappop, heappush
from typing import Any, Final

import msgspec

from tidegate.lab.actors.attackers.cast import BY_LOAD
from tidegate.lab.acts import Ask, Ended, Life, Outcome, Wait, last_words
from tidegate.lab.calibration import Calibration
from tidegate.lab.hearing import Happened, Listener
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Broken, Fault, Scenario
from tidegate.lab.simulator.service import Tidegate
from tidegate.lab.simulator.serving import Agenda, Service, Tell

_SAMPLE_EVERY_S: Final = 5.0
_WAY_S: Final = 0.001

Cast = Callable[[Scenario], Iterable[Life]]
"""Everybody of a scenario, or of the part of it that one cell plays."""

Reading = Callable[[Mapping[str, Any]], Rules]
"""The rules that the scenario's settings come to with these instead: what an operator sets by mistake."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is opened with."""

    scenario: Scenario
    rules: Rules
    calibration: Calibration
    agenda: Agenda
    tell: Tell


Opening = Callable[[Setting], Service]


def open_tidegate(setting: Setting) -> Tidegate:
    """A Tidegate without a door."""
    engine = setting.scenario.engine
    return Tidegate(
        setting.rules,
        setting.calibration,
        setting.agenda,
        setting.tell,
        replicas=engine.replicas,
        seed=setting.scenario.seed,
    )


def play(
    scenario: Scenario,
    rules: Rules,
    calibration: Calibration,
    cast: Cast,
    listeners: Sequence[Listener],
    *,
    opening: Opening = open_tidegate,
    reading: Reading | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> None:
    """Play a scenario to its end. `progress` hears the cell and the time, at every sample.

    Without `reading` no fault of the kind `configuration` can be played: raises ValueError.
    """
    if reading is None and any(broken.kind is Fault.CONFIGURATION for broken in scenario.fault):
        msg = "fault: nobody is here who reads settings"
        raise ValueError(msg)
    for number in range(scenario.scale.cells):
        part = part_of(scenario, number)
        world = World(listeners)
        setting = Setting(scenario=part, rules=rules, calibration=calibration, agenda=world, tell=world.happened)
        world.open(opening(setting), part, rules, reading, progress and partial(progress, number))
        world.play(cast(part), part.duration_s)


def part_of(scenario: Scenario, number: int) -> Scenario:
    """What one of a scenario's cells plays: its part of every head count, and dice of its own.

    Loads are parts of what an engine can do, and every cell has an engine: they stay.
    """
    cells = scenario.scale.cells
    if cells == 1:
        return scenario

    def part(count: int, least: int = 0) -> int:
        return max(least, count // cells + (number < count % cells))

    replace, people = msgspec.structs.replace, scenario.people
    digest = blake2s(f"{scenario.seed}:{number}".encode(), digest_size=6).digest()
    return replace(
        scenario,
        seed=int.from_bytes(digest, "big"),
        scale=replace(scenario.scale, cells=1),
        people=replace(
            people,
            established=part(people.established),
            new=part(people.new),
            anonymous=part(people.anonymous),
            sign_ups_per_min=people.sign_ups_per_min / cells,
            sign_ins_per_min=people.sign_ins_per_min / cells,
            page_views_per_min=people.page_views_per_min / cells,
        ),
        crowd=tuple(
            replace(
                crowd,
                people=part(crowd.people),
                sign_ups_per_min=crowd.sign_ups_per_min / cells,
                page_views_per_min=crowd.page_views_per_min / cells,
            )
            for crowd in scenario.crowd
        ),
        attack=tuple(
            replace(
                attack,
                bots=part(attack.bots, 1),
                accounts=part(attack.accounts),
                # What is a part of an engine's load is the same part of each cell's.
                intensity=attack.intensity / (1 if attack.family in BY_LOAD else cells),
            )
            for attack in scenario.attack
        ),
        odd=tuple(replace(odd, people=part(odd.people, 1)) for odd in scenario.odd),
    )


_Entry = tuple[float, int, Callable[[float], None] | None, Life | None, Outcome | None]
"""When, which in turn, and either what is to be done or who goes on, with what outcome."""


class World:
    """One cell: the heap, the clock, the lives. It is the agenda of its service."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """Nothing is to be done."""
        self.now = 0.0
        self.asks = 0
        self._listeners = tuple(listeners)
        self._heap: list[_Entry] = []
        self._sequence = 0
        self._is_over = False
        self._set: list[Broken] = []
        self._service: Service

    def at(self, when_s: float, do: Callable[[float], None]) -> None:
        """Have something done at that time."""
        self._sequence += 1
        heappush(self._heap, (max(self.now, when_s), self._sequence, do, None, None))

    def happened(self, happened: Happened) -> None:
        """Tell everybody that something moved."""
        for listener in self._listeners:
            listener.happened(happened)

    def heard(self, ask: Ask, life: Life, outcome: Outcome) -> None:
        """Tell everybody what became of a try, and soon whose it was."""
        for listener in self._listeners:
            listener.asked(ask, outcome)
        self._sequence += 1
        heappush(self._heap, (self.now + _WAY_S, self._sequence, None, life, outcome))

    def open(
        self,
        service: Service,
        scenario: Scenario,
        rules: Rules,
        reading: Reading | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        """Put a service in the middle, with what will break, and look at it now and then."""
        self._service = service
        for broken in scenario.fault:
            is_configuration = broken.kind is Fault.CONFIGURATION
            for when_s, is_on in ((broken.from_s, True), (broken.until_s, False)):
                if is_configuration and reading is not None:
                    self.at(when_s, partial(self._configured, broken, is_on, rules, reading))
                elif not is_configuration:
                    self.at(when_s, partial(self._fault, broken, is_on))
        tick_s, every = scenario.scale.tick_s, max(1, round(_SAMPLE_EVERY_S / scenario.scale.tick_s))
        self.at(tick_s, partial(self._tick, tick_s, every, 1, progress))

    def play(self, lives: Iterable[Life], duration_s: float) -> None:
        """Have everybody live until the end; who is still in then is told so, and nobody asks any more.

        Of whoever would have tried again the need is told, too, as open.
        """
        for life in lives:
            self._begin(life)
        heap, live = self._heap, self._live
        while heap and heap[0][0] <= duration_s:
            now, _, do, life_or_none, outcome = heappop(heap)
            self.now = now
            if life_or_none is not None:
                live(life_or_none, outcome)
            elif do is not None:
                do(now)
        self.now, self._is_over = duration_s, True
        self._service.close(duration_s)
        while heap:
            _, _, _, life_or_none, outcome = heappop(heap)
            if life_or_none is not None and outcome is not None:
                self._live(life_or_none, outcome)
            elif life_or_none is not None:
                self._end(life_or_none)

    def _begin(self, life: Life) -> None:
        self._sequence += 1
        heappush(self._heap, (self.now, self._sequence, None, life, None))

    def _live(self, life: Life, outcome: Outcome | None) -> None:
        """Have a life go on until it waits for something; when all is over it may still tell what ended."""
        while True:
            try:
                act = life.send(outcome)
            except StopIteration:
                return
            outcome = None
            # By their types: `isinstance` takes longer where it is not so.
            if type(act) is Ended:
                for listener in self._listeners:
                    listener.ended(act)
            elif self._is_over:
                self._end(life)
                return
            elif type(act) is Ask:
                self.asks += 1
                self._service.ask(act.who, act.what, self.now, partial(self.heard, act, life))
                return
            elif type(act) is Wait:
                until_s = self.now + act.for_s if act.for_s > 0.0 else self.now
                self._sequence += 1
                heappush(self._heap, (until_s, self._sequence, None, life, None))
                return
            else:
                self._begin(act.life)

    def _end(self, life: Life) -> None:
        """Have a life end that would have gone on: it may tell of a need that is open."""
        for ended in last_words(life):
            for listener in self._listeners:
                listener.ended(ended)

    def _tick(
        self, tick_s: float, every: int, number: int, progress: Callable[[float], None] | None, now: float
    ) -> None:
        service = self._service
        service.tick(now)
        if number % every == 0:
            for sample in service.samples(now):
                for listener in self._listeners:
                    listener.sampled(sample)
            if progress is not None:
                progress(now)
        self.at((number + 1) * tick_s, partial(self._tick, tick_s, every, number + 1, progress))

    def _configured(self, broken: Broken, is_on: bool, rules: Rules, reading: Reading, now: float) -> None:  # noqa: FBT001 - given by position, to partial
        """Set something, or take it back: what was set last of all that stands is in force."""
        if is_on:
            self._set.append(broken)
        else:
            self._set.remove(broken)
        self._service.apply(reading(self._set[-1].settings) if self._set else rules, now)

    def _fault(self, broken: Broken, is_on: bool, now: float) -> None:  # noqa: FBT001 - given by position, to partial
        self._service.fault(broken, now, is_on=is_on)
