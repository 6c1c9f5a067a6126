"""Long files are named after every run of the house rules, before they become too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.house.length import LOOK_AGAIN_LINES, verdict
from tests.house.tree import shown, sources

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what has grown past the first limit."""
    long = [shown(path) for path in sources(".py", ".ts", ".svelte") if verdict(path.read_text()) != "fine"]
    terminalreporter.write("".join(f"{name}: {LOOK_AGAIN_LINES} lines or more, two concepts?\n" for name in long))
