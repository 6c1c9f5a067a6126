"""Makes a table of lengths from requests: quantiles only, so that nothing of a single request is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Final

from tidegate.lab.traces.rows import TraceRow
from tidegate.lab.traces.sources import TraceError
from tidegate.lab.traces.tables import VERSION, Table

MOST_ROWS: Final = 100_000
"""So many requests are held; of a longer trace, ones drawn from all of it with equal chances."""

PROMPT_PARTS: Final = (
    *(0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55),
    *(0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0),
)  # fmt: skip
ANSWER_PARTS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0)


def fitted(rows: Iterable[TraceRow], *, name: str, about: str, where: str) -> Table:
    """The table of these requests. Raises TraceError, which begins with `where`, when there is none."""
    counted, pairs = _sample(rows)
    if not pairs:
        msg = f"{where}: expected requests, and there is none"
        raise TraceError(msg)
    pairs.sort(key=lambda pair: pair[0])
    count = len(pairs)
    answers = []
    for since, until in pairwise(PROMPT_PARTS):
        first = min(int(since * count), count - 1)
        within = pairs[first : max(int(until * count), first + 1)]
        answers.append(_quantiles(sorted(answer for _, answer in within), ANSWER_PARTS))
    return Table(
        version=VERSION,
        name=name,
        about=about,
        rows=counted,
        prompt_parts=PROMPT_PARTS,
        prompts=_quantiles([prompt for prompt, _ in pairs], PROMPT_PARTS),
        answer_parts=ANSWER_PARTS,
        answers=tuple(answers),
    )


def _sample(rows: Iterable[TraceRow]) -> tuple[int, list[tuple[int, int]]]:
    """How many there are, and lengths of at most MOST_ROWS of them (Vitter, "Random Sampling with a Reservoir", 1985).

    A prompt or an answer of nothing counts as of one token.
    """
    dice = Random(1)  # noqa: S311 - not secret: the same trace gives the same table
    held: list[tuple[int, int]] = []
    counted = 0
    for row in rows:
        counted += 1
        pair = (max(1, row.prompt_tokens), max(1, row.answer_tokens))
        if len(held) < MOST_ROWS:
            held.append(pair)
        elif (place := dice.randrange(counted)) < MOST_ROWS:
            held[place] = pair
    return counted, held


def _quantiles(ordered: Sequence[int], parts: Sequence[float]) -> tuple[int, ...]:
    found = []
    for part in parts:
        place = part * (len(ordered) - 1)
        low = ordered[int(place)]
        high = ordered[min(int(place) + 1, len(ordered) - 1)]
        found.append(round(low + (high - low) * (place - int(place))))
    return tuple(found)
