"""What holds for every test: where it may connect, how hard properties try, what is being tested."""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path

import greenlet
import pytest
from hypothesis import HealthCheck, settings

import tidegate

# A shared machine must not fail a property for being slow: budgets are per kind, not per example.
settings.register_profile("check", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", parent=settings.get_profile("check"), max_examples=2000)
settings.load_profile("check")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests that judge times can be told from the others: those run beside each other, these alone."""
    parser.addoption("--timed", choices=("only", "without"), help="tests marked `timed` only, or all but these")


def pytest_report_header() -> str:
    """Say which Tidegate is under test: the tree's or a wheel's."""
    return f"tidegate {tidegate.__version__} from {Path(tidegate.__file__).parent}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let integration tests out, where everything else sees loopback only; leave out what was not asked for."""
    for item in items:
        if item.get_closest_marker("integration"):
            item.add_marker(pytest.mark.enable_socket)
    if wish := config.getoption("--timed"):
        others = [item for item in items if (item.get_closest_marker("timed") is not None) != (wish == "only")]
        items[:] = [item for item in items if item not in set(others)]
        config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session", autouse=True)
def _no_greenlet_that_coverage_does_not_follow() -> Generator[None]:
    """Coverage that was not told of greenlets counts the lines of one file as another's once there are any."""
    coverage = sys.modules.get("coverage")
    running = coverage and coverage.Coverage.current()
    if not running or "greenlet" in running.get_option("run:concurrency"):
        yield
        return
    switches: set[str] = set()
    greenlet.settrace(lambda event, _: switches.add(event))
    yield
    greenlet.settrace(None)
    assert not switches, "code of a lane for `thread` ran in greenlets: see tools/lanes.py"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run slow tests without coverage, which makes what they do in this process take three times as long.

    They do what quick ones do, more often; a line that only they reach counts as not covered. Services
    that they start are processes of their own, and count.
    """
    coverage = sys.modules.get("coverage")
    running = coverage and coverage.Coverage.current()
    if not running or not item.get_closest_marker("slow"):
        return (yield)
    running.stop()
    try:
        return (yield)
    finally:
        running.start()
