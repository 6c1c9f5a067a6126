"""What the program leaves on the machine: nothing outside its data directory, and nothing there for others' eyes."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.running import MODEL, Instance, environment, run_verb

pytestmark = pytest.mark.integration


def _found(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below it. What goes while somebody looks is not there: a draft is renamed, another pull is done."""
    for below, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                yield Path(below, name), Path(below, name).lstat()


def _tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (found.st_size, found.st_mtime_ns)
        for path, found in _found(folder)
        if not stat.S_ISDIR(found.st_mode)
    }


def test_nothing_is_written_outside_the_data_directory(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = {
        name: tmp_path / name.lower()
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "CWD")
    }
    for folder in watched.values():
        folder.mkdir()
    cache_before = _tree(models)
    own = environment(models, **{name: str(folder) for name, folder in watched.items() if name != "CWD"})
    monkeypatch.chdir(watched["CWD"])
    data = tmp_path / "data"
    assert run_verb("users", "create", "ada@example.org", data=data, models=models, env=own).returncode == 0
    made = run_verb("keys", "create", "--user", "ada@example.org", "--json", data=data, models=models, env=own)
    key = json.loads(made.stdout)["key"]
    folder = tmp_path / "outputs"
    folder.mkdir()
    instance = Instance(folder, models, data=data, config="[engine]\nslots = 1", key=key, env=own)
    try:
        instance.ready()
        hello = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
        assert instance.ask("/v1/chat/completions", hello).status == 200
        _assert_private(data)
        assert instance.stop() == 0
    finally:
        instance.kill()
    assert {name: list(folder.rglob("*")) for name, folder in watched.items()} == {name: [] for name in watched}
    assert _tree(models) == cache_before
    _assert_private(data)


def _assert_private(data: Path) -> None:
    for path, found in ((data, data.lstat()), *_found(data)):
        assert stat.S_IMODE(found.st_mode) & 0o077 == 0, f"{path} can be seen by others"
