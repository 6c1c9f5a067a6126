"""Which JSON schemas an engine may be asked to hold an answer to.

llama.cpp turns a schema into a grammar and tries the grammar on every token, in
the one thread that computes for everybody. A schema of 200 bytes can hold that
thread for minutes: a regular expression in which a text matches in many ways, a
choice between thousands of words, references that unfold without end. So a
schema is measured, unfolded, before the engine sees it.

Within these bounds the longest pause that others were seen to suffer was 0.4 s,
with a choice of 256 words (SmolLM2, one core); a plain schema costs 0.14 s.
"""

from __future__ import annotations

from typing import Any

import msgspec


class SchemaPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds. `nodes` counts subschemas with references unfolded, `choices` all words of all enums."""

    nodes: int = 512
    depth: int = 48
    choices: int = 256
    choice_characters: int = 16384
    properties: int = 128
    branches: int = 64
    repetitions: int = 1000


_NAMED = ("properties", "$defs", "definitions")
_BRANCHES = ("anyOf", "oneOf", "allOf", "prefixItems")
_BOUNDS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_PATTERNS = ("pattern", "patternProperties", "propertyNames")
_SINGLE = ("items", "additionalItems", "additionalProperties", "contains", "not", "if", "then", "else")


class SchemaFaultError(ValueError):
    """The schema asks for too much. The text says of what, for the caller."""


def measure(schema: Any, plan: SchemaPlan | None = None) -> int:
    """Count the subschemas of `schema` (JSON as decoded), unfolded. Raises SchemaFaultError."""
    return _Measure(schema, plan or SchemaPlan()).run()


class _Measure:
    def __init__(self, root: Any, plan: SchemaPlan) -> None:
        self._root = root
        self._plan = plan
        self._nodes = 0
        self._choices = 0
        self._characters = 0

    def run(self) -> int:
        self._walk(self._root, 0, ())
        return self._nodes

    def _walk(self, schema: Any, depth: int, unfolding: tuple[str, ...]) -> None:
        if not isinstance(schema, dict):
            return
        self._nodes += 1
        _demand(self._nodes <= self._plan.nodes, f"more than {self._plan.nodes} parts, with references unfolded")
        _demand(depth <= self._plan.depth, f"nesting deeper than {self._plan.depth}")
        for key, value in schema.items():
            self._key(key, value, depth + 1, unfolding)

    def _key(self, key: str, value: Any, depth: int, unfolding: tuple[str, ...]) -> None:
        _demand(key not in _PATTERNS, f"'{key}' (use enum, format, or length bounds)")
        if key in _NAMED and isinstance(value, dict):
            _demand(len(value) <= self._plan.properties, f"more than {self._plan.properties} names in one '{key}'")
            for part in value.values():
                self._walk(part, depth, unfolding)
        elif isinstance(value, list) and (key in _BRANCHES or key == "items"):
            _demand(len(value) <= self._plan.branches, f"more than {self._plan.branches} branches in one '{key}'")
            for part in value:
                self._walk(part, depth, unfolding)
        elif key in _SINGLE:
            self._walk(value, depth, unfolding)
        elif key in {"enum", "const"}:
            self._choose(value if isinstance(value, list) else [value])
        elif key in _BOUNDS and isinstance(value, (int, float)):
            _demand(value <= self._plan.repetitions, f"'{key}' above {self._plan.repetitions}")
        elif key == "$ref" and isinstance(value, str):
            _demand(value not in unfolding, "references that lead back to themselves")
            self._walk(self._find(value), depth, (*unfolding, value))

    def _choose(self, words: list[Any]) -> None:
        self._choices += len(words)
        self._characters += sum(len(str(word)) for word in words)
        _demand(self._choices <= self._plan.choices, f"more than {self._plan.choices} choices in all")
        _demand(
            self._characters <= self._plan.choice_characters,
            f"choices of more than {self._plan.choice_characters} characters in all",
        )

    def _find(self, reference: str) -> Any:
        found = self._root
        for name in reference.removeprefix("#").strip("/").split("/"):
            if name:
                found = found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found


def _demand(holds: bool, excess: str) -> None:  # noqa: FBT001 - reads as a sentence where it is called
    if not holds:
        raise SchemaFaultError(excess)
