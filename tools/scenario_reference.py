"""Writes docs/reference/scenario.md: every table and field that a scenario's file may have, from the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.inspect import EnumType, FloatType, IntType, Metadata, Type, UnionType, type_info

from tidegate.lab.actors.attackers.variants import VARIANTS
from tidegate.lab.scenario import TABLES, TIMED, Fault, Oddity, Scenario
from tidegate.lab.traces.lengths import known_lengths

HEADINGS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("(at the top)", Scenario),
    *((f"[[{name}]]" if name in TIMED else f"[{name}]", table) for name, table in TABLES.items()),
)


def scenario_page() -> str:
    """The page."""
    lines = [
        "# Scenario files",
        "",
        "How to use them: [the lab](../lab.md).",
        "",
        (
            "A scenario is a TOML file of at most 1 MiB. What it does not know is a mistake, told by its name. Loads "
            "are parts of what the engine can do with questions of the scenario's lengths: 1.0 is all of it. Times are "
            "seconds since the beginning."
        ),
        "",
    ]
    for heading, table in HEADINGS:
        lines += [f"## {heading}", "", *_paragraphs(table), "", "| Field | Is | Default |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | {kind} | {default} |" for name, kind, default in _fields(table)]
        lines.append("")
    lines += [
        "## Words",
        "",
        f"- `lengths`: {_words(known_lengths())}, or the path of a trace ([traces](../traces.md)).",
    ]
    lines += [f"- `fault.kind`: {_words(Fault)}.", f"- `odd.kind`: {_words(Oddity)}."]
    lines += [
        "- `attack.family`, and its variants (those that begin with `held-` are for judging, nobody tunes on them):",
        *(f"    - `{family}`: {_words(variants)}" for family, variants in VARIANTS.items()),
    ]
    return "\n".join(lines) + "\n"


def _paragraphs(table: type[msgspec.Struct]) -> list[str]:
    return (inspect.getdoc(table) or "").splitlines()


def _fields(table: type[msgspec.Struct]) -> Iterator[tuple[str, str, str]]:
    shown = type_info(table)
    assert isinstance(shown, msgspec.inspect.StructType), "tables are structs"
    for field in shown.fields:
        if table is Scenario and field.name in TABLES:
            continue
        yield field.name, _kind(field.type), "" if field.required else _default(field)


def _kind(kind: Type) -> str:
    match kind:
        case Metadata(type=inner):
            return _kind(inner)
        case FloatType(ge=ge, gt=gt, le=le) | IntType(ge=ge, gt=gt, le=le):
            name = "whole number" if isinstance(kind, IntType) else "number"
            bounds = [f"at least {ge:,g}" if ge is not None else "", f"above {gt:,g}" if gt is not None else ""]
            bounds.append(f"at most {le:,.10g}" if le is not None else "")
            said = ", ".join(bound for bound in bounds if bound)
            return f"{name}, {said}" if said else name
        case EnumType():
            return "a word, see below"
        case UnionType():
            return "one of several"
        case _:
            names = {"StrType": "text", "BoolType": "true or false", "DictType": "settings as in `tidegate.toml`"}
            return names.get(type(kind).__name__, "a list of words")


def _default(field: Any) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value not in ({}, "") else "empty"


def _words(words: Any) -> str:
    return ", ".join(f"`{word.value if isinstance(word, StrEnum) else word}`" for word in words)
