"""What Tidegate stands on is declared, and each piece has its reason written down."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.house.tree import PACKAGE, ROOT, files, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = ROOT / "docs" / "decisions" / "0002-dependencies.md"


def names(requirements: list[str]) -> set[str]:
    """The bare, normalised names in a list of requirements."""
    return {re.split(r"[^A-Za-z0-9._-]", text)[0].lower().replace("_", "-") for text in requirements}


@cache
def providers() -> Mapping[str, list[str]]:
    """Which distributions provide a top-level package here."""
    return packages_distributions()


def borrowed(source: str, declared: set[str]) -> set[str]:
    """Third-party packages that `source` imports although no declared dependency provides them."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"tidegate"}
    return {top for top in foreign if not names(providers().get(top, [])) & declared}


def declared_for(path: Path) -> set[str]:
    """What a file may import: runtime dependencies and extras; fakes may also use the tests' groups."""
    declared = names(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        declared |= names(extra)
    if path.is_relative_to(PACKAGE / "testing"):
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
        declared |= names(groups["check"]) | names(groups["integration"])
    return declared


def test_every_runtime_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE))

    assert rows == names(PROJECT["dependencies"])


def test_nothing_is_imported_that_is_not_declared() -> None:
    found = {
        shown(path): said
        for path in files(PACKAGE)
        if path.suffix == ".py" and (said := borrowed(path.read_text(), declared_for(path)))
    }

    assert found == {}


@pytest.mark.parametrize(
    "text", ["import iniconfig", "def f():\n    from iniconfig import IniConfig", "import nowhere"]
)
def test_an_import_borrowed_from_anothers_dependencies_is_seen(text: str) -> None:
    assert borrowed(text, names(PROJECT["dependencies"]))


def test_declared_and_standard_imports_are_left_alone() -> None:
    assert borrowed("import json\nimport msgspec\nfrom tidegate import core", {"msgspec"}) == set()
