"""Imports point down: the contracts hold, and each of them refuses what it is there to refuse."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT

SETTINGS = ROOT / "pyproject.toml"
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

# A contract cannot speak of a room that is not there, so the copy opens them all.
ROOMS = ("adapters", "adapters/sql", "cli", "config", "core", "http", "lab", "ports", "services", "testing")

# contract -> planted module, what it says, how the linter must name it
PLANTS = [
    ("floors", "services/planted.py", "import tidegate.http", "tidegate.services.planted -> tidegate.http (l.1)"),
    ("floors", "core/planted.py", "import tidegate.ports", "tidegate.core.planted -> tidegate.ports (l.1)"),
    ("floors", "config/planted.py", "import tidegate.lab", "tidegate.config.planted -> tidegate.lab (l.1)"),
    ("floors", "odds/__init__.py", "", "tidegate.odds"),
    (
        "core-is-pure",
        "core/planted.py",
        "def now() -> float:\n    from time import time\n\n    return time()",
        "tidegate.core.planted -> time (l.2)",
    ),
    (
        "edge-stays-at-the-edge",
        "services/planted.py",
        "from starlette.requests import Request",
        "tidegate.services.planted -> starlette (l.1)",
    ),
    (
        "technology-in-its-room",
        "http/planted.py",
        "from sqlalchemy import text",
        "tidegate.http.planted -> sqlalchemy (l.1)",
    ),
    (
        "routes-never-touch-adapters",
        "http/planted.py",
        "import tidegate.adapters",
        "tidegate.http.planted -> tidegate.adapters (l.1)",
    ),
    (
        "adapters-are-strangers",
        "adapters/planted.py",
        "import tidegate.adapters.stranger",
        "tidegate.adapters.planted -> tidegate.adapters.stranger (l.1)",
    ),
    (
        "no-ring",
        "ports/planted/thither.py",
        "import tidegate.ports.planted.hither",
        "No cycles are allowed in tidegate.ports.planted.",
    ),
    (
        "fakes-stay-home",
        "services/planted.py",
        "import tidegate.testing",
        "tidegate.services.planted -> tidegate.testing (l.1)",
    ),
    (
        "tables-belong-to-their-adapter",
        "cli/planted.py",
        "import tidegate.adapters.sql",
        "tidegate.cli.planted -> tidegate.adapters.sql (l.1)",
    ),
]

# What a plant needs around it: a stranger to know, the other half of a ring.
COMPANY = {
    "adapters/planted.py": {"adapters/stranger.py": ""},
    "ports/planted/thither.py": {
        "ports/planted/__init__.py": "",
        "ports/planted/hither.py": "import tidegate.ports.planted.thither",
    },
}


def lint(where: Path, *only: str) -> tuple[int, str]:
    """Check the package lying in `where` and answer the linter's status and words, on one line each."""
    limits = [word for contract in only for word in ("--contract", contract)]
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--config", str(SETTINGS), "--no-cache", "--no-logo", *limits],
        cwd=where,
        env={"COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package to plant in, with every declared room open, be it empty."""
    shutil.copytree(PACKAGE, tmp_path / "tidegate", ignore=shutil.ignore_patterns("__pycache__"))
    for room in ROOMS:
        (tmp_path / "tidegate" / room).mkdir(exist_ok=True)
        (tmp_path / "tidegate" / room / "__init__.py").touch()
    (tmp_path / "tidegate" / "app.py").touch()
    return tmp_path


def test_every_import_points_down(copy: Path) -> None:
    status, words = lint(copy)

    assert status == 0, words


def test_every_contract_has_a_violation_planted_below() -> None:
    contracts = tomllib.loads(SETTINGS.read_text())["tool"]["importlinter"]["contracts"]

    assert {contract["id"] for contract in contracts} == {contract for contract, *_ in PLANTS}


@pytest.mark.parametrize(("contract", "file", "text", "named"), PLANTS)
def test_a_contract_refuses_what_it_is_there_to_refuse(
    copy: Path, contract: str, file: str, text: str, named: str
) -> None:
    for name, content in (COMPANY.get(file, {}) | {file: text}).items():
        path = copy / "tidegate" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)

    status, words = lint(copy, contract)

    assert status == 1
    assert "0 kept, 1 broken" in words
    assert named in words, words
