"""A rehearsal as it goes, on a terminal: time, speed, what people get, what is on. Where nobody watches, nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from tidegate.lab.acts import LEGITIMATE, Ask, Ended, Group, Need, Outcome
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge.incidents import marks_of
from tidegate.lab.judge.verdicts import is_good
from tidegate.lab.report.words import NONE, count, named, percent, seconds
from tidegate.lab.scenario import Scenario

_EVERY_S: Final = 0.25
_LOOKS_EVERY: Final = 256
"""Asking for the hour costs more than counting: it is asked for once in so many things heard."""


class Progress:
    """A Listener to be used with `with`. Draws four times a second at the most, by the wall's clock."""

    def __init__(
        self, scenario: Scenario, console: Console | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """For one play of a scenario; on standard error, for results go to standard output."""
        self._scenario, self._now = scenario, now
        self._console = console or Console(stderr=True)
        self._marks = marks_of(scenario)
        self._good = dict.fromkeys(LEGITIMATE, 0)
        self._needs = dict.fromkeys(LEGITIMATE, 0)
        self._requests, self._heard, self._played_s = 0, 0, 0.0
        self._running: dict[int, int] = {}
        self._waiting, self._mode = 0, "open"
        self._began = self._drawn = now()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    @property
    def is_shown(self) -> bool:
        """Whether anybody watches."""
        return self._console.is_terminal

    def __enter__(self) -> Self:
        if self.is_shown:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_shown:
            self._live.stop()

    def say(self, text: str) -> None:
        """Write a line that stays, above what is drawn; also where nobody watches."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Hear what became of one try."""
        del ask
        self._requests += 1
        self._move(outcome.ended_at_s)

    def ended(self, ended: Ended) -> None:
        """Hear what became of a need."""
        group = ended.who.group
        if ended.need is Need.CHAT and group is not Group.ATTACKER:
            self._needs[group] += 1
            self._good[group] += is_good(ended, self._scenario.slo)
        self._move(ended.outcome.ended_at_s)

    def sampled(self, sample: Sampled) -> None:
        """Hear how the service is."""
        self._running[sample.replica] = sample.running
        if sample.replica == 0:  # The line is the service's, told with the first.
            self._waiting, self._mode = sample.waiting, sample.mode
        self._move(sample.at_s)

    def happened(self, happened: Happened) -> None:
        """Hear that something moved."""
        if happened.what == "mode":
            self._mode = happened.to
        self._move(happened.at_s)

    def _move(self, at_s: float) -> None:
        self._played_s = max(self._played_s, at_s)
        self._heard += 1
        if self._heard % _LOOKS_EVERY or not self.is_shown:
            return
        now = self._now()
        if now - self._drawn >= _EVERY_S:
            self._drawn = now
            self._live.update(self.drawn(), refresh=True)

    def drawn(self) -> Table:
        """Give what is shown now."""
        wall_s = max(self._now() - self._began, 1e-6)
        played_s = min(self._played_s, self._scenario.duration_s)
        on = [named(mark.name) for mark in self._marks if mark.from_s <= played_s < mark.until_s]
        table = Table.grid(padding=(0, 2))
        table.add_row("played", ProgressBar(self._scenario.duration_s, played_s, width=40))
        table.add_row(
            "", f"{seconds(played_s)} of {seconds(self._scenario.duration_s)}, {played_s / wall_s:,.1f} times as fast"
        )
        table.add_row("requests", f"{count(self._requests)}, {count(self._requests / wall_s)} a second")
        for group in LEGITIMATE:
            needs, good = self._needs[group], self._good[group]
            said = percent(good / needs) if needs else NONE
            table.add_row(group, f"{count(good)} of {count(needs)} questions good ({said})")
        table.add_row("engine", f"{sum(self._running.values())} running, {self._waiting} waiting")
        table.add_row("mode", named(self._mode))
        table.add_row("on now", ", ".join(on) or "nothing")
        return table
