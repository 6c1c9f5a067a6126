"""Verbs on a data directory of their own, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.verbs import Said, Verb
from tidegate.cli.program import app


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def verb(data: Path) -> Verb:
    def run(*arguments: str, typed: str | bytes | None = None, **environment: str) -> Said:
        given = {"TIDEGATE_DATA": str(data), "COLUMNS": "80", **environment}
        result = CliRunner().invoke(app, list(arguments), env=given, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    return run
