"""The repository works on any machine, so it names none."""

from __future__ import annotations

import pytest

from tests.house.traces import foreign_hosts, package_sources, paths
from tests.house.tree import ROOT, files, shown

LOCKS = ("uv.lock", "package-lock.json")
SETTINGS = ("Makefile", "run", "Dockerfile", ".toml", ".cfg", ".npmrc", ".yml", ".yaml", ".sh")

ELSEWHERE = "mirror.example.net"


def test_no_file_names_a_path_of_one_machine() -> None:
    named = {shown(path): paths(path.read_text(errors="replace")) for path in files() if path.name not in LOCKS}

    assert not {path: said for path, said in named.items() if said}


def test_locks_point_at_the_public_registries_only() -> None:
    locks = [path for path in files() if path.name in LOCKS]

    assert ROOT / "uv.lock" in locks
    assert not {shown(path): said for path in locks if (said := foreign_hosts(path.read_text()))}


def test_no_setting_sends_a_package_client_elsewhere() -> None:
    settings = [path for path in files() if path.name.endswith(SETTINGS)]

    assert ROOT / "pyproject.toml" in settings
    assert not {shown(path): said for path in settings if (said := package_sources(path.read_text()))}


@pytest.mark.parametrize("folder", ["work/main", "root/.venv", "home/ana/tidegate", "Users/ana/tidegate"])
def test_a_path_of_one_machine_is_seen(folder: str) -> None:
    assert paths(f"see /{folder}/notes.txt")


@pytest.mark.parametrize("text", ["https://example.org/work/plan", "docs/work/plan.md", "/home/user/x", "$HOME/work/x"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert paths(text) == []


@pytest.mark.parametrize(
    ("lock", "seen"),
    [
        (f'registry = "https://{ELSEWHERE}/simple"', [ELSEWHERE]),
        (f'url = "http://name:word@{ELSEWHERE}:8080/a.whl"', [ELSEWHERE]),
        ('url = "https://files.pythonhosted.org/a.whl"', []),
        ('"funding": {"url": "https://give.example.org"}, "resolved": "https://registry.npmjs.org/a.tgz"', []),
        (f'"funding": [{{"url": "https://give.example.org"}}], "resolved": "https://{ELSEWHERE}/a.tgz"', [ELSEWHERE]),
    ],
)
def test_a_lock_that_points_elsewhere_is_seen(lock: str, seen: list[str]) -> None:
    assert foreign_hosts(lock) == seen


@pytest.mark.parametrize(
    "line",
    [
        f"extra-index-url = https://{ELSEWHERE}/simple",
        "pip install --find-links wheels tidegate",
        f'[[tool.uv.index]]\nurl = "https://{ELSEWHERE}"',
        "file:///opt/simple",
    ],
)
def test_a_setting_that_sends_a_client_elsewhere_is_seen(line: str) -> None:
    assert package_sources(line)
