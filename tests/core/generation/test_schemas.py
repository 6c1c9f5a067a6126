"""A schema that would hold up everybody's answers is told before the engine sees it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.generation.schemas import SchemaFaultError, SchemaPlan, measure

TEXT: dict[str, Any] = {"type": "string"}


def _object(count: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{number}": TEXT for number in range(count)}}


def _doubled(times: int) -> dict[str, Any]:
    schema = TEXT
    for _ in range(times):
        schema = {"anyOf": [schema, schema]}
    return schema


def _doubled_by_reference(times: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{number}": {"anyOf": [{"$ref": f"#/$defs/d{number + 1}"}] * 2} for number in range(times)
    }
    definitions[f"d{times}"] = TEXT
    return {"$defs": definitions, "$ref": "#/$defs/d0"}


def _nested(times: int) -> dict[str, Any]:
    schema = TEXT
    for _ in range(times):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        (None, 0),
        (5, 0),
        ({}, 1),
        (_object(128), 129),
        ({"type": "object", "properties": {"pattern": TEXT, "enum": TEXT, "$ref": TEXT}}, 4),
        ({"enum": ["x"] * 256}, 1),
        ({"type": "array", "items": TEXT, "maxItems": 1000}, 2),
        ({"type": "array", "items": [TEXT, TEXT]}, 3),
        ({"$defs": {"a/b": TEXT}, "$ref": "#/$defs/a~1b"}, 3),
        ({"$ref": "#/$defs/nothing"}, 1),
        ({"$ref": "#/type/deeper", "type": "object"}, 1),
        ({"type": "string", "description": "pattern", "default": {"pattern": "x"}}, 1),
        (_nested(48), 49),
        (_doubled(8), 511),
    ],
)
def test_an_ordinary_schema_is_taken_and_its_parts_are_counted(schema: object, parts: int) -> None:
    assert measure(schema) == parts


@pytest.mark.parametrize(
    ("schema", "excess"),
    [
        ({"type": "string", "pattern": "^(a?){400}$"}, "'pattern'"),
        ({"type": "object", "patternProperties": {"^a": TEXT}}, "'patternProperties'"),
        ({"anyOf": [TEXT, {"items": {"pattern": "x"}}]}, "'pattern'"),
        ({"enum": ["x"] * 257}, "choices"),
        ({"anyOf": [{"enum": ["x"] * 200}, {"enum": ["y"] * 200}]}, "choices"),
        ({"enum": ["x" * 16385]}, "characters"),
        ({"const": "x" * 16385}, "characters"),
        (_object(129), "names"),
        ({"anyOf": [TEXT] * 65}, "branches"),
        ({"type": "array", "items": [TEXT] * 65}, "branches"),
        ({"type": "array", "items": TEXT, "maxItems": 1001}, "'maxItems'"),
        ({"type": "string", "minLength": 10**9}, "'minLength'"),
        (_nested(49), "nesting"),
        (_doubled(9), "parts"),
        (_doubled_by_reference(9), "parts"),
        ({"$ref": "#"}, "lead back"),
        ({"$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"}, "lead back"),
    ],
)
def test_a_schema_that_asks_for_too_much_is_told_of_what(schema: object, excess: str) -> None:
    with pytest.raises(SchemaFaultError, match=excess):
        measure(schema)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["properties", "items", "anyOf", "enum", "$ref", "$defs", "not", "maxItems", "a"]),
            inner | st.sampled_from(["#", "#/$defs/a", "#/a", "#/anyOf"]),
            max_size=4,
        )
    ),
    max_leaves=40,
)


@given(json_values)
def test_any_json_is_measured_or_refused_and_never_beyond_the_bounds(schema: object) -> None:
    plan = SchemaPlan(nodes=20, depth=6, choices=5)
    with contextlib.suppress(SchemaFaultError):
        assert 0 <= measure(schema, plan) <= plan.nodes
