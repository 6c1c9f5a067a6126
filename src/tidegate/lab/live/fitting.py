"""From what was measured to what a batch costs.

The model of `lab/calibration.py` has three coefficients and a constant. They are found one after the other, each by a
straight line, because each can be seen alone: while nobody reads a prompt, the gap between two tokens is

    batch_s + write_s * r        for r answers at once,

and with the time of a batch known, what a prompt of p tokens takes to its first token, without its batches, is

    begin_s + read_s * p.

What a batch takes longer that reads and writes, beyond its second pass, is what the gaps of answers were longer
while a prompt was read beside them.

No coefficient is negative: a line that says so is drawn anew through what is left. What was repeated is the median
of its repetitions, so that one disturbance counts for nothing. That reading a token takes longer the more were read
before it (attention) is not in the model: long prompts come out too short, by some 20 % at 800 tokens of a small model.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil

import msgspec


class Wrote(msgspec.Struct, frozen=True):
    """So many answers at once had this gap between two tokens, in seconds."""

    at_once: int
    gap_s: float


class Read(msgspec.Struct, frozen=True):
    """A prompt with so many tokens that were not known before had its first token after this, in seconds."""

    tokens: int
    first_s: float


class Beside(msgspec.Struct, frozen=True):
    """So many answers had this gap between two tokens while a prompt was read beside them, in seconds."""

    writing: int
    gap_s: float


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """The coefficients, in seconds."""

    batch_s: float
    write_s: float
    read_s: float
    begin_s: float
    most_tokens: int
    mixed_s: float = 0.0

    def gap_s(self, at_once: int) -> float:
        """The gap between two tokens of each of so many answers."""
        return self.batch_s + self.write_s * at_once

    def beside_s(self, writing: int) -> float:
        """The gap while a prompt is read beside so many answers, in their neighbour's place: in two passes."""
        return self.batch_s + self.gap_s(writing) + self.read_s * (self.most_tokens - writing) + self.mixed_s

    def first_s(self, tokens: int) -> float:
        """When a prompt that is alone has its first token."""
        return self.begin_s + self.read_only_s(tokens)

    def read_only_s(self, tokens: int) -> float:
        """How long the engine reads it."""
        return ceil(tokens / self.most_tokens) * self.batch_s + tokens * self.read_s


def fit(wrote: Iterable[Wrote], read: Iterable[Read], most_tokens: int, beside: Iterable[Beside] = ()) -> Fitted:
    """Find the coefficients. Needs gaps at two numbers of answers, and prompts of two lengths."""
    gaps = _medians((one.at_once, one.gap_s) for one in wrote)
    batch_s, write_s = _line(gaps)
    firsts = _medians((one.tokens, one.first_s) for one in read)
    # Divided by the tokens, so that a short prompt counts as much as a long one: what matters is the part it is off.
    left = [
        (1.0 / tokens, first_s / tokens - ceil(tokens / most_tokens) / tokens * batch_s) for tokens, first_s in firsts
    ]
    read_s, begin_s = _line(left)
    plain = Fitted(batch_s=batch_s, write_s=write_s, read_s=read_s, begin_s=begin_s, most_tokens=most_tokens)
    more = [gap_s - plain.beside_s(writing) for writing, gap_s in _medians((one.writing, one.gap_s) for one in beside)]
    return msgspec.structs.replace(plain, mixed_s=max(0.0, statistics.fmean(more)) if more else 0.0)


def _medians(points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    found: defaultdict[int, list[float]] = defaultdict(list)
    for at, value in points:
        found[at].append(value)
    return [(at, statistics.median(values)) for at, values in sorted(found.items())]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Intercept and slope, neither negative. Raises ValueError for points that make no line."""
    if len(points) < 2:  # noqa: PLR2004 - a line
        msg = "expected measurements at two sizes at least"
        raise ValueError(msg)
    at, values = zip(*points, strict=True)
    slope, intercept = statistics.linear_regression(at, values)
    if slope < 0.0:
        return max(0.0, statistics.fmean(values)), 0.0
    if intercept < 0.0:
        slope, intercept = statistics.linear_regression(at, values, proportional=True)
    return max(0.0, intercept), max(0.0, slope)
