"""What holds for every test: where it may connect, how hard properties try, what is being tested."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tidegate

# A shared machine must not fail a property for being slow: budgets are per kind, not per example.
settings.register_profile("check", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", parent=settings.get_profile("check"), max_examples=2000)
settings.load_profile("check")


def pytest_report_header() -> str:
    """Say which Tidegate is under test: the tree's or a wheel's."""
    return f"tidegate {tidegate.__version__} from {Path(tidegate.__file__).parent}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let integration tests out: everything else sees loopback only."""
    for item in items:
        if item.get_closest_marker("integration"):
            item.add_marker(pytest.mark.enable_socket)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run slow tests of what is in this process without coverage, which makes them take three times as long.

    They do what quick ones do, more often; a line that only they reach counts as not covered.
    """
    coverage = sys.modules.get("coverage")
    running = coverage and coverage.Coverage.current()
    if not running or not item.get_closest_marker("slow") or item.get_closest_marker("integration"):
        return (yield)
    running.stop()
    try:
        return (yield)
    finally:
        running.start()
