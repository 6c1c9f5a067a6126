"""Counts over time: how many came in each step. Which form a file has, its beginning tells."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from pathlib import Path
from statistics import median_low
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.traces.archives import is_tar, members
from tidegate.lab.traces.rows import Moment, moment_of
from tidegate.lab.traces.sources import TraceError, cells, decoded, numbered_lines, objects

MOST_STEPS: Final = 20_000_000
"""The most steps of one file: seven months of seconds."""
MOST_COUNT: Final = 1e15

_LOOKED_AT: Final = 101
_OFF: Final = 0.25
_LONGEST_NUMBER: Final = 32


class Counts(msgspec.Struct, frozen=True):
    """`values[i]` came within `step_s` from `start_s + i * step_s` on, in Unix seconds where the file knows them."""

    start_s: float
    step_s: float
    values: array[float]


class _Line(msgspec.Struct, frozen=True, gc=False):
    t: Moment
    count: Annotated[float, Meta(ge=0.0, le=MOST_COUNT)]


def read_counts(path: Path) -> Counts:
    """Read counts: `timestamp,value` as NAB writes it, `t,count`, JSON lines of these, or a tar of one number a second.

    Steps that the file leaves out lie on a straight line between their neighbours. Raises TraceError.
    """
    if is_tar(path):
        return Counts(0.0, 1.0, _every_second(path))
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is None:
        msg = f"{path}: expected counts, and it is empty"
        raise TraceError(msg)
    header = first[1].replace(" ", "").lower()
    if header == "timestamp,value":
        return _stepped(path, _table(path, lines, dated=True))
    if header == "t,count":
        return _stepped(path, _table(path, lines, dated=False))
    if header.startswith("{"):
        return _stepped(path, _objects(path, chain((first,), lines)))
    msg = f"{path}:{first[0]}: expected the header timestamp,value or t,count, or JSON objects with t and count"
    raise TraceError(msg)


def read_windows(path: Path, series: str) -> list[tuple[float, float]]:
    """The windows in which NAB's labels say that a series is not as usual: from and until, in Unix seconds.

    `series` is the name of its file there (`realTweets/Twitter_volume_AAPL.csv`). Raises TraceError.
    """
    text = "\n".join(line for _, line in numbered_lines(path, 16 << 20))
    labels = decoded(msgspec.json.Decoder(dict[str, list[tuple[str, str]]]), text, str(path))
    if series not in labels:
        msg = f"{path}: expected one of its {len(labels)} series, such as {min(labels, default='none')}, not {series}"
        raise TraceError(msg)
    where = f"{path}: {series}"
    return [(moment_of(since, where), moment_of(until, where)) for since, until in labels[series]]


def _table(path: Path, lines: Iterator[tuple[int, str]], *, dated: bool) -> Iterator[tuple[float, float, str]]:
    for where, (at, count) in cells(path, lines, 2):
        at_s = moment_of(at, where) if dated else _number(at, -MOST_COUNT, f"{where}: t")
        yield at_s, _number(count, 0.0, f"{where}: count"), where


def _objects(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[float, float, str]]:
    for where, said in objects(path, lines, msgspec.json.Decoder(_Line)):
        yield said.t, said.count, where


def _number(word: str, least: float, where: str) -> float:
    try:
        number = float(word) if len(word) <= _LONGEST_NUMBER else math.nan
    except ValueError:
        number = math.nan
    if not least <= number <= MOST_COUNT:
        msg = f"{where}: expected a number from {least:g} to {MOST_COUNT:g}, not {word[:40]!r}"
        raise TraceError(msg)
    return number


def _stepped(path: Path, rows: Iterator[tuple[float, float, str]]) -> Counts:
    """Put each count on its step. How long a step is, the first hundred tell."""
    head = list(islice(rows, _LOOKED_AT))
    steps = [later[0] - row[0] for row, later in pairwise(head)]
    step_s = median_low(steps) if steps else 0.0
    if step_s <= 0.0:
        msg = f"{path}: expected two or more counts in the order of time"
        raise TraceError(msg)
    start_s, values = head[0][0], array("d")
    for at_s, count, where in chain(head, rows):
        place = (at_s - start_s) / step_s
        if not (len(values) - _OFF <= place < MOST_STEPS and abs(place - round(place)) <= _OFF):
            msg = (
                f"{where}: expected a later time, a multiple of {step_s:g} s from the first, at most {MOST_STEPS} steps"
            )
            raise TraceError(msg)
        absent = round(place) - len(values)
        if absent:
            before = values[-1]
            values.extend(before + (count - before) * part / (absent + 1) for part in range(1, absent + 1))
        values.append(count)
    return Counts(start_s, step_s, values)


def _every_second(path: Path) -> array[float]:
    """The numbers of the first file of a tar, with blanks between them."""
    for name, pieces in members(path):
        values = array("d")
        rest = ""
        for piece in chain(pieces, (b" ",)):
            text = rest + piece.decode("latin-1")
            words = text.split()
            rest = words.pop() if words and not text[-1].isspace() else ""
            values.extend(_numbers(words, f"{path}: {name}: after number {len(values)}"))
            if len(rest) > _LONGEST_NUMBER or len(values) > MOST_STEPS:
                msg = f"{path}: {name}: expected numbers with blanks between them, at most {MOST_STEPS}"
                raise TraceError(msg)
        return values
    msg = f"{path}: expected a file in the tar"
    raise TraceError(msg)


def _numbers(words: list[str], where: str) -> list[float]:
    try:
        numbers = list(map(float, words))
    except ValueError:
        numbers = [math.nan]
    if all(0.0 <= number <= MOST_COUNT for number in numbers):
        return numbers
    # One of them is wrong: it is named, which all at once would make slow.
    return [_number(word, 0.0, where) for word in words]
