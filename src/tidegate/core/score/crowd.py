"""What a session has in common with the others of its log.

A program that visits a site once visits it again, from the same script: its sessions are
of one length, at one pace, by the same ways. People differ from one another more than
they differ from themselves. Nothing here ranks: a log of people alone has no twins in it,
a log of programs alone is full of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.score import pauses
from tidegate.core.score.session import Session

_LEAST_PAUSES: Final = 4
_LEAST_WAYS: Final = 4
_MOST_WAYS: Final = 128
LEAST_OTHERS: Final = 9
"""With fewer others than these nothing is said of what is common."""

_WIDTHS: Final = (0.5, 0.6, 0.4, 0.25)
"""How near is alike: logarithm of the number of pages, of the middle pause, spread of pauses, share of new pages."""
_SHIFTS: Final = (0.0, 0.25, 0.5, 0.75)
_MOST_OF_ONE_SOURCE: Final = 0.5
_BY_CHANCE, _DOUBT = 0.5, 10
"""One who happens to be alike is no crowd: among few, the share of those alike is taken for less."""


class Outline(msgspec.Struct, frozen=True, gc=False):
    """As much of a session as it takes to compare it with others."""

    shape: tuple[float, ...] | None
    ways: frozenset[bytes]
    source: str | None


class Likeness(msgspec.Struct, frozen=True, gc=False):
    """What a session has in common with others; None where that cannot be told.

    `twins`: the share of others that are alike in length and pace. `shared_ways`: the share of its ways over
    three pages that others went too. `from_source`: how many sessions came from its address.
    """

    twins: float | None = None
    shared_ways: float | None = None
    from_source: int | None = None


ALONE: Final = Likeness()


def outline(session: Session) -> Outline:
    """Draw a session in a few strokes."""
    visit = session.visit
    given, _ = pauses.between_views(visit.pauses, visit.sizes)
    shape = None
    if len(given) >= _LEAST_PAUSES:
        seen = sum(visit.page_paths.values())
        shape = (
            math.log(len(given) + 1),
            math.log(max(pauses.SHORTEST_S, pauses.quantile(sorted(given), 0.5))),
            pauses.log_spread(given),
            len(visit.page_paths) / seen if seen else 1.0,
        )
    paths = [view.path for view in visit.seen()[: _MOST_WAYS + 2]]
    ways = frozenset(
        blake2s("\0".join(way).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for way in zip(paths, paths[1:], paths[2:], strict=False)
        if all(way) and len(set(way)) > 1
    )
    sources = session.entry.sources
    return Outline(shape, ways, next(iter(sources)) if len(sources) == 1 else None)


def likenesses(outlines: Sequence[Outline]) -> list[Likeness]:
    """Tell of each session what it has in common with the others, in the same order."""
    cells: list[Counter[tuple[int, ...]]] = [Counter() for _ in _SHIFTS]
    shaped = 0
    walked: Counter[bytes] = Counter()
    sources: Counter[str] = Counter()
    for one in outlines:
        if one.shape is not None:
            shaped += 1
            for shift, counted in zip(_SHIFTS, cells, strict=True):
                counted[_cell(one.shape, shift)] += 1
        walked.update(one.ways)
        if one.source is not None:
            sources[one.source] += 1
    return [_likeness(one, len(outlines), shaped, cells, walked, sources) for one in outlines]


def _cell(shape: tuple[float, ...], shift: float) -> tuple[int, ...]:
    return tuple(math.floor(value / width + shift) for value, width in zip(shape, _WIDTHS, strict=True))


def _likeness(
    one: Outline,
    count: int,
    shaped: int,
    cells: list[Counter[tuple[int, ...]]],
    walked: Counter[bytes],
    sources: Counter[str],
) -> Likeness:
    twins = ways = None
    from_source = None
    if one.shape is not None and shaped > LEAST_OTHERS:
        near = [counted[_cell(one.shape, shift)] - 1 for shift, counted in zip(_SHIFTS, cells, strict=True)]
        twins = max(0.0, sum(near) / len(near) - _BY_CHANCE) / (shaped - 1 + _DOUBT)
    if len(one.ways) >= _LEAST_WAYS and count > LEAST_OTHERS:
        ways = sum(walked[way] > 1 for way in one.ways) / len(one.ways)
    if one.source is not None and count > LEAST_OTHERS and sources[one.source] <= _MOST_OF_ONE_SOURCE * count:
        from_source = sources[one.source]
    return Likeness(twins, ways, from_source)


def facts_of(likeness: Likeness) -> dict[str, float | None]:
    """Give the facts of the group "crowd"."""
    return {
        "twins": likeness.twins,
        "shared_ways": likeness.shared_ways,
        "crowded_visits": None if likeness.from_source is None else math.log(likeness.from_source),
    }
