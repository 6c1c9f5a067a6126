"""The real model, a data directory with a user in it, one service that tests share, and others on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from tests.integration.running import MODEL, Instance, copy_data, environment, make_data, run_verb, until
from tidegate.config import load_settings

_FIGURES = pytest.StashKey[list[str]]()

SHARED = """
[server]
max_body_bytes = 4194304
[engine]
slots = 2
max_waiting = 2
aliases = ["deepseek-chat"]
[gate]
principal_rate = 10000
principal_burst = 100000
network_rate = 10000
network_burst = 100000
strangers_rate = 10000
strangers_burst = 100000
"""
"""With room for all tests: they share one key, and a fast machine asks more than one caller may."""


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Takes figures that the run shows at its end, whether or not they were as promised."""
    return pytestconfig.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what was measured against the real service."""
    figures: list[str] = config.stash.get(_FIGURES, [])
    for line in sorted(figures):
        terminalreporter.write_line(f"measured: {line}")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model cache with the demonstration model in it, pulled by the program itself when it is not here."""
    cache = load_settings().models.cache_dir
    if not (cache / f"{MODEL}.json").exists():
        cache = tmp_path_factory.mktemp("models")
    pulled = run_verb("models", "pull", MODEL, models=cache, env=environment(cache))
    assert pulled.returncode == 0, pulled.stderr
    return cache


class Seed(NamedTuple):
    """A data directory to copy, and the key of its only user."""

    data: Path
    key: str


@pytest.fixture(scope="session")
def seed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Seed:
    """Made once through the command line: each service gets a copy."""
    data = tmp_path_factory.mktemp("seed") / "data"
    return Seed(data, make_data(data, models))


class Serve(Protocol):
    """Starts a service of the test's own; it is ended with the test."""

    def __call__(self, config: str = "", **options: Any) -> Instance: ...


@pytest.fixture
def serve(models: Path, seed: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Services on data directories of their own, each with the seed's user and key."""
    started: list[Instance] = []

    def start(config: str = "", **options: Any) -> Instance:
        folder = tmp_path_factory.mktemp("serve")
        data = options.pop("data", None) or copy_data(seed.data, folder / "data")
        instance = Instance(folder, models, data=data, config=config, key=seed.key, **options)
        started.append(instance)
        return instance

    yield start
    for instance in started:
        instance.kill()


@pytest.fixture(scope="session")
def one_service(models: Path, seed: Seed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    folder = tmp_path_factory.mktemp("shared")
    instance = Instance(folder, models, data=copy_data(seed.data, folder / "data"), config=SHARED, key=seed.key)
    try:
        yield instance.ready().warm()
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()


@pytest.fixture
def service(one_service: Instance) -> Iterator[Instance]:
    """The service that tests share: idle when it comes, and left ready."""
    until(one_service.is_idle, 30, "the shared service is idle")
    yield one_service
    one_service.hang_up()
    assert one_service.readiness() == 200
