"""Every figure's sentence, in the order of the report: made of the figures themselves."""

from __future__ import annotations

import typing
from typing import Final

import msgspec

from tidegate.lab.judge.figures import (
    AlarmFigures,
    AttackFigures,
    IncidentFigures,
    LoadFigures,
    Move,
    OddityFigures,
    PeopleFigures,
    PromiseFigures,
)

TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "people": PeopleFigures,
    "attackers": AttackFigures,
    "oddities": OddityFigures,
    "promises": PromiseFigures,
    "incidents": IncidentFigures,
    "alarms": AlarmFigures,
    "moves": Move,
    "load": LoadFigures,
}
"""The tables of the findings, in the order of the report."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What one figure is. `table` and `field` are where it stands in the findings."""

    table: str
    field: str
    title: str
    says: str


def definitions() -> tuple[Definition, ...]:
    """Give the definition of every figure there is."""
    return tuple(
        Definition(table=table, field=field, title=meta.title or field, says=meta.description or "")
        for table, figures in TABLES.items()
        for field, meta in _metas(figures)
    )


def intro(table: str) -> str:
    """Say what a table of figures is about."""
    return (TABLES[table].__doc__ or "").strip()


def _metas(figures: type[msgspec.Struct]) -> list[tuple[str, msgspec.Meta]]:
    hints = typing.get_type_hints(figures, include_extras=True)
    return [
        (name, next(meta for meta in typing.get_args(hints[name]) if isinstance(meta, msgspec.Meta)))
        for name in figures.__struct_fields__
    ]
