"""A table of lengths: quantiles of prompts, and for each stretch of them quantiles of the answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from tidegate.lab.traces.rows import MOST_TOKENS
from tidegate.lab.traces.sources import TraceError

VERSION: Final = 1
MOST_CELLS: Final = 256

_Part = Annotated[float, Meta(ge=0, le=1)]
_Length = Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
_Parts = Annotated[tuple[_Part, ...], Meta(min_length=2, max_length=MOST_CELLS + 1)]
_Edges = Annotated[tuple[_Length, ...], Meta(min_length=2, max_length=MOST_CELLS + 1)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part `prompt_parts[i]` of all prompts has at most `prompts[i]` tokens; between two they are spread evenly.

    `answers[i]` is the same, at `answer_parts`, of the answers to prompts from `prompts[i]` to `prompts[i + 1]`; if
    there is only one, of all. `source`, `licence` and `attribution` tell what `rows` requests it was made of.
    """

    version: int
    name: str
    about: str
    source: str = ""
    licence: str = ""
    attribution: str = ""
    rows: int = 0
    prompt_parts: _Parts
    prompts: _Edges
    answer_parts: _Parts
    answers: Annotated[tuple[_Edges, ...], Meta(min_length=1, max_length=MOST_CELLS)]


def check(table: Table, where: str) -> None:
    """Raise TraceError, which begins with `where` and names the field, for a table that nothing can be drawn from."""
    for mistake in _mistakes(table):
        msg = f"{where}: {mistake}"
        raise TraceError(msg)


def _mistakes(table: Table) -> list[str]:
    found = []
    if table.version != VERSION:
        found.append(f"version: expected {VERSION}, not {table.version}")
    for name, parts in (("prompt_parts", table.prompt_parts), ("answer_parts", table.answer_parts)):
        if parts[0] != 0.0 or parts[-1] != 1.0 or any(later <= part for part, later in pairwise(parts)):
            found.append(f"{name}: expected growing parts from 0 to 1")
    if len(table.answers) not in {1, len(table.prompt_parts) - 1}:
        found.append(f"answers: expected one row for all prompts, or {len(table.prompt_parts) - 1}")
    rows = (
        ("prompts", table.prompts, table.prompt_parts),
        *(("answers", row, table.answer_parts) for row in table.answers),
    )
    for name, edges, parts in rows:
        if len(edges) != len(parts):
            found.append(f"{name}: expected {len(parts)} lengths, not {len(edges)}")
        if any(later < edge for edge, later in pairwise(edges)):
            found.append(f"{name}: expected lengths that do not shrink")
    return found
