"""The map shows the house as it is: no room missing, none that is only planned."""

from __future__ import annotations

import re

from tests.house.tree import PACKAGE, ROOT

MAP = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_room_on_the_map_exists_and_every_room_is_on_the_map() -> None:
    rows = set(re.findall(r"^\| `([a-z/]+)", MAP, re.MULTILINE))
    floors = {path.parent for path in PACKAGE.glob("*/__init__.py")}
    rooms = {path.parent.relative_to(PACKAGE).as_posix() for floor in floors for path in floor.glob("*/__init__.py")}

    assert {row for row in rows if not (PACKAGE / row).is_dir()} == set()
    assert {room for room in rooms if f"`{room}`" not in MAP} == set()
    assert {floor.name for floor in floors if not re.search(rf"\b{floor.name}\b", MAP)} == set()


def test_every_file_that_the_map_points_at_exists() -> None:
    pointed = re.findall(r"`((?:docs|tests|changelog\.d)/[\w./-]*|[A-Z]+\.md)`", MAP)

    assert pointed
    assert [name for name in pointed if not (ROOT / name).exists()] == []
