"""How long questions and answers are: drawn together, as they were seen together.

Tables in the package: `short` and `chat-small` are made by hand for engines on a CPU, the others of published traces
(`tools/fit_lengths.py`). A trace of one's own may be named in place of a table (`docs/traces.md`).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from tidegate.lab.traces.archives import is_tar
from tidegate.lab.traces.arrivals import drawn_requests
from tidegate.lab.traces.fitting import MOST_ROWS, fitted
from tidegate.lab.traces.requests import read_requests
from tidegate.lab.traces.servegen import read_clients
from tidegate.lab.traces.sources import Stamp, TraceError, decoded, named_file, opened, stamp_of
from tidegate.lab.traces.tables import Table, check

_MOST_TABLE_BYTES: Final = 1 << 20
_REMEMBERED: Final = 8
"""Files, of which a table is kept each: some kilobytes."""
_TABLES: Final = files("tidegate.lab.traces").joinpath("tables")

# Where a stretch begins, as a part of all; its first length; how much longer per part.
_Stretch = tuple[float, int, float]


class Lengths:
    """Lengths of prompts and answers in tokens, at least 1, drawn together from a table."""

    def __init__(self, table: Table) -> None:
        """Take a table that was checked."""
        self.table = table
        answers = [_stretches(table.answer_parts, row) for row in table.answers]
        prompts = _stretches(table.prompt_parts, table.prompts)
        if len(answers) == 1:
            answers *= len(prompts)
        self._cells = tuple(zip(prompts, answers, strict=True))
        self._prompts_upto, self._answers_upto = table.prompt_parts[1:-1], table.answer_parts[1:-1]
        self.mean_prompt = _mean(table.prompt_parts, table.prompts)
        """What `draw` gives for a prompt in the mean."""
        means = [_mean(table.answer_parts, row) for row in table.answers] * (
            1 if len(table.answers) > 1 else len(prompts)
        )
        self.mean_answer = sum(
            (until - since) * mean for (since, until), mean in zip(pairwise(table.prompt_parts), means, strict=True)
        )
        """What `draw` gives for an answer in the mean."""

    def draw(self, dice: Random) -> tuple[int, int]:
        """Tokens of a prompt and of its answer."""
        part = dice.random()
        (since, prompt, slope), answers = self._cells[bisect_right(self._prompts_upto, part)]
        at = dice.random()
        begin, answer, rise = answers[bisect_right(self._answers_upto, at)]
        return int(prompt + (part - since) * slope + 0.5), int(answer + (at - begin) * rise + 0.5)


def known_lengths() -> list[str]:
    """The names of the tables in the package."""
    return sorted(entry.name.removesuffix(".json") for entry in _TABLES.iterdir() if entry.name.endswith(".json"))


def lengths(name: str) -> Lengths:
    """The lengths of that name: a table of the package, or a file: a table (.json), or any trace of requests.

    A file is named with `file:` before it, or with a slash or a dot in it; what was made of one is remembered for as
    long as the file stays as it is, so that many who ask by the same trace do not read it again. Raises TraceError.
    """
    path = named_file(name)
    if path is None and name not in known_lengths():
        msg = f"lengths: expected one of {', '.join(known_lengths())}, or the path of a trace, not {name}"
        raise TraceError(msg)
    if path is None:
        return Lengths(_table(_TABLES.joinpath(f"{name}.json").read_bytes(), name))
    return _of_file(path, stamp_of(path))


@lru_cache(_REMEMBERED)
def _of_file(path: Path, stamp: Stamp) -> Lengths:
    del stamp  # Another one is another file, whatever its name.
    if path.suffix == ".json":
        with opened(path) as file:
            return Lengths(_table(file.read(_MOST_TABLE_BYTES), str(path)))
    return Lengths(table_of(path))


def table_of(path: Path, *, name: str = "", about: str = "") -> Table:
    """The table of a trace, whatever its form. Raises TraceError."""
    if is_tar(path):
        clients = read_clients(path)
        rows = drawn_requests(clients, 1, min(1.0, MOST_ROWS / sum(client.asked for client in clients)))
    else:
        rows = read_requests(path)
    return fitted(rows, name=name or path.name, about=about, where=str(path))


def _table(text: bytes, where: str) -> Table:
    table = decoded(msgspec.json.Decoder(Table), text, where)
    check(table, where)
    return table


def _stretches(parts: tuple[float, ...], edges: tuple[int, ...]) -> tuple[_Stretch, ...]:
    bounds = zip(pairwise(parts), pairwise(edges), strict=True)
    return tuple((since, low, (high - low) / (until - since)) for (since, until), (low, high) in bounds)


def _mean(parts: tuple[float, ...], edges: tuple[int, ...]) -> float:
    bounds = zip(pairwise(parts), pairwise(edges), strict=True)
    return sum((until - since) * (low + high) / 2.0 for (since, until), (low, high) in bounds)
