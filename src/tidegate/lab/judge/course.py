"""The course of a rehearsal, in at most 720 intervals however long it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from tidegate.core.registration.modes import RegistrationMode
from tidegate.lab.acts import LEGITIMATE, Chat, Ended, Group
from tidegate.lab.hearing import Sampled
from tidegate.lab.judge.binned import rounded
from tidegate.lab.judge.figures import LoadFigures
from tidegate.lab.judge.verdicts import first_s, tokens_offered

MOST_STEPS: Final = 720
_STEPS_S: Final = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)
_COARSE: Final = 1.1
_LOG_COARSE: Final = math.log(_COARSE)
_LADDER: Final = tuple(mode.value for mode in RegistrationMode)


def rank(mode: str) -> int:
    """Say how far closed registration is in a mode: 0 is open, and so is a word that nobody knows."""
    return _LADDER.index(mode) if mode in _LADDER else 0


class _Coarse:
    """Quantiles in bins of 10 %, of which 720 times three must be affordable: at most 150 bins."""

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}

    def add(self, value: float) -> None:
        place = math.floor(math.log(min(max(value, 1e-3), 1e3)) / _LOG_COARSE)
        self.bins[place] = self.bins.get(place, 0) + 1

    def merge(self, other: _Coarse) -> None:
        for place, number in other.bins.items():
            self.bins[place] = self.bins.get(place, 0) + number

    def quantile(self, part: float) -> float | None:
        wanted, seen = math.ceil(part * sum(self.bins.values())), 0
        for place in sorted(self.bins):
            seen += self.bins[place]
            if seen >= wanted:
                return rounded(_COARSE ** (place + 0.5))
        return None


class _Sums:
    """What the samples of one interval add up to. `moments` counts the moments at which everything was sampled."""

    def __init__(self) -> None:
        self.moments = 0
        self.running = self.waiting = self.in_line = 0
        self.tok_s = self.capacity_tok_s = 0.0
        self.mode = self.last = -1

    def add(self, sample: Sampled) -> None:
        self.moments += sample.replica == 0
        self.running += sample.running
        self.tok_s += sample.tok_s
        self.capacity_tok_s += sample.capacity_tok_s
        if sample.replica == 0:  # The line and the waiting room are the service's, told with every replica.
            self.waiting += sample.waiting
            self.in_line += sample.in_line
        self.move(sample.mode)

    def move(self, mode: str) -> None:
        self.last = rank(mode)
        self.mode = max(self.mode, self.last)

    def merge(self, other: _Sums) -> None:
        """Services that stand side by side are sampled at the same moments."""
        self.moments = max(self.moments, other.moments)
        self.running += other.running
        self.waiting += other.waiting
        self.in_line += other.in_line
        self.tok_s += other.tok_s
        self.capacity_tok_s += other.capacity_tok_s
        self.mode = max(self.mode, other.mode)
        self.last = max(self.last, other.last)


class Course:
    """What was offered, admitted and good, and how the service was, interval by interval."""

    def __init__(self, duration_s: float) -> None:
        """For a rehearsal of so many seconds; what comes later belongs to the last interval."""
        self.step_s = next(step_s for step_s in _STEPS_S if duration_s / step_s <= MOST_STEPS)
        self.steps = max(1, math.ceil(duration_s / self.step_s))
        self.offered, self.admitted, self.good_tokens = ({group: [0.0] * self.steps for group in Group} for _ in "...")
        self.needs, self.good = ({group: [0] * self.steps for group in LEGITIMATE} for _ in "..")
        self._first = {group: [_Coarse() for _ in range(self.steps)] for group in LEGITIMATE}
        self._sums = [_Sums() for _ in range(self.steps)]

    def at(self, at_s: float) -> int:
        """Say in which interval a moment is."""
        place = int(at_s / self.step_s)
        return place if 0 <= place < self.steps else min(max(place, 0), self.steps - 1)

    def asked(self, chat: Chat, group: Group, at_s: float, *, is_admitted: bool) -> None:
        """Hear a try to have a question answered."""
        tokens, place = tokens_offered(chat), self.at(at_s)
        self.offered[group][place] += tokens
        if is_admitted:
            self.admitted[group][place] += tokens

    def ended(self, ended: Ended, *, is_good: bool) -> None:
        """Hear what became of a question."""
        group, place = ended.who.group, self.at(ended.since_s)
        self.needs[group][place] += 1
        if is_good:
            self.good[group][place] += 1
            self.good_tokens[group][place] += ended.outcome.prompt_tokens + ended.outcome.output_tokens
        first = first_s(ended)
        if first is not None:
            self._first[group][place].add(first)

    def sampled(self, sample: Sampled) -> None:
        """Hear how the service is."""
        self._sums[self.at(sample.at_s)].add(sample)

    def moved(self, at_s: float, to: str) -> None:
        """Hear of a mode that began."""
        self._sums[self.at(at_s)].move(to)

    def merge(self, other: Course) -> None:
        """Add the course of another service that was played for as long."""
        for mine, theirs in (
            *((self.offered[group], other.offered[group]) for group in Group),
            *((self.admitted[group], other.admitted[group]) for group in Group),
            *((self.good_tokens[group], other.good_tokens[group]) for group in Group),
        ):
            mine[:] = [one + another for one, another in zip(mine, theirs, strict=True)]
        for group in LEGITIMATE:
            self.needs[group] = [a + b for a, b in zip(self.needs[group], other.needs[group], strict=True)]
            self.good[group] = [a + b for a, b in zip(self.good[group], other.good[group], strict=True)]
            for coarse, another in zip(self._first[group], other._first[group], strict=True):
                coarse.merge(another)
        for sums, added in zip(self._sums, other._sums, strict=True):
            sums.merge(added)

    def ranks(self) -> list[int]:
        """Give how far closed registration was in each interval; where nothing was heard, as before."""
        found, last = [], 0
        for sums in self._sums:
            found.append(sums.mode if sums.mode >= 0 else last)
            last = sums.last if sums.last >= 0 else last
        return found

    def figures(self) -> LoadFigures:
        """Give all of it."""
        return LoadFigures(
            step_s=self.step_s,
            offered=self._rates(self.offered),
            admitted=self._rates(self.admitted),
            good=self._rates(self.good_tokens),
            needs={group: list(each) for group, each in self.needs.items()},
            goodput={
                group: [rounded(good / needs) if needs else None for good, needs in zip(goods, all_, strict=True)]
                for group, goods, all_ in ((group, self.good[group], self.needs[group]) for group in LEGITIMATE)
            },
            first_p95_s={group: [one.quantile(0.95) for one in coarse] for group, coarse in self._first.items()},
            running=self._means(lambda sums: sums.running),
            waiting=self._means(lambda sums: sums.waiting),
            in_line=self._means(lambda sums: sums.in_line),
            tok_s=self._means(lambda sums: sums.tok_s),
            capacity_tok_s=self._means(lambda sums: sums.capacity_tok_s),
            mode=[_LADDER[place] for place in self.ranks()],
        )

    def _rates(self, tokens: dict[Group, list[float]]) -> dict[str, list[float]]:
        return {group: [rounded(one / self.step_s) for one in each] for group, each in tokens.items()}

    def _means(self, value: Callable[[_Sums], float]) -> list[float | None]:
        return [rounded(value(sums) / sums.moments) if sums.moments else None for sums in self._sums]
