"""What the package shows to other programs is loaded late, and nobody inside uses that to pass by a floor."""

from __future__ import annotations

import ast
import re

import tidegate
from tests.house.tree import PACKAGE


def test_nobody_inside_takes_more_than_the_version_from_the_front_door() -> None:
    taken = {name for path in PACKAGE.rglob("*.py") for name in _taken(ast.parse(path.read_text("utf-8")))}

    assert taken == {"__version__"}


def test_type_checkers_are_shown_what_there_is() -> None:
    stub = (PACKAGE / "__init__.pyi").read_text("utf-8")
    shown = set(re.findall(r"^from [\w.]+ import \w+ as (\w+)$", stub, re.MULTILINE))

    assert shown
    assert shown <= set(dir(tidegate))
    assert {name for name in shown if not isinstance(getattr(tidegate, name), type)} == set()


def _taken(tree: ast.AST) -> set[str]:
    """What a module takes from the package itself: `from tidegate import x`, or `tidegate.x`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "tidegate":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tidegate":
            found.add(node.attr)
    return found
