"""How the engines are at one moment, and what they have done since the last look."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.lab.hearing import Sampled
from tidegate.lab.simulator.fleet import Fleet
from tidegate.lab.simulator.line import Line


class Sampler:
    """Looks at a fleet and the line before it. Who waits is counted with replica 0."""

    def __init__(self, fleet: Fleet, line: Line) -> None:
        """Nothing was done yet."""
        self._fleet = fleet
        self._line = line
        self._at_s = 0.0
        self._done = [0.0] * len(fleet.engines)
        self._ended = self._failed = 0
        calibration = fleet.calibration
        # In cost tokens: the engine's time for one token of output while all places write.
        self._weight = calibration.prompt_weight(calibration.slots)
        self._capacity = calibration.capacity_tok_s()

    def samples(self, now: float, *, mode: str, in_line: int) -> Iterator[Sampled]:
        """One for each replica."""
        passed_s = now - self._at_s
        ended, failed = self._line.ended - self._ended, self._line.failed - self._failed
        for number, engine in enumerate(self._fleet.engines):
            done = engine.written_tokens + self._weight * engine.read_tokens
            is_healthy = not self._fleet.is_down[number]
            yield Sampled(
                at_s=now,
                running=engine.inside,
                waiting=0 if number else self._line.scheduler.waiting,
                tok_s=(done - self._done[number]) / passed_s if passed_s > 0 else 0.0,
                capacity_tok_s=self._capacity * engine.speed if is_healthy else 0.0,
                err_rate=failed / (ended + failed) if failed else 0.0,
                mode=mode,
                in_line=in_line,
                replica=number,
                is_healthy=is_healthy,
            )
            self._done[number] = done
        self._at_s = now
        self._ended, self._failed = self._line.ended, self._line.failed
